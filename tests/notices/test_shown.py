"""What a holder reads of their notices, in words."""

from pathlib import Path

import msgspec

from bursar.holders import Holders
from bursar.holders.model import HolderChange
from bursar.ledger import Ledger
from bursar.notices.mail.model import Brief
from bursar.notices.service import Notices
from bursar.platform.settings import load_settings
from tests.notices.conftest import TELL_ALL, Tell
from tests.notices.test_inbox import WHO, credit, post

ENGLISH = Brief("You have received 50 coins", "Your balance is now 50 coins.")
GERMAN = Brief("Du hast 50 coins erhalten", "Dein Guthaben beträgt jetzt 50 coins.")


async def shown(notices: Notices) -> list[Brief]:
    return await notices.shown("mia", (await notices.inboxes.page("mia")).items)


async def test_who_only_has_a_wallet_is_told_in_the_language_of_the_economy(
    ledger: Ledger, tell: Tell
) -> None:
    notices = Notices(ledger, load_settings({}))
    await tell()
    await post(ledger, credit())
    assert await shown(notices) == [ENGLISH]

    await tell(msgspec.structs.replace(TELL_ALL, language="de"))
    assert await shown(notices) == [GERMAN]


async def test_who_is_in_the_directory_is_told_in_their_own(ledger: Ledger, tell: Tell) -> None:
    await tell()
    await Holders(ledger).upsert([HolderChange("mia", locale="de-AT")], **WHO)
    await post(ledger, credit())
    assert await shown(Notices(ledger, load_settings({}))) == [GERMAN]


async def test_a_template_of_the_operators_that_fails_is_not_shown_to_a_holder(
    ledger: Ledger, tell: Tell, tmp_path: Path
) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "deposit.txt").write_text("{{ nothing.such }}", "utf-8")
    await tell()
    await post(ledger, credit())
    notices = Notices(ledger, load_settings({"BURSAR_TEMPLATES": str(tmp_path)}))
    assert await shown(notices) == [ENGLISH]
    assert notices.check_templates()


async def test_long_inboxes_are_shown_whole_and_in_their_order(ledger: Ledger, tell: Tell) -> None:
    await tell()
    await post(ledger, *(credit(number, amount=number + 1) for number in range(230)))
    notices = Notices(ledger, load_settings({}))
    page = await notices.inboxes.page("mia", limit=1_000)
    said = await notices.shown("mia", page.items)

    assert len(said) == 230
    amounts = [one.data["amount"] for one in page.items]
    assert [brief.subject.split()[3] for brief in said] == [str(amount) for amount in amounts]

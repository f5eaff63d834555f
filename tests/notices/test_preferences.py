"""What holders wish: what they chose, what they left to the economy, nothing that is not there."""

import asyncio
from datetime import time, timedelta
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.model import NEVER_QUIET, Kind, NoticeSettings, QuietHours
from bursar.notices.preferences import NoticePreferences
from bursar.platform.errors import Conflict, Invalid, Missing
from bursar.trail import Trail
from tests.notices.conftest import Tell
from tests.notices.test_inbox import WHO, credit, post

NIGHT = QuietHours(time(22), time(7))
SETTINGS = NoticeSettings(
    channels=("inbox",), by_kind={Kind.DEPOSIT: ("inbox", "email")}, quiet=NIGHT
)


@pytest.fixture
async def wishes(ledger: Ledger, preferences: NoticePreferences, tell: Tell) -> NoticePreferences:
    """Preferences in an economy with defaults, and mia, who has wished nothing."""
    await tell(SETTINGS)
    await post(ledger, credit())
    return preferences


async def test_who_has_wished_nothing_has_the_economys_defaults(wishes: NoticePreferences) -> None:
    shown = await wishes.show("mia")

    assert list(shown.kinds) == list(OF_HOLDERS)
    assert shown.kinds[Kind.DEPOSIT] == {"inbox": True, "email": True}
    assert shown.kinds[Kind.REMINDER] == {"inbox": True, "email": False}
    assert (shown.quiet, shown.own_quiet, shown.revision) == (NIGHT, False, 0)


async def test_a_choice_stands_until_it_is_taken_back(wishes: NoticePreferences) -> None:
    chosen = {"deposit": {"email": False}, "reminder": {"email": True, "inbox": False}}
    after = await wishes.change("mia", choices=chosen, **WHO)
    assert after.chosen == chosen
    assert after == await wishes.show("mia")

    back = await wishes.change("mia", choices={"reminder": {"email": None, "inbox": None}}, **WHO)
    assert back.chosen == {"deposit": {"email": False}}
    assert back.kinds[Kind.REMINDER] == {"inbox": True, "email": False}
    assert back.revision == 2


async def test_own_quiet_hours_take_the_place_of_the_economys_and_may_be_given_up(
    wishes: NoticePreferences,
) -> None:
    own = QuietHours(time(13), time(15))
    assert (await wishes.change("mia", quiet=own, **WHO)).quiet == own
    kept = await wishes.change("mia", choices={"deposit": {"email": False}}, **WHO)
    assert (kept.quiet, kept.own_quiet) == (own, True)

    assert (await wishes.change("mia", quiet=NEVER_QUIET, **WHO)).quiet == NEVER_QUIET
    assert (await wishes.change("mia", quiet=None, **WHO)).quiet == NIGHT


async def test_to_wish_the_same_again_is_no_change(
    wishes: NoticePreferences, ledger: Ledger
) -> None:
    for _ in range(3):
        await wishes.change("mia", choices={"deposit": {"email": False}}, **WHO)

    assert (await wishes.show("mia")).revision == 1
    acts = (await Trail(ledger.database).acts()).items
    assert [act.act for act in acts if act.act == "preferences.change"] == ["preferences.change"]


async def test_of_two_who_change_what_they_have_seen_one_is_told(wishes: NoticePreferences) -> None:
    asked = [
        wishes.change("mia", choices={"deposit": {way: False}}, expect=0, **WHO)
        for way in ("email", "inbox")
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Effective"]
    with pytest.raises(Conflict, match="revision 1"):
        await wishes.change("mia", quiet=None, expect=0, **WHO)


async def test_many_who_change_different_things_all_have_theirs(wishes: NoticePreferences) -> None:
    await asyncio.gather(
        *(wishes.change("mia", choices={kind: {"email": True}}, **WHO) for kind in OF_HOLDERS)
    )

    shown = await wishes.show("mia")
    assert all(ways["email"] for ways in shown.kinds.values())
    assert shown.revision == len(OF_HOLDERS)


@pytest.mark.parametrize(
    "wished",
    [
        {"choices": {"no_kind": {"email": True}}},
        {"choices": {"operator_alert": {"email": True}}},
        {"choices": {"deposit": {"webhook": True}}},
        {"choices": {"deposit": {"pigeon": True}}},
        {"choices": {"deposit": {"email": 1}}},
        {"choices": {"x" * 10_000: {}}},
    ],
)
async def test_what_there_is_not_cannot_be_wished(
    wishes: NoticePreferences, wished: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as refused:
        await wishes.change("mia", **wished, **WHO)

    assert refused.value.code == "preference_invalid"
    assert ("pigeon" in str(wished)) == (refused.value.message.startswith("'pigeon' is no way"))
    assert (await wishes.show("mia")).revision == 0


async def test_nobody_has_no_wishes(wishes: NoticePreferences) -> None:
    for asked in (wishes.show("nobody"), wishes.change("nobody", quiet=None, **WHO)):
        with pytest.raises(Missing):
            await asked


async def test_a_letter_is_asked_for_again_before_it_is_sent(
    wishes: NoticePreferences, ledger: Ledger
) -> None:
    assert await wishes.mail_waits(1, Kind.DEPOSIT, None) is not None
    await wishes.change("mia", choices={"deposit": {"email": False}}, **WHO)
    assert await wishes.mail_waits(1, Kind.DEPOSIT, None) is None
    assert await wishes.mail_waits(1, Kind.REMINDER, None) is None


async def test_quiet_hours_are_asked_for_again_before_a_letter_is_sent(
    wishes: NoticePreferences, ledger: Ledger
) -> None:
    async with ledger.database.connection() as connection:
        done = await connection.execute("select bursar.now() at time zone 'Asia/Tokyo'")
        [[there]] = await done.fetchall()
    hour = timedelta(hours=1)
    quiet = QuietHours((there - hour).time(), (there + hour).time())
    await wishes.change("mia", choices={"deposit": {"email": True}}, quiet=quiet, **WHO)
    in_tokyo = await wishes.mail_waits(1, Kind.DEPOSIT, "Asia/Tokyo")
    assert in_tokyo is not None
    assert timedelta(minutes=50) < in_tokyo <= hour
    assert await wishes.mail_waits(1, Kind.DEPOSIT, None) == timedelta()

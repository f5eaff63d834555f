"""From a delivery to a mailbox: whom it is for is looked up, and what came of it is told (N2)."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace as replace_in

from bursar.holders import HolderChange, Holders
from bursar.ledger import Ledger
from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.mail.bounces import Bounces
from bursar.notices.mail.carrier import MailCarrier
from bursar.notices.mail.samples import SAMPLES
from bursar.notices.mail.smtp import Postbox
from bursar.notices.mail.unsubscribe import Unsubscribing
from bursar.notices.model import (
    Channel,
    Delivery,
    DeliveryState,
    Kind,
    NoticeId,
    NoticeSettings,
    Outcome,
)
from bursar.notices.sending.carrier import NotNow
from bursar.platform.errors import Invalid
from bursar.platform.smtp_url import server_of
from bursar.programs.model import Alert
from bursar.programs.service import Programs
from tests.notices.mail.servers import Office
from tests.notices.mail.test_unsubscribe import Sealed

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
LINKS = Unsubscribing(Sealed(Fernet.generate_key()), "https://coins.club.example")


NOTICES = NoticeSettings(
    names={"coins": {"en": "coins", "de": "Münzen"}}, time_zone="Europe/London"
)


@dataclass
class Mail:
    """What of the environment concerns e-mail."""

    smtp_url: str | None
    mail_from: str = "Sports Club <coins@club.example>"
    templates: Path | None = None


@dataclass
class World:
    """A carrier, and what it asks."""

    ledger: Ledger
    settings: Mail
    there: Office
    notices: NoticeSettings = NOTICES
    unwanted: set[tuple[int, Kind]] = field(default_factory=set)
    asleep: tuple[str, ...] = ()
    carrier: MailCarrier | None = None

    async def asked(self) -> NoticeSettings:
        return self.notices

    async def waits(self, holder_id: int, kind: Kind, zone: str | None) -> timedelta | None:
        if (holder_id, kind) in self.unwanted:
            return None
        return timedelta(hours=7) if zone in self.asleep else timedelta()

    async def carry(
        self, kind: Kind = Kind.DEPOSIT, holder: int | None = 1, **said: Any
    ) -> Outcome:
        if self.carrier is None:
            self.carrier = MailCarrier(
                self.ledger, self.settings, self.asked, self.waits, unsubscribing=LINKS
            )
        address, tries = said.pop("address", ""), said.pop("tries", 1)
        return await self.carrier.carry(
            Delivery(
                delivery_id=1,
                notice_id=NoticeId(UUID(int=7)),
                channel=Channel.EMAIL,
                kind=kind,
                state=DeliveryState.WAITING,
                attempts=tries,
                tries=tries,
                happened_at=AT,
                made_at=AT,
                due_at=AT,
                ended_at=None,
                holder_id=holder,
                endpoint_id=0,
                dispatch_id=None,
                address=address,
                note="",
                data={**SAMPLES[kind], **said},
            )
        )

    async def alerts(self) -> list[Alert]:
        return list(await Programs(self.ledger).alerts())


@pytest.fixture
async def world(ledger: Ledger, post: tuple[Office, int]) -> AsyncIterator[World]:
    there, port = post
    made = World(ledger, Mail(f"smtp://127.0.0.1:{port}?helo=club.example"), there)
    yield made
    if made.carrier is not None:
        await made.carrier.close()


def text_of(letter: Any) -> str:
    text: str = letter.get_body(("plain",)).get_content()
    return text


async def test_a_holder_gets_a_letter_in_their_language_with_a_link_that_ends_it(
    world: World,
) -> None:
    assert await world.carry() == Outcome(outcome="sent", status=250)
    [letter] = world.there.letters
    assert letter["From"] == "Sports Club <coins@club.example>"
    assert letter["To"] == "Ada <ada@example.org>"
    assert letter["Subject"] == "Du hast 50.000 Münzen erhalten"
    assert letter["Message-ID"] == f"<{UUID(int=7)}@club.example>"
    assert letter["Content-Language"] == "de"
    assert "Hallo Ada," in text_of(letter)
    token = letter["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert LINKS.open_token(token) == (1, Kind.DEPOSIT)
    assert token in text_of(letter)
    assert abs(letter["Date"].datetime.timestamp() - datetime.now(UTC).timestamp()) < 3_600


async def test_who_has_no_locale_gets_the_economys_language_and_zone(world: World) -> None:
    await world.carry(Kind.REMINDER, holder=2)
    [letter] = world.there.letters
    assert letter["To"] == "bob@example.org"
    assert "at 9:00" in text_of(letter)
    assert "Hello," in text_of(letter)


async def test_an_asset_that_is_new_is_known_with_its_scale(world: World) -> None:
    await world.carry()
    await world.ledger.add_asset("gold", scale=3, actor="test", reason="test")
    await world.carry(asset="gold", amount=1_500)
    assert world.there.letters[1]["Subject"] == "Du hast 1,500 gold erhalten"


@pytest.mark.parametrize("kind", OF_HOLDERS)
async def test_every_kind_can_be_sent(world: World, kind: Kind) -> None:
    assert (await world.carry(kind)).outcome == "sent"


async def test_operators_are_told_in_the_economys_language_without_a_link(world: World) -> None:
    world.notices = NoticeSettings(language="de", product="Verein")
    done = await world.carry(Kind.OPERATOR_ALERT, holder=None, address="ops@club.example")
    assert done.outcome == "sent"
    [letter] = world.there.letters
    assert letter["To"] == "ops@club.example"
    assert "Die Meldung bleibt offen" in text_of(letter)
    assert letter["List-Unsubscribe"] is None


async def test_who_has_no_address_or_is_erased_or_gone_gets_nothing(world: World) -> None:
    await Holders(world.ledger).erase("bob", actor="test", reason="asked")
    for holder in (2, 3, 99):
        assert await world.carry(holder=holder) == Outcome(outcome="dropped", detail="no_address")
    assert not world.there.raw


async def test_what_was_turned_off_meanwhile_is_not_sent(world: World) -> None:
    world.unwanted.add((1, Kind.DEPOSIT))
    assert (await world.carry()).outcome == "dropped"
    assert (await world.carry(Kind.REMINDER)).outcome == "sent"
    assert len(world.there.raw) == 1


async def test_who_sleeps_meanwhile_is_written_to_when_the_night_is_over(world: World) -> None:
    world.asleep = ("Europe/Berlin",)
    with pytest.raises(NotNow) as later:
        await world.carry()
    assert later.value.wait_s == 7 * 3_600
    assert (await world.carry(holder=2)).outcome == "sent"
    told = {"holder": None, "address": "ops@club.example"}
    assert (await world.carry(Kind.OPERATOR_ALERT, **told)).outcome == "sent"
    assert world.there.to == ["bob@example.org", "ops@club.example"]


async def test_a_bounce_is_remembered_and_nothing_goes_there_again(world: World) -> None:
    world.there.rcpt = lambda _: "550 5.1.1 <ada@example.org> is unknown"
    assert (await world.carry()).outcome == "bounced"
    world.there.rcpt = lambda _: None
    assert await world.carry() == Outcome(outcome="dropped", detail="bounced before")
    assert (await world.carry(holder=2)).outcome == "sent"
    [kept] = (await Bounces(world.ledger).list()).items
    assert (kept.holder_id, kept.status) == (1, 550)
    assert "ada@" not in kept.detail
    await Bounces(world.ledger).clear(holder="ada", actor="cli:ann", reason="it is back")
    assert (await world.carry()).outcome == "sent"


async def test_an_operators_address_is_tried_again_whatever_was_said_of_it(world: World) -> None:
    told = {"holder": None, "address": "ops@club.example"}
    world.there.rcpt = lambda _: "550 5.1.1 unknown"
    assert (await world.carry(Kind.OPERATOR_ALERT, **told)).outcome == "bounced"
    world.there.rcpt = lambda _: None
    assert (await world.carry(Kind.OPERATOR_ALERT, **told)).outcome == "sent"


async def test_a_new_address_is_where_the_next_letter_goes(world: World) -> None:
    change = HolderChange("ada", email="lovelace@bücher.example")
    await Holders(world.ledger).upsert([change], actor="test", reason="moved")
    await world.carry()
    assert world.there.to == ["lovelace@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "email", ["ada@exa_mple.org", "a,b@example.org", "adä@example.org", '"@x.y']
)
async def test_an_address_that_no_mail_goes_to_drops_the_letter(world: World, email: str) -> None:
    change = HolderChange("ada", email=email)
    [done] = await Holders(world.ledger).upsert([change], actor="test", reason="typo")
    assert done.refusal is None
    assert (await world.carry()).outcome == "dropped"


async def test_names_and_data_cannot_write_headers_or_markup(world: World) -> None:
    evil = '=?utf-8?q?=0D=0ABcc:_eve@evil.example?=<img src=x>"'
    change = HolderChange("ada", username=evil)
    [done] = await Holders(world.ledger).upsert([change], actor="test", reason="evil")
    assert done.refusal is None
    world.notices = NoticeSettings(names={"coins": {"de": "M<b>\r\nBcc: eve@evil.example"}})
    assert (await world.carry()).outcome == "sent"
    [letter] = world.there.letters
    assert letter["Bcc"] is None
    assert world.there.to == ["ada@example.org"]
    html = letter.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<img" not in html
    assert "<b>" not in html


async def test_a_template_that_fails_is_tried_again_later_and_operators_know(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "de").mkdir()
    broken = tmp_path / "de/deposit.txt"
    broken.write_text('{% extends "notice.txt" %}{% block subject %}{{ amont }}{% endblock %}')
    world.settings = replace(world.settings, templates=tmp_path)
    for _ in range(2):
        done = await world.carry()
        assert done.outcome == "failed"
        assert "de/deposit.txt, line 1: 'amont' is undefined" in done.detail
    [alert] = await world.alerts()
    assert (alert.kind, alert.subject, alert.times) == ("template_error", "de/deposit.txt", 2)
    broken.unlink()
    assert (await world.carry()).outcome == "sent"


async def test_operators_hear_of_an_alert_even_if_their_template_of_it_fails(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en/operator_alert.txt").write_text("{{ nothing")
    world.settings = replace(world.settings, templates=tmp_path)
    done = await world.carry(Kind.OPERATOR_ALERT, holder=None, address="ops@club.example")
    assert done.outcome == "sent"
    assert "This stays open" in text_of(world.there.letters[0])
    assert [alert.subject for alert in await world.alerts()] == ["en/operator_alert.txt"]


async def test_a_server_that_our_setting_cannot_use_is_told_to_operators(world: World) -> None:
    world.there.mail = lambda _: "530 5.7.0 Authentication required"
    assert (await world.carry()).outcome == "failed"
    [alert] = await world.alerts()
    assert (alert.kind, alert.subject) == ("mail_server", "127.0.0.1")
    assert "530" not in alert.message or "Authentication" in alert.message


async def test_a_server_that_is_not_there_for_minutes_is_told_to_operators(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    world.settings = Mail(f"smtp://127.0.0.1:{port}?helo=club.example")
    for tries in (1, 2):
        assert (await world.carry(tries=tries)).outcome == "failed"
        assert await world.alerts() == []
    assert (await world.carry(tries=3)).outcome == "failed"
    [alert] = await world.alerts()
    assert (alert.kind, alert.subject) == ("mail_server", "127.0.0.1")
    assert alert.message.startswith("connect: ")


async def test_a_server_that_is_away_is_told_though_no_letter_has_come_to_its_second_try(
    world: World,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = Postbox(server_of(f"smtp://127.0.0.1:{port}?helo=club.example"))
    world.carrier = MailCarrier(
        world.ledger, world.settings, world.asked, world.waits, postbox=nowhere, patience_s=0
    )
    assert (await world.carry()).outcome == "failed"
    assert await world.alerts() == []
    there, nowhere.server = nowhere.server, server_of(world.settings.smtp_url or "")
    assert (await world.carry()).outcome == "sent"
    nowhere.server = there
    await nowhere.close()
    assert (await world.carry()).outcome == "failed"
    assert await world.alerts() == [], "it has been there meanwhile"
    assert (await world.carry()).outcome == "failed"
    [alert] = await world.alerts()
    assert (alert.kind, alert.subject) == ("mail_server", "127.0.0.1")


async def test_operators_are_told_in_english_where_there_are_no_texts_in_the_economys_language(
    world: World,
) -> None:
    world.notices = replace_in(NOTICES, language="fr")
    done = await world.carry(Kind.OPERATOR_ALERT, None, address="ops@club.example")
    assert done.outcome == "sent"
    assert await world.alerts() == []
    [letter] = world.there.letters
    assert letter["Content-Language"] == "en"


async def test_greylisting_is_nobodys_alert(world: World) -> None:
    world.there.rcpt = lambda _: "451 4.7.1 later"
    done = await world.carry(tries=9)
    assert (done.outcome, done.status) == ("failed", 451)
    assert await world.alerts() == []


@pytest.mark.parametrize(
    "wrong", [{"smtp_url": None}, {"mail_from": ""}, {"templates": Path("/nowhere")}]
)
async def test_a_carrier_that_could_not_send_is_not_made(
    ledger: Ledger, wrong: dict[str, Any]
) -> None:
    world = World(ledger, replace(Mail("smtp://127.0.0.1"), **wrong), Office())
    with pytest.raises(Invalid) as caught:
        await world.carry()
    assert caught.value.code == "setting_invalid"

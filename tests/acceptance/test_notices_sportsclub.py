"""The sports club tells its members, in the inbox and by mail, and its machines (N1-N5, A).

A spring in which Bo joins on the sixteenth, Uma has enough of letters, Max's address is nobody's,
Eve has none, and what May brought is taken back.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Debit
from tests.acceptance.outside import Letter, Outside, telling_world
from tests.acceptance.world import World, at, example

CLUB = example("sportsclub", ("starts = 2026-01-01", "starts = 2026-03-01"))
BRITISH = {"locale": "en-GB", "time_zone": "Europe/London", "verified": True}
GERMAN = {"locale": "de-DE", "time_zone": "Europe/Berlin", "verified": True}
SINCE = at(2026, 2, 1)
MEMBERS = (
    HolderChange(
        "ada", username="Ada", email="ada@club.example", subscription_start=SINCE, **BRITISH
    ),
    HolderChange(
        "jo", username="Jörg", email="jo@club.example", subscription_start=SINCE, **GERMAN
    ),
    HolderChange("eve", username="Eve", subscription_start=SINCE, **BRITISH),
    HolderChange("uma", email="uma@club.example", subscription_start=SINCE, **BRITISH),
    HolderChange("max", email="max@club.example", subscription_start=SINCE, **GERMAN),
)
VOICE = {"actor": "ann", "reason": "May was given by mistake"}


@pytest.fixture
async def spring(database: Any) -> AsyncIterator[tuple[World, Outside]]:
    """Let three months pass."""
    async with telling_world(database) as (world, outside):
        outside.post.rcpt = nobody_is_max
        world.to(at(2026, 2, 20))
        await world.apply(CLUB)
        await world.enrol(MEMBERS)
        await world.run_until(at(2026, 3, 3, 9))
        await world.enrol(
            [
                HolderChange(
                    "bo",
                    username="Bo",
                    email="bo@club.example",
                    subscription_start=world.now,
                    **BRITISH | {"verified": False},
                )
            ]
        )
        await world.run_until(at(2026, 3, 10))
        [deposit] = outside.letters("uma@club.example")[1:]
        assert await world.notices.unsubscribe(deposit.token) == ("uma", "deposit")
        await world.run_until(at(2026, 3, 16, 9))
        await world.enrol([HolderChange("bo", verified=True)])
        await world.work()
        await world.run_until(at(2026, 4, 4, 12))
        await world.post([Debit(holder="ada", asset="coins", amount=20_000, reference="order:1")])
        await world.work()
        await world.run_until(at(2026, 5, 5, 12))
        await take_back(world, "2026-05")
        await world.run_until(at(2026, 5, 20))
        yield world, outside


def nobody_is_max(address: str) -> str | None:
    return "550 5.1.1 no such mailbox" if address.startswith("max") else None


async def take_back(world: World, period: str) -> None:
    [(run_id,)] = world.rows("select run_id from bursar.runs where period_key = %s", period)
    await world.programs.runs.revert(run_id, "debt", **VOICE)
    await world.work()


async def inbox(world: World, holder: str) -> list[tuple[str, str, str]]:
    """What a member is shown, by when it happened: id, and the two lines."""
    page = await world.notices.inboxes.page(holder)
    found = sorted(page.items, key=lambda notice: notice.happened_at)
    lines = await world.notices.shown(holder, found)
    return [
        (str(notice.notice_id), line.subject, line.summary)
        for notice, line in zip(found, lines, strict=True)
    ]


def story(letters: list[Letter]) -> list[tuple[datetime, str]]:
    return [(letter.came, letter.subject) for letter in letters]


async def test_each_fact_has_one_id_in_the_inbox_in_the_mail_and_on_the_wire(
    spring: tuple[World, Outside],
) -> None:
    world, outside = spring
    told = Counter(fact.notice_id for fact in outside.facts())
    shown: Counter[str] = Counter()
    for member in ("ada", "jo", "eve", "uma", "max", "bo"):
        ids = [notice_id for notice_id, _, _ in await inbox(world, member)]
        assert {f.notice_id for f in outside.facts() if f.holder == member} == set(ids)
        letters = [letter.notice_id for letter in outside.letters(f"{member}@club.example")]
        assert set(letters) <= set(ids)
        assert len(letters) == {"uma": 5, "max": 0, "eve": 0}.get(member, len(ids))
        shown.update(ids)
    # a reminder and a deposit of each month, and the correction: for five, and for who came later
    assert len(shown) == 5 * 7 + 6
    assert shown == told
    assert set(shown.values()) == {1}


async def test_letters_read_as_a_person_would_have_them(spring: tuple[World, Outside]) -> None:
    _, outside = spring
    german = outside.letters("jo@club.example")
    assert german[0].subject == "50.000 Münzen am 1. März 2026"
    assert german[0].text == (
        "Hallo Jörg,\n\n"
        "Am 1. März 2026 um 01:00 MEZ bekommst du voraussichtlich 50.000 Münzen."
        " Das ist der Betrag nach heutigem Stand.\n\n"
        "Du musst nichts weiter tun.\n\n"
        "-- \n"
        "Sports Club schickt dir diese Nachricht, weil sie dein Guthaben betrifft.\n"
        "Keine E-Mails dieser Art mehr: LINK\n"
    )
    assert german[3].subject == "Du hast 50.000 Münzen erhalten"
    assert german[3].text == (
        "Hallo Jörg,\n\n"
        "Du hast 50.000 Münzen erhalten (April 2026)."
        " Dein Guthaben beträgt jetzt 100.000 Münzen.\n\n"
        "-- \n"
        "Sports Club schickt dir diese Nachricht, weil sie dein Guthaben betrifft.\n"
        "Keine E-Mails dieser Art mehr: LINK\n"
    )
    joined, *_, corrected = outside.letters("bo@club.example")
    assert joined.mail["From"] == "Sports Club <coins@club.example>"
    assert joined.mail["To"] == "Bo <bo@club.example>"
    assert joined.subject == "You have received 25,806 coins"
    assert joined.text == (
        "Hello Bo,\n\n"
        "You have received 25,806 coins for March 2026. Your balance is now 25,806 coins.\n\n"
        "-- \n"
        "Sports Club sends you this because it concerns your balance.\n"
        "No more e-mails of this kind: LINK\n"
    )
    assert corrected.subject == "Correction: −50,000 coins"
    assert corrected.text == (
        "Hello Bo,\n\n"
        "A correction has taken 50,000 coins from your account."
        " Your balance is now 75,806 coins.\n\n"
        "If this does not look right to you, please get in touch with Sports Club.\n\n"
        "-- \n"
        "Sports Club sends you this because it concerns your balance.\n"
        "No more e-mails of this kind: LINK\n"
    )
    html = joined.mail.get_body(("html",))
    assert html is not None
    assert "+25,806 coins" in html.get_content()


async def test_letters_come_by_day_where_the_member_lives_and_reminders_three_days_ahead(
    spring: tuple[World, Outside],
) -> None:
    """Midnight in London is night: a letter waits until seven, which in Berlin is an hour sooner.

    April begins at 23:00 UTC; three days before that London puts its clocks forward.
    """
    _, outside = spring
    assert story(outside.letters("jo@club.example")) == [
        (at(2026, 2, 26, 6), "50.000 Münzen am 1. März 2026"),
        (at(2026, 3, 1, 6), "Du hast 50.000 Münzen erhalten"),
        (at(2026, 3, 29, 5), "50.000 Münzen am 1. April 2026"),
        (at(2026, 4, 1, 5), "Du hast 50.000 Münzen erhalten"),
        (at(2026, 4, 28, 5), "50.000 Münzen am 1. Mai 2026"),
        (at(2026, 5, 1, 5), "Du hast 50.000 Münzen erhalten"),
        (at(2026, 5, 5, 12), "Korrektur: −50.000 Münzen"),
    ]
    assert story(outside.letters("bo@club.example")) == [
        (at(2026, 3, 16, 9), "You have received 25,806 coins"),
        (at(2026, 3, 29, 6), "50,000 coins on 1 April 2026"),
        (at(2026, 4, 1, 6), "You have received 50,000 coins"),
        (at(2026, 4, 28, 6), "50,000 coins on 1 May 2026"),
        (at(2026, 5, 1, 6), "You have received 50,000 coins"),
        (at(2026, 5, 5, 12), "Correction: −50,000 coins"),
    ]
    ahead = [fact.happened_at for fact in outside.facts("reminder") if fact.holder == "jo"]
    assert ahead == ["2026-02-26T00:00:00Z", "2026-03-28T23:00:00Z", "2026-04-27T23:00:00Z"]


async def test_who_has_ended_a_kind_by_its_link_gets_the_others_and_all_in_the_inbox(
    spring: tuple[World, Outside],
) -> None:
    world, outside = spring
    letters = outside.letters("uma@club.example")
    assert [letter.subject for letter in letters] == [
        "50,000 coins on 1 March 2026",
        "You have received 50,000 coins",
        "50,000 coins on 1 April 2026",
        "50,000 coins on 1 May 2026",
        "Correction: −50,000 coins",
    ]
    assert [(subject, summary) for _, subject, summary in await inbox(world, "uma")][3] == (
        "You have received 50,000 coins",
        "Your balance is now 100,000 coins.",
    )


async def test_an_address_that_is_nobodys_is_tried_once_and_an_inbox_needs_none(
    spring: tuple[World, Outside],
) -> None:
    world, outside = spring
    assert outside.letters("max@club.example") == outside.letters("eve@club.example") == []
    outcomes = world.rows(
        "select d.note, count(*), sum(d.attempts)::int from bursar.deliveries d"
        " join bursar.holder_ids i using (holder_id)"
        " where i.external_id = 'max' and d.channel = 'email' group by 1 order by 1"
    )
    assert outcomes == [("bounced", 1, 1), ("bounced before", 6, 6)]
    [bounce] = (await world.notices.bounces.list(holder="max")).items
    assert (bounce.status, bounce.detail) == (550, "recipient: 5.1.1 no such mailbox")
    mine = [(subject, summary) for _, subject, summary in await inbox(world, "eve")]
    assert mine[-2:] == [
        ("You have received 50,000 coins", "Your balance is now 150,000 coins."),
        ("Correction: −50,000 coins", "Your balance is now 100,000 coins."),
    ]
    assert len(await inbox(world, "max")) == len(mine) == 7


async def test_whoever_had_spent_it_is_told_what_the_correction_leaves(
    spring: tuple[World, Outside],
) -> None:
    world, outside = spring
    balances = {fact.holder: fact.data["balance"] for fact in outside.facts("corrected")}
    assert balances == world.balances()
    assert balances["ada"] == 80_000
    assert {fact.data["amount"] for fact in outside.facts("corrected")} == {-50_000}


async def test_nothing_is_left_over_and_the_books_are_sound(spring: tuple[World, Outside]) -> None:
    world, outside = spring
    states = dict(world.rows("select state, count(*) from bursar.deliveries group by 1"))
    assert states == {"sent": len(outside.letters()) + outside.requests(), "dropped": 7}
    dispatches = (await world.notices.dispatches.list()).items
    assert {dispatch.state for dispatch in dispatches} == {"finished"}
    await world.assert_sound(given=5 * 100_000 + 50_000 + 25_806, spent=20_000)

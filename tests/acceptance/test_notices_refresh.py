"""The refresh tells its holders, each on a day of their own, and its operators (N1-N5, E, P8).

Ada spends nearly all of it, Jo moves up, Cy does not pay, Bo came later, Eve's wallet is full.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import MAX_AMOUNT, Credit, Debit
from tests.acceptance.outside import Outside, telling_world
from tests.acceptance.world import World, at, example

OPS = "ops@refresh.example"
PLAN = example(
    "refresh",
    ("stagger = true\n", ""),  # the first refresh is thirty days after the account's creation
    ('product = "Refresh"\n', f'product = "Refresh"\noperators = ["{OPS}"]\n'),
)
BEGIN = at(2026, 1, 1, 8)
BRITISH = {"locale": "en-GB", "time_zone": "Europe/London"}
GERMAN = {"locale": "de-DE", "time_zone": "Europe/Berlin"}


def user(name: str, **said: Any) -> HolderChange:
    return HolderChange(
        name, username=name.title(), email=f"{name}@refresh.example", tier="free", **said
    )


@pytest.fixture
async def winter(database: Any) -> AsyncIterator[tuple[World, Outside]]:
    """Let nine weeks pass."""
    async with telling_world(database) as (world, outside):
        world.to(BEGIN)
        await world.apply(PLAN)
        await world.enrol(
            [user("ada", **BRITISH), user("jo", **GERMAN), user("cy", **GERMAN), user("eve")]
        )
        full = Credit(
            holder="eve", asset="credits", amount=MAX_AMOUNT, reference="full", kind="adjust"
        )
        await world.post([full])
        await world.work()
        await world.run_until(at(2026, 1, 6, 15, 30))
        await world.enrol([user("bo", **BRITISH)])
        await world.work()
        await world.run_until(at(2026, 1, 20))
        await world.enrol([HolderChange("cy", status="past_due")])
        await world.run_until(at(2026, 2, 7, 12))
        for number, amount in enumerate((900, 20, 10)):  # down to 100, below it, and further
            order = Debit(holder="ada", asset="credits", amount=amount, reference=f"o:{number}")
            await world.post([order])
            await world.work()
        await world.enrol([HolderChange("jo", tier="pro")])
        await world.work()
        await world.run_until(at(2026, 3, 3, 9))
        again = Debit(holder="ada", asset="credits", amount=1_000, reference="o:4")
        await world.post([again])
        await world.work()
        await world.run_until(at(2026, 3, 8))
        yield world, outside


def story(outside: Outside, name: str) -> list[tuple[datetime, str]]:
    letters = outside.letters(f"{name}@refresh.example")
    return [(letter.came, letter.subject) for letter in letters]


async def test_everybody_is_told_on_a_day_of_their_own_and_reminded_three_days_before(
    winter: tuple[World, Outside],
) -> None:
    _, outside = winter
    assert story(outside, "ada") == [
        (at(2026, 1, 28, 8), "1,000 credits on 31 January 2026"),
        (at(2026, 1, 31, 8), "Your new cycle: 1,000 credits"),
        (at(2026, 2, 7, 12), "Your balance is down to 80 credits"),
        (at(2026, 2, 27, 8), "1,000 credits on 2 March 2026"),
        (at(2026, 3, 2, 8), "Your new cycle: 1,000 credits"),
        (at(2026, 3, 3, 9), "Your balance is down to 70 credits"),
    ]
    assert story(outside, "bo") == [
        (at(2026, 2, 2, 15, 30), "1,000 credits on 5 February 2026"),
        (at(2026, 2, 5, 15, 30), "Your new cycle: 1,000 credits"),
        (at(2026, 3, 4, 15, 30), "1,000 credits on 7 March 2026"),
        (at(2026, 3, 7, 15, 30), "Your new cycle: 1,000 credits"),
    ]


async def test_a_higher_tier_is_told_as_that_and_foreseen_from_then_on(
    winter: tuple[World, Outside],
) -> None:
    _, outside = winter
    assert story(outside, "jo") == [
        (at(2026, 1, 28, 8), "1.000 Credits am 31. Januar 2026"),
        (at(2026, 1, 31, 8), "Dein neuer Zyklus: 1.000 Credits"),
        (at(2026, 2, 7, 12), "Dein neues Abo: 19.000 Credits mehr"),
        (at(2026, 2, 27, 8), "20.000 Credits am 2. März 2026"),
        (at(2026, 3, 2, 8), "Dein neuer Zyklus: 20.000 Credits"),
    ]
    assert outside.letters("jo@refresh.example")[2].text == (
        "Hallo Jo,\n\n"
        "Dein Abo hat sich geändert. Für den laufenden Zyklus hast du die Differenz erhalten:"
        " 19.000 Credits. Dein Guthaben beträgt jetzt 20.000 Credits.\n\n"
        "-- \n"
        "Refresh schickt dir diese Nachricht, weil sie dein Guthaben betrifft.\n"
        "Keine E-Mails dieser Art mehr: LINK\n"
    )


async def test_whose_subscription_is_not_paid_is_told_why_once_for_each_occurrence(
    winter: tuple[World, Outside],
) -> None:
    """And not reminded of what will not come."""
    world, outside = winter
    assert story(outside, "cy") == [
        (at(2026, 1, 31, 8), "Diesmal keine Credits"),
        (at(2026, 3, 2, 8), "Diesmal keine Credits"),
    ]
    failed = outside.letters("cy@refresh.example")[0]
    assert failed.text == (
        "Hallo Cy,\n\n"
        "Du hast für den Zyklus ab 31. Januar 2026 keine Credits erhalten."
        " Der Grund: dein Abo ist nicht aktiv.\n\n"
        "Sobald sich das geändert hat, bist du wieder dabei.\n\n"
        "-- \n"
        "Refresh schickt dir diese Nachricht, weil sie dein Guthaben betrifft.\n"
        "Keine E-Mails dieser Art mehr: LINK\n"
    )
    shown = (await world.notices.inboxes.page("cy")).items
    assert [notice.data["period"] for notice in shown] == ["2026-03-02", "2026-01-31"]
    facts = [fact for fact in outside.facts("refresh_failed") if fact.holder == "cy"]
    assert [fact.notice_id for fact in facts[::-1]] == [str(notice.notice_id) for notice in shown]
    assert {fact.data["reason"] for fact in facts} == {"subscription"}


async def test_a_low_balance_is_told_when_it_falls_below_the_mark_and_not_again_below_it(
    winter: tuple[World, Outside],
) -> None:
    _, outside = winter
    low = outside.facts("low_balance")
    assert [(fact.holder, fact.data["balance"]) for fact in low] == [("ada", 80), ("ada", 70)]
    assert [fact.happened_at for fact in low] == ["2026-02-07T12:00:00Z", "2026-03-03T09:00:00Z"]


async def test_operators_hear_of_awards_that_keep_failing_and_each_morning_of_the_day_before(
    winter: tuple[World, Outside],
) -> None:
    """Eve's has failed at once, a minute and five minutes later; then on two days more."""
    _, outside = winter
    letters = [(letter.came, letter.subject) for letter in outside.letters(OPS)]
    assert letters[:2] == [
        (at(2026, 1, 31, 8, 5), "Refresh: awards failing (run_1)"),
        (at(2026, 2, 1), "Refresh: failed awards, 2026-01-31"),
    ]
    subjects = [subject for _, subject in letters]
    assert len(set(subjects)) == len(subjects)
    assert "Refresh: failed awards, 2026-03-02" in subjects
    told = [fact for fact in outside.facts() if fact.holder is None]
    assert [fact.notice_id for fact in told] == [
        letter.notice_id for letter in outside.letters(OPS)
    ]
    alert = outside.letters(OPS)[0]
    assert alert.mail["List-Unsubscribe"] is None
    assert alert.text.endswith(
        "This stays open until somebody closes it. The command bursar alerts lists what is open.\n"
        "\n-- \n"
        "You receive this because your address is among the operators of Refresh.\n"
    )
    assert "eve" not in " ".join(letter.text for letter in outside.letters(OPS)).lower()


async def test_nothing_is_told_twice_and_nothing_is_left_over(
    winter: tuple[World, Outside],
) -> None:
    world, outside = winter
    ids = [fact.notice_id for fact in outside.facts()]
    assert len(set(ids)) == len(ids)
    assert {letter.notice_id for letter in outside.letters()} == set(ids)
    assert world.rows("select distinct state from bursar.deliveries") == [("sent",)]
    given = 2 * 1_000 + 1_000 + 19_000 + 20_000 + 2 * 1_000
    assert sum(world.balances().values()) == MAX_AMOUNT + given - 930 - 1_000
    assert (await world.ledger.verify()).ok

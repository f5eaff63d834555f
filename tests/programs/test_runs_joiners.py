"""Who joins, leaves and comes back in the middle of a period; runs that are late (P4)."""

from datetime import timedelta
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.programs.model import Amount, Calendar, Once, Proration
from bursar.programs.service import Programs
from tests.programs.scenes import (
    amounts,
    balance,
    do_chunks,
    enrol,
    given,
    last_run,
    plan_small,
    sound,
    states,
    utc,
)

SUBSCRIBED = {"inactive": 'holder.status == "active"', "unverified": "holder.verified"}


@pytest.fixture
async def march(programs: Programs, clock: Any, put: Any) -> None:
    """March has been paid to ``old``; joiners are paid by the day."""
    clock(2026, 2, 20)
    await put(proration=Proration(), who=SUBSCRIBED)
    await enrol(programs, "old", verified=True)
    clock(2026, 3, 1)
    await programs.do_all_due()


@pytest.mark.usefixtures("march")
async def test_from_the_sixteenth_of_march_it_is_sixteen_thirty_firsts_rounded_down(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 16, 9)
    await enrol(programs, "ada", verified=True)
    await programs.do_all_due()
    await programs.do_all_due()
    assert await given(ledger, "ada") == [("monthly:2026-03", 25_806)]
    page = await programs.history("ada")
    assert page[0].metadata["proration"] | {"since": ""} == {
        "whole": 50_000,
        "part": 16,
        "of": 31,
        "by": "days",
        "rounding": "down",
        "since": "",
    }
    clock(2026, 4, 1)
    await programs.do_all_due()
    assert await amounts(ledger, "ada", "old") == [[25_806, 50_000], [50_000, 50_000]]
    await sound(ledger)


@pytest.mark.usefixtures("march")
async def test_subscribed_on_the_third_and_verified_on_the_sixteenth_counts_from_the_sixteenth(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    at = clock(2026, 3, 3)
    await enrol(programs, "ada", subscription_start=at)
    await programs.do_all_due()
    assert await given(ledger, "ada") == []
    clock(2026, 3, 16)
    await enrol(programs, "ada", verified=True)
    await programs.do_all_due()
    assert await amounts(ledger, "ada") == [[25_806]]
    await sound(ledger)


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("holder", ["old", "joined"])
async def test_who_cancels_and_resubscribes_in_one_period_is_paid_no_second_time(
    holder: str, programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 5)
    await enrol(programs, "joined", verified=True)
    await programs.do_all_due()
    before = await given(ledger, holder)
    assert len(before) == 1
    for day in (8, 12):
        clock(2026, 3, day)
        await enrol(programs, holder, status="canceled")
        await programs.do_all_due()
        at = clock(2026, 3, day + 2)
        await enrol(programs, holder, status="active", subscription_start=at)
        await programs.do_all_due()
    assert await given(ledger, holder) == before
    await sound(ledger)


@pytest.mark.usefixtures("march")
async def test_who_returns_in_a_period_already_paid_waits_for_the_next_and_has_it_in_full(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 20)
    await enrol(programs, "old", status="canceled")
    clock(2026, 4, 1)
    await programs.do_all_due()
    clock(2026, 4, 10)
    await enrol(programs, "old", status="active")
    await programs.do_all_due()
    assert (await last_run(programs)).progress.excluded == {"returns_next_period": 1}
    assert await amounts(ledger, "old") == [[50_000]]
    clock(2026, 5, 1)
    await programs.do_all_due()
    assert await amounts(ledger, "old") == [[50_000, 50_000]]
    await sound(ledger)


@pytest.mark.usefixtures("march")
async def test_a_subscription_that_begins_later_is_paid_from_the_day_it_begins(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 10)
    await enrol(programs, "ada", verified=True, subscription_start=utc(2026, 3, 16, 12))
    await programs.do_all_due()
    clock(2026, 3, 16, 11, 59)
    await programs.do_all_due()
    assert await given(ledger, "ada") == []
    clock(2026, 3, 16, 12)
    await programs.do_all_due()
    assert await amounts(ledger, "ada") == [[25_806]]
    await sound(ledger)


@pytest.mark.usefixtures("march")
async def test_a_subscription_that_begins_while_the_period_turns_is_paid_in_full(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 10)
    await enrol(programs, "ada", verified=True, subscription_start=utc(2026, 4, 1))
    clock(2026, 4, 1)
    await programs.do_all_due()
    clock(2026, 4, 2)
    await programs.do_all_due()
    assert await amounts(ledger, "ada") == [[50_000]]
    await sound(ledger)


@pytest.mark.usefixtures("march")
async def test_an_old_subscriber_imported_after_the_run_is_paid_in_full(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 16)
    long_ago = utc(2025, 1, 1)
    await enrol(programs, "ada", verified=True, created_at=long_ago, subscription_start=long_ago)
    await programs.do_all_due()
    assert await amounts(ledger, "ada") == [[50_000]]
    await sound(ledger)


@pytest.mark.parametrize("how", ["paused", "canceled", "reverted"])
async def test_who_joins_while_the_run_is_stopped_is_paid_once_when_it_goes_on(
    how: str, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(proration=Proration())
    await enrol(programs, "a", "b", "c")
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 1)
    await programs.runs.pause(run_id, actor="ann", reason="test")
    if how == "canceled":
        await programs.runs.cancel(run_id, actor="ann", reason="test")
    elif how == "reverted":
        await programs.runs.revert(run_id, "clip", actor="ann", reason="wrong")
    clock(2026, 3, 16)
    await enrol(programs, "late")
    await programs.do_all_due()
    assert await given(ledger, "late") == []
    clock(2026, 3, 18)
    if how == "paused":
        await programs.runs.resume(run_id, actor="ann", reason="test")
    else:
        await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    await programs.do_all_due()
    await programs.do_all_due()
    assert await amounts(ledger, "late") == [[25_806]]
    assert [await balance(ledger, one) for one in "abc"] == [50_000] * 3
    await sound(ledger)


async def test_a_change_between_a_run_and_its_chunk_neither_adds_nor_takes(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(
        proration=Proration(),
        who={"inactive": 'holder.status == "active"'},
        amount=Amount(by_tier={"gold": 900}, otherwise=310),
    )
    await enrol(programs, "leaves", "rises", "stays")
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    clock(2026, 3, 1, 0, 0, 1)
    await enrol(programs, "leaves", status="canceled")
    await enrol(programs, "rises", tier="gold")
    await enrol(programs, "joins")
    await programs.runs.work(run_id)
    await programs.do_all_due()
    assert await amounts(ledger, "leaves", "rises", "stays", "joins") == [[310]] * 4
    await sound(ledger)


@pytest.mark.parametrize("days_late", [0, 3, 20])
async def test_a_late_run_gives_what_a_punctual_one_would_have_given(
    days_late: int, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """Whoever left, rose or joined meanwhile is given as if the run had been on time."""
    clock(2026, 2, 20)
    await put(
        proration=Proration(),
        who={"inactive": 'holder.status == "active"', "unverified": "holder.verified"},
        amount=Amount(by_tier={"gold": 3_100, "basic": 310}),
    )
    people = ("stays", "leaves", "rises", "joins", "joins_and_rises", "returns", "never")
    await enrol(programs, *people[:3], tier="basic", verified=True)
    await enrol(programs, "returns", tier="basic", verified=True)
    clock(2026, 2, 25)
    await enrol(programs, "returns", status="canceled")
    scenes = [
        (utc(2026, 3, 1), None, {}),
        (utc(2026, 3, 2), "leaves", {"status": "canceled"}),
        (utc(2026, 3, 2), "rises", {"tier": "gold"}),
        (utc(2026, 3, 2), "joins", {"tier": "basic", "verified": True}),
        (utc(2026, 3, 2), "joins_and_rises", {"tier": "basic", "verified": True}),
        (utc(2026, 3, 3), "joins_and_rises", {"tier": "gold"}),
        (utc(2026, 3, 3), "returns", {"status": "active"}),
        (utc(2026, 3, 3), "never", {"tier": "gold"}),
    ]
    ticks_from = utc(2026, 3, 1) + timedelta(days=days_late)
    for at, holder, said in scenes:
        clock(at.year, at.month, at.day)
        if holder is not None:
            await enrol(programs, holder, **said)
        if at >= ticks_from:
            await programs.do_all_due()
    clock(2026, 3, 21)
    await programs.do_all_due()
    assert dict(zip(people, await amounts(ledger, *people), strict=True)) == {
        "stays": [310],
        "leaves": [310],
        "rises": [310],
        "joins": [300],
        "joins_and_rises": [300],
        "returns": [],
        "never": [],
    }
    await sound(ledger)


async def test_once_pays_those_who_join_after_it_began_once_and_not_those_before(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await enrol(programs, "before")
    clock(2026, 3, 1)
    await put("welcome", schedule=Once(), amount=Amount(fixed=7), who={"no": "holder.verified"})
    await programs.do_all_due()
    clock(2026, 3, 2)
    await enrol(programs, "before", verified=True)
    await enrol(programs, "after", verified=True)
    await enrol(programs, "imported", verified=True, created_at=utc(2025, 1, 1))
    await enrol(programs, "later")
    await programs.do_all_due()
    assert await amounts(ledger, "before", "after", "imported", "later") == [[], [7], [], []]
    clock(2026, 3, 9)
    await enrol(programs, "later", verified=True)
    await enrol(programs, "after", tier="gold")
    await programs.do_all_due()
    assert await amounts(ledger, "before", "after", "imported", "later") == [[], [7], [], [7]]
    assert await given(ledger, "after") == [("welcome:once", 7)]
    await sound(ledger)


async def test_the_week_and_the_day_are_paid_like_the_month(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put("weekly", schedule=Calendar(every="week"), amount=Amount(fixed=70))
    await put("daily", schedule=Calendar(every="day", at="06:00", zone="Asia/Tokyo"))
    await enrol(programs, "ada")
    for day in range(2, 17):
        clock(2026, 3, day, 3)
        await programs.do_all_due()
    references = [reference for reference, _ in await given(ledger, "ada")]
    assert [one for one in references if one.startswith("weekly")] == [
        "weekly:2026-W10",
        "weekly:2026-W11",
        "weekly:2026-W12",
    ]
    days = [one for one in references if one.startswith("daily")]
    assert days == [f"daily:2026-03-{day:02}" for day in range(2, 17)]
    assert {state for _, _, state in await states(programs, "daily")} == {"finished"}
    await sound(ledger)


async def test_who_joins_after_the_last_look_at_a_period_has_a_part_of_it_all_the_same(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """A worker that was away over the turn of the month takes nothing from anybody."""
    clock(2026, 2, 20)
    await put(proration=Proration())
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    clock(2026, 3, 31, 12)
    await enrol(programs, "bob")
    clock(2026, 4, 1, 0, 5)
    await enrol(programs, "eve", created_at=utc(2025, 1, 1))
    await programs.do_all_due()
    await programs.do_all_due()
    assert await amounts(ledger, "ada") == [[50_000, 50_000]]
    [bob] = await amounts(ledger, "bob")
    assert sorted(bob) == [50_000 // 31, 50_000]
    assert await amounts(ledger, "eve") == [[50_000]]
    await sound(ledger)

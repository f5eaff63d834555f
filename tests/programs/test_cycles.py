"""Rolling programs: each holder's own cycle, whatever comes late (P1, P3)."""

from datetime import timedelta
from typing import Any

from bursar.ledger import Ledger
from bursar.programs.model import Amount, Override, Rolling
from bursar.programs.service import Programs
from tests.programs.scenes import amounts, enrol, given, last_run, sound, states, utc

ACTIVE = {"inactive": 'holder.status == "active"'}


async def tick_at(programs: Programs, clock: Any, *when: int) -> None:
    clock(*when)
    await programs.do_all_due()


async def dates(ledger: Ledger, holder: str) -> list[str]:
    return [reference.split(":")[1] for reference, _ in await given(ledger, holder)]


async def left_out(programs: Programs) -> list[tuple[str | None, str, str]]:
    run_id = (await last_run(programs)).run.run_id
    found = await programs.runs.exclusions(run_id, limit=9)
    return sorted((one.holder, one.reason, one.period_key) for one in found)


async def test_twenty_four_late_occurrences_do_not_drift(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 1, 1, 9)
    await put(schedule=Rolling(days=30), amount=Amount(fixed=5))
    await enrol(programs, "ada")
    await programs.do_all_due()
    anchor = utc(2026, 1, 1, 9)
    for n in range(1, 25):
        late = anchor + timedelta(days=30 * n, hours=5 * (n % 12), minutes=7)
        await tick_at(programs, clock, *late.timetuple()[:5])
    expected = [(anchor + timedelta(days=30 * n)).date().isoformat() for n in range(1, 25)]
    assert await dates(ledger, "ada") == expected
    [following] = await programs.next_grants("ada")
    assert following.at == anchor + timedelta(days=30 * 25)
    await sound(ledger)


async def test_nobody_due_makes_no_run(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30))
    await enrol(programs, "ada")
    await programs.do_all_due()
    await tick_at(programs, clock, 2026, 3, 30, 23, 59)
    assert await states(programs) == []
    assert await programs.next_due() == utc(2026, 3, 31)
    await tick_at(programs, clock, 2026, 3, 31)
    await programs.do_all_due()
    assert len(await states(programs)) == 1


async def test_an_award_waits_until_the_minimum_has_passed_since_the_last(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, minimum_days=29))
    await enrol(programs, "ada")
    await programs.do_all_due()
    await tick_at(programs, clock, 2026, 4, 4)
    await tick_at(programs, clock, 2026, 4, 30)
    assert await dates(ledger, "ada") == ["2026-03-31"]
    assert (await last_run(programs)).progress.excluded == {"minimum_days": 1}
    await tick_at(programs, clock, 2026, 5, 2, 23, 59)
    assert await dates(ledger, "ada") == ["2026-03-31"]
    await tick_at(programs, clock, 2026, 5, 3)
    await tick_at(programs, clock, 2026, 6, 1)
    assert await dates(ledger, "ada") == ["2026-03-31", "2026-04-30", "2026-05-30"]
    await sound(ledger)


async def test_past_due_on_the_day_and_active_twelve_hours_later_is_paid_within_the_grace(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, grace_days=31), who=ACTIVE)
    await enrol(programs, "in_time", "too_late")
    await programs.do_all_due()
    clock(2026, 3, 30)
    await enrol(programs, "in_time", "too_late", status="past_due")
    await tick_at(programs, clock, 2026, 3, 31)
    assert (await last_run(programs)).progress.excluded == {"inactive": 2}
    clock(2026, 3, 31, 12)
    await enrol(programs, "in_time", status="active")
    await programs.do_all_due()
    assert await dates(ledger, "in_time") == ["2026-03-31"]
    await tick_at(programs, clock, 2026, 4, 1)
    clock(2026, 4, 1, 6)
    await enrol(programs, "too_late", status="active")
    await programs.do_all_due()
    assert await dates(ledger, "too_late") == []
    await tick_at(programs, clock, 2026, 4, 30)
    assert await dates(ledger, "in_time") == ["2026-03-31", "2026-04-30"]
    assert await dates(ledger, "too_late") == ["2026-04-30"]
    await sound(ledger)


async def test_who_is_left_out_is_kept_with_the_period_that_is_their_own(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """One run finds both, each on a date of their own zone; looked at again within the grace."""
    schedule = Rolling(days=30, grace_days=31, zone="Asia/Tokyo")
    clock(2026, 3, 1, 20)
    await put(schedule=schedule, who=ACTIVE, keep_reasons=("inactive", "paused"))
    await enrol(programs, "early", "paused", status="past_due")
    clock(2026, 3, 3, 10)
    await enrol(programs, "late", status="past_due")
    await programs.do_all_due()
    await programs.set_override(
        "monthly", "paused", Override(paused=True), actor="ann", reason="test"
    )
    await tick_at(programs, clock, 2026, 4, 2, 11)
    assert await left_out(programs) == [
        ("early", "inactive", "2026-04-01"),
        ("late", "inactive", "2026-04-02"),
        ("paused", "paused", "2026-04-01"),
    ]
    await tick_at(programs, clock, 2026, 4, 2, 12)
    assert await left_out(programs) == [("late", "inactive", "2026-04-02")]


async def test_of_a_calendar_the_period_of_who_is_left_out_is_the_runs(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(who=ACTIVE, keep_reasons=("inactive",))
    await enrol(programs, "ada", status="past_due")
    await tick_at(programs, clock, 2026, 4, 1)
    assert await left_out(programs) == [("ada", "inactive", "")]


async def test_an_amount_a_pause_and_a_day_of_ones_own(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30), amount=Amount(fixed=100))
    await enrol(programs, "amount", "pause", "day", "all")
    await programs.do_all_due()
    own = {
        "amount": Override(amount=7),
        "pause": Override(paused=True),
        "day": Override(refresh_day=31),
    }
    for holder, override in own.items():
        await programs.set_override("monthly", holder, override, actor="ann", reason="test")
    for month, day in ((3, 31), (4, 30), (5, 31), (6, 30)):
        await tick_at(programs, clock, 2026, month, day)
    assert await amounts(ledger, "amount", "pause", "all") == [[7, 7, 7, 7], [], [100] * 4]
    assert await dates(ledger, "day") == ["2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]
    assert await dates(ledger, "all") == ["2026-03-31", "2026-04-30", "2026-05-30", "2026-06-29"]
    await programs.set_override("monthly", "pause", Override(), actor="ann", reason="test")
    await tick_at(programs, clock, 2026, 7, 29)
    assert await dates(ledger, "pause") == ["2026-07-29"]
    await sound(ledger)


async def test_a_tier_with_another_interval_counts_from_the_last_occurrence(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, days_by_tier={"weekly": 7}))
    await enrol(programs, "ada")
    await programs.do_all_due()
    await tick_at(programs, clock, 2026, 3, 31)
    clock(2026, 4, 3)
    await enrol(programs, "ada", tier="weekly")
    for day in (4, 7, 14, 21):
        await tick_at(programs, clock, 2026, 4, day)
    clock(2026, 4, 22)
    await enrol(programs, "ada", tier="slow")
    await programs.do_all_due()
    await tick_at(programs, clock, 2026, 5, 21)
    assert await dates(ledger, "ada") == [
        "2026-03-31",
        "2026-04-07",
        "2026-04-14",
        "2026-04-21",
        "2026-05-21",
    ]
    await sound(ledger)


async def test_a_tier_that_changes_when_an_award_is_due_neither_loses_it_nor_moves_the_cycle(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """Before the tick, and between the run and its chunk, in both directions."""
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, days_by_tier={"weekly": 7}))
    await enrol(programs, "slower", "slower_late", tier="weekly")
    await enrol(programs, "quicker", "quicker_late")
    await programs.do_all_due()
    for day in (8, 15, 22, 29):
        await tick_at(programs, clock, 2026, 3, day)
    await tick_at(programs, clock, 2026, 3, 31)
    for n in range(1, 4):
        await tick_at(programs, clock, 2026, 4, 5 + 7 * (n - 1))
    # due next: the weekly ones on 26 April, the others on 30 April
    clock(2026, 4, 26, 1)
    await enrol(programs, "slower", tier="")
    await programs.tick()
    await enrol(programs, "slower_late", tier="")
    await programs.do_all_due()
    clock(2026, 4, 30, 1)
    await enrol(programs, "quicker", tier="weekly")
    await programs.tick()
    await enrol(programs, "quicker_late", tier="weekly")
    await programs.do_all_due()
    for slower in ("slower", "slower_late"):
        assert (await dates(ledger, slower))[-1] == "2026-04-26", slower
        assert (await programs.next_grants(slower))[0].at == utc(2026, 5, 26), slower
    for quicker in ("quicker", "quicker_late"):
        assert (await dates(ledger, quicker))[-1] == "2026-04-30", quicker
        assert (await programs.next_grants(quicker))[0].at == utc(2026, 5, 7), quicker
    await sound(ledger)


async def test_a_billing_date_that_comes_later_begins_the_cycle(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, anchor="billing"))
    await enrol(programs, "ada")
    await programs.do_all_due()
    [none] = await programs.next_grants("ada")
    assert none.at is None
    clock(2026, 3, 10)
    await enrol(programs, "ada", billing_anchor=utc(2026, 3, 5, 8))
    await tick_at(programs, clock, 2026, 3, 11)
    await tick_at(programs, clock, 2026, 4, 4, 7)
    assert await dates(ledger, "ada") == []
    await tick_at(programs, clock, 2026, 4, 4, 8)
    assert await dates(ledger, "ada") == ["2026-04-04"]
    await sound(ledger)


async def test_who_is_new_has_a_cycle_with_the_next_tick_and_is_paid_at_once_if_so_said(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, at_once=True))
    await put("later", schedule=Rolling(days=30))
    clock(2026, 3, 9, 7)
    await enrol(programs, "ada")
    await tick_at(programs, clock, 2026, 3, 9, 8)
    assert await given(ledger, "ada") == [("monthly:2026-03-09", 50_000)]
    at = {one.program: one.at for one in await programs.next_grants("ada")}
    assert at == {"monthly": utc(2026, 4, 8, 7), "later": utc(2026, 4, 8, 7)}
    await sound(ledger)


async def test_who_is_erased_is_given_nothing_more_and_asked_about_once_an_occurrence(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30, minimum_days=29))
    await enrol(programs, "ada", "bob")
    await programs.do_all_due()
    await tick_at(programs, clock, 2026, 4, 4)
    await programs.holders.erase("ada", actor="ann", reason="asked", with_credit=True)
    for day in (30, 30, 30):
        await tick_at(programs, clock, 2026, 4, day)
    runs = await states(programs)
    assert len(runs) == 2
    await tick_at(programs, clock, 2026, 5, 3)
    assert await dates(ledger, "bob") == ["2026-03-31", "2026-04-30"]
    assert (await last_run(programs)).progress.awarded == 1
    await sound(ledger)

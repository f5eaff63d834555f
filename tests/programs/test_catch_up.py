"""After a downtime, and after a change of schedule: no period twice, none lost (P5, P9)."""

from itertools import pairwise
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.errors import Conflict, Missing, Rejected
from bursar.programs.model import Amount, Calendar, Claim, Proration, Rolling
from bursar.programs.service import Programs
from tests.programs.scenes import amounts, enrol, given, sound, states


@pytest.mark.parametrize(
    ("policy", "paid", "skipped"),
    [
        ("all", ["03", "04", "05", "06", "07"], []),
        ("latest", ["03", "07"], ["04", "05", "06"]),
        ("skip", ["03"], ["04", "05", "06", "07"]),
    ],
)
async def test_missed_months_are_paid_as_the_policy_says_and_the_rest_is_on_record(
    policy: Any,
    paid: list[str],
    skipped: list[str],
    programs: Programs,
    ledger: Ledger,
    clock: Any,
    put: Any,
) -> None:
    clock(2026, 2, 20)
    await put(catch_up=policy)
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    clock(2026, 7, 3)
    await programs.do_all_due()
    await programs.do_all_due()
    assert await given(ledger, "ada") == [(f"monthly:2026-{m}", 50_000) for m in paid]
    recorded = [key for _, key, state in await states(programs) if state == "skipped"]
    assert recorded == [f"2026-{m}" for m in skipped]
    for month in skipped:
        await programs.runs.start("monthly", f"2026-{month}", actor="ann", reason="after all")
    await programs.do_all_due()
    assert sorted(await given(ledger, "ada")) == [
        (f"monthly:2026-{m}", 50_000) for m in ("03", "04", "05", "06", "07")
    ]
    if skipped:
        with pytest.raises(Conflict):
            await programs.runs.start("monthly", f"2026-{skipped[0]}", actor="ann", reason="x")
    clock(2026, 8, 1)
    await programs.do_all_due()
    assert len(await given(ledger, "ada")) == 6
    await sound(ledger)


async def test_skip_still_pays_what_is_a_few_hours_late(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(catch_up="skip", late_hours=6)
    await enrol(programs, "ada")
    clock(2026, 3, 1, 6)
    await programs.do_all_due()
    clock(2026, 4, 1, 6, 0, 1)
    await programs.do_all_due()
    assert await given(ledger, "ada") == [("monthly:2026-03", 50_000)]


async def test_all_pays_each_month_by_what_was_then_in_force(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(
        catch_up="all",
        proration=Proration(),
        who={"inactive": 'holder.status == "active"'},
        amount=Amount(by_tier={"gold": 3_000}, otherwise=300),
    )
    await enrol(programs, "rises", "leaves")
    clock(2026, 4, 16)
    await enrol(programs, "rises", tier="gold")
    await enrol(programs, "joins")
    clock(2026, 5, 10)
    await enrol(programs, "leaves", status="canceled")
    clock(2026, 6, 2)
    await programs.do_all_due()
    assert await amounts(ledger, "rises", "leaves", "joins") == [
        [300, 300, 3_000, 3_000],
        [300, 300, 300],
        [150, 300, 300],
    ]
    await sound(ledger)


@pytest.mark.parametrize(
    ("policy", "days"),
    [
        ("all", ["03-31", "04-30", "05-30", "06-29", "07-29"]),
        ("latest", ["03-31", "07-29"]),
        ("skip", ["03-31"]),
    ],
)
async def test_missed_occurrences_are_paid_as_the_policy_says_and_the_cycle_stays(
    policy: Any, days: list[str], programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30), catch_up=policy)
    await enrol(programs, "ada")
    await programs.do_all_due()
    clock(2026, 3, 31)
    await programs.do_all_due()
    clock(2026, 8, 3)
    await programs.do_all_due()
    await programs.do_all_due()
    assert [reference for reference, _ in await given(ledger, "ada")] == [
        f"monthly:2026-{day}" for day in days
    ]
    clock(2026, 8, 28)
    await programs.do_all_due()
    assert (await given(ledger, "ada"))[-1] == ("monthly:2026-08-28", 50_000)
    await sound(ledger)


async def test_one_who_fails_in_several_occurrences_at_once_stops_nobody(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(
        schedule=Rolling(days=30),
        catch_up="all",
        amount=Amount(formula="100 / int(holder.attributes.parts)"),
    )
    await enrol(programs, "bad", attributes={"parts": 0})
    await enrol(programs, "good", attributes={"parts": 1})
    await programs.do_all_due()
    clock(2026, 5, 31)
    await programs.do_all_due()
    assert await amounts(ledger, "bad", "good") == [[], [100, 100, 100]]
    await enrol(programs, "bad", attributes={"parts": 2})
    clock(2026, 5, 31, 0, 1)
    await programs.do_all_due()
    assert await amounts(ledger, "bad", "good") == [[50, 50, 50], [100, 100, 100]]
    await sound(ledger)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("all", [1, 2, 3, 4, 5, 6]), ("latest", [1, 1]), ("skip", [1])],
)
async def test_missed_days_of_automatic_claims_are_settled_in_their_order(
    policy: Any, expected: list[int], programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """A later day settled before an earlier one would break every streak."""
    clock(2026, 3, 1)
    await put(
        "daily",
        schedule=Claim(automatic="everybody", by_hand=False),
        amount=Amount(formula="streak"),
        catch_up=policy,
    )
    await enrol(programs, *[f"h{n}" for n in range(3)])
    clock(2026, 3, 2)
    await programs.do_all_due()
    clock(2026, 3, 7, 12)
    await programs.do_all_due()
    for n in range(3):
        assert (await amounts(ledger, f"h{n}"))[0] == expected
    await sound(ledger)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            Calendar(every="month"),
            Calendar(every="month", day=15),
            [("2026-04-01T00:00Z", 14_000), ("2026-04", 31_000), ("2026-05", 31_000)],
        ),
        (
            Calendar(every="month"),
            Calendar(every="month", zone="America/New_York"),
            [("2026-04-01T00:00Z", 31_000), ("2026-05", 31_000)],
        ),
        (
            Calendar(every="month", zone="America/New_York"),
            Calendar(every="month", zone="Asia/Tokyo"),
            None,
        ),
        (Calendar(every="month"), Calendar(every="week"), None),
        (Calendar(every="week", day=3), Calendar(every="month", day=31), None),
        (Calendar(every="day"), Calendar(every="day", at="18:00", zone="Asia/Tokyo"), None),
    ],
)
async def test_after_a_change_of_schedule_periods_neither_overlap_nor_leave_a_gap(
    before: Calendar,
    after: Calendar,
    expected: Any,
    programs: Programs,
    ledger: Ledger,
    clock: Any,
    put: Any,
) -> None:
    clock(2026, 2, 20)
    assert await put(schedule=before, amount=Amount(fixed=31_000), catch_up="all") == 1
    await enrol(programs, "ada")
    clock(2026, 3, 20, 15)
    await programs.do_all_due()
    assert await put(schedule=after, amount=Amount(fixed=31_000), catch_up="all") == 2
    assert await put(schedule=after, amount=Amount(fixed=31_000), catch_up="all") == 2
    paid_before = len(await given(ledger, "ada"))
    clock(2026, 6, 1)
    await programs.do_all_due()
    runs = [report.run for report in await programs.runs.recent("monthly", limit=1_000)]
    periods = [run.period for run in reversed(runs) if run.kind.value == "scheduled"]
    for one, following in pairwise(periods):
        assert one.end == following.start
    assert len({period.key for period in periods}) == len(periods)
    assert sum(period.partial for period in periods) <= 1
    assert {run.version for run in runs} == {1, 2}
    if expected is not None:
        got = [(r.split(":", 1)[1], amount) for r, amount in await given(ledger, "ada")]
        assert got[paid_before : paid_before + len(expected)] == expected
    await sound(ledger)


async def test_a_period_of_the_new_schedule_that_overlaps_a_paid_one_cannot_be_started_by_name(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    await put(schedule=Calendar(every="month", day=15))
    clock(2026, 3, 16)
    for key in ("2026-02", "2026-03-01", "2025-12"):
        with pytest.raises(Missing) as caught:
            await programs.runs.start("monthly", key, actor="ann", reason="test")
        assert caught.value.code == "period_unknown"
    with pytest.raises(Conflict):
        await programs.runs.start("monthly", "2026-03", actor="ann", reason="test")
    assert len(await given(ledger, "ada")) == 1


async def test_a_program_that_comes_back_from_retirement_does_not_pay_for_its_absence(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(catch_up="all")
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    async with ledger.database.transaction() as connection:
        assert await programs.retire(connection, "monthly", actor="ann", reason="test")
    clock(2026, 6, 10)
    await programs.do_all_due()
    assert await put(catch_up="all") == 2
    await programs.do_all_due()
    assert len(await given(ledger, "ada")) == 1
    clock(2026, 7, 1)
    await programs.do_all_due()
    assert await given(ledger, "ada") == [("monthly:2026-03", 50_000), ("monthly:2026-07", 50_000)]
    await sound(ledger)


async def test_the_name_of_awards_cannot_be_changed_under_what_is_paid(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """Under another reference whoever changes in the period would be paid again (P5)."""
    clock(2026, 2, 20)
    await put()
    await put(reference="{program}:of:{period}")
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    with pytest.raises(Rejected) as caught:
        await put(reference="{program}:{period}")
    assert caught.value.code == "program_reference"
    clock(2026, 3, 2)
    await enrol(programs, "ada", tier="gold")
    await programs.do_all_due()
    assert await given(ledger, "ada") == [("monthly:of:2026-03", 50_000)]

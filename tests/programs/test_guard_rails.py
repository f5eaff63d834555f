"""Ceilings, a second person, switches: what must not be given is not (P10)."""

from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.errors import Conflict, Rejected
from bursar.programs.model import (
    Amount,
    Calendar,
    Claim,
    Limits,
    Once,
    Rolling,
    RunKind,
    RunState,
    Streak,
)
from bursar.programs.service import Programs
from tests.programs.scenes import amounts, enrol, given, last_run, plan_small, sound, states

PEOPLE = [f"h{n}" for n in range(6)]


async def open_alerts(programs: Programs) -> list[str]:
    return sorted(alert.kind for alert in await programs.alerts())


async def test_an_award_above_its_ceiling_is_set_aside_and_the_others_are_paid(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(amount=Amount(by_tier={"gold": 90_000}, otherwise=10), limits=Limits(award=50_000))
    await enrol(programs, "ada", tier="gold")
    await enrol(programs, "bob")
    clock(2026, 3, 1)
    await programs.do_all_due()
    assert await amounts(ledger, "ada", "bob") == [[], [10]]
    [failure] = await programs.runs.failures((await last_run(programs)).run.run_id)
    assert (failure.holder, failure.code) == ("ada", "award_above_limit")
    assert "90000" in failure.message
    await sound(ledger)


async def test_a_milestone_does_not_lift_an_award_above_its_ceiling(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(
        "daily",
        schedule=Claim(streak=Streak(milestones={2: 5_000})),
        amount=Amount(fixed=1_000),
        limits=Limits(award=2_000),
    )
    await enrol(programs, "ada")
    await programs.claim("daily", "ada", actor="app")
    clock(2026, 3, 2)
    with pytest.raises(Rejected) as caught:
        await programs.claim("daily", "ada", actor="app")
    assert caught.value.code == "award_above_limit"
    assert await amounts(ledger, "ada") == [[1_000]]
    await sound(ledger)


async def test_a_run_that_comes_to_more_than_its_ceiling_gives_nothing_and_alerts(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(run=299_999))
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    report = await last_run(programs)
    assert report.run.state is RunState.PAUSED
    assert "run_ceiling" in (report.run.note or "")
    assert await amounts(ledger, *PEOPLE) == [[]] * 6
    assert await open_alerts(programs) == ["run_ceiling"]
    await sound(ledger)


async def test_resumed_against_its_ceiling_a_run_stays_where_it_is(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(run=299_999))
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await programs.tick()
    with pytest.raises(Rejected) as caught:
        await programs.runs.resume(run_id, actor="ann", reason="test")
    assert caught.value.code == "run_ceiling"
    await programs.runs.work()
    assert await amounts(ledger, *PEOPLE) == [[]] * 6
    await programs.runs.cancel(run_id, actor="ann", reason="test")
    await put(limits=Limits(run=300_000))
    await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    await programs.runs.work()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 6
    await sound(ledger)


async def test_those_who_join_count_toward_the_ceiling_of_their_own_run(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """Who is imported by mistake in the middle of a period is stopped as everybody is."""
    clock(2026, 2, 20)
    await put(limits=Limits(run=100_000))
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    clock(2026, 3, 2)
    await enrol(programs, *PEOPLE)
    await programs.do_all_due()
    report = await last_run(programs)
    assert (report.run.kind, report.run.state) == (RunKind.JOINERS, RunState.PAUSED)
    assert await amounts(ledger, "ada", *PEOPLE) == [[50_000], *[[]] * 6]
    await sound(ledger)


@pytest.mark.parametrize(
    "schedule", [Calendar(every="month"), Rolling(days=30, at_once=True), Once()]
)
async def test_above_the_approval_limit_whoever_joins_waits_for_a_second_person(
    schedule: Any, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(schedule=schedule, limits=Limits(approve_above=100_000))
    clock(2026, 3, 1)
    await programs.do_all_due()
    clock(2026, 3, 2)
    await enrol(programs, *PEOPLE)
    await programs.do_all_due()
    report = await last_run(programs)
    assert report.run.state is RunState.WAITING
    assert report.run.estimate is not None
    assert report.run.estimate.amount == 300_000
    assert await amounts(ledger, *PEOPLE) == [[]] * 6
    assert await open_alerts(programs) == ["approval_needed"]
    await programs.runs.approve(report.run.run_id, 300_000, actor="second", reason="test")
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 6
    await sound(ledger)


async def test_below_the_approval_limit_a_run_begins_by_itself(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(approve_above=300_000))
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 6
    assert await open_alerts(programs) == []


async def test_only_a_second_person_approves_and_only_this_total(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(approve_above=100_000))
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    run_id = await programs.runs.start("monthly", actor="ann", reason="by hand")
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[]] * 6
    for person in ("ann", "test:owner"):
        with pytest.raises(Rejected) as caught:
            await programs.runs.approve(run_id, 300_000, actor=person, reason="test")
        assert caught.value.code == "approval_second_person"
    with pytest.raises(Conflict) as wrong:
        await programs.runs.approve(run_id, 250_000, actor="bob", reason="test")
    assert wrong.value.code == "approval_total"
    with pytest.raises(Rejected):
        await programs.runs.resume(run_id, actor="ann", reason="test")
    with pytest.raises(Rejected):
        await programs.runs.pause(run_id, actor="ann", reason="test")
    await programs.runs.work()
    assert await amounts(ledger, *PEOPLE) == [[]] * 6
    await programs.runs.approve(run_id, 300_000, actor="bob", reason="test")
    with pytest.raises(Rejected) as again:
        await programs.runs.approve(run_id, 300_000, actor="bob", reason="test")
    assert again.value.code == "run_state"
    await programs.do_all_due()
    assert (await programs.runs.report(run_id)).run.approved_by == "bob"
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 6
    await sound(ledger)


async def test_what_changed_since_the_approval_never_gives_more_than_was_approved(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(
        amount=Amount(formula="int(holder.attributes.plan) * 1"),
        limits=Limits(approve_above=1_000),
    )
    await enrol(programs, *PEOPLE, attributes={"plan": 1_000})
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await programs.tick()
    await programs.runs.approve(run_id, 6_000, actor="bob", reason="test")
    await enrol(programs, "h3", attributes={"plan": 900_000})
    await programs.runs.work()
    report = await programs.runs.report(run_id)
    assert report.run.state is RunState.PAUSED
    assert report.progress.amount <= 6_000
    assert await amounts(ledger, "h3") == [[]]
    assert await open_alerts(programs) == ["approval_needed", "run_ceiling"]
    await sound(ledger)


async def test_the_day_ceiling_counts_all_runs_of_a_program_and_ends_with_the_day(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(day=200_000))
    await enrol(programs, *PEOPLE[:3])
    clock(2026, 3, 1)
    await programs.do_all_due()
    await enrol(programs, PEOPLE[3])
    clock(2026, 3, 1, 12)
    await programs.do_all_due()
    await programs.runs.grant(program="monthly", holders=["h0"], actor="ann", reason="gift")
    await programs.do_all_due()
    report = await last_run(programs)
    assert report.run.state is RunState.PAUSED
    assert await open_alerts(programs) == ["day_ceiling"]
    assert await amounts(ledger, *PEOPLE[:4]) == [[50_000]] * 4
    clock(2026, 3, 2)
    await programs.runs.resume(report.run.run_id, actor="ann", reason="test")
    await programs.do_all_due()
    assert await amounts(ledger, "h0") == [[50_000, 50_000]]
    await sound(ledger)


async def test_a_claim_counts_toward_the_day_as_well(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put("daily", schedule=Claim(), amount=Amount(fixed=600), limits=Limits(day=1_000))
    await enrol(programs, "ada", "bob")
    await programs.claim("daily", "ada", actor="app")
    with pytest.raises(Rejected) as caught:
        await programs.claim("daily", "bob", actor="app")
    assert caught.value.code == "day_ceiling"
    assert await amounts(ledger, "ada", "bob") == [[600], []]
    clock(2026, 3, 2)
    await programs.claim("daily", "bob", actor="app")
    await sound(ledger)


@pytest.mark.parametrize("how", ["switch", "enabled", "retired"])
async def test_a_program_that_is_off_gives_nothing_by_any_way(
    how: str, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await put("daily", schedule=Claim(), amount=Amount(fixed=5))
    await enrol(programs, "ada")
    for name in ("monthly", "daily"):
        if how == "switch":
            await programs.switch(name, on=False, actor="ann", reason="test")
        elif how == "retired":
            async with ledger.database.transaction() as connection:
                await programs.retire(connection, name, actor="ann", reason="test")
    if how == "enabled":
        await put(enabled=False)
        await put("daily", schedule=Claim(), amount=Amount(fixed=5), enabled=False)
    clock(2026, 3, 1)
    await programs.do_all_due()
    for refused in (
        programs.claim("daily", "ada", actor="app"),
        programs.runs.start("monthly", actor="ann", reason="test"),
        programs.runs.grant(program="monthly", actor="ann", reason="test"),
    ):
        with pytest.raises(Rejected) as caught:
            await refused
        assert caught.value.code in ("program_off", "claim_not_offered")
    assert await given(ledger, "ada") == []
    assert await states(programs) == []


async def test_a_program_in_dry_run_shows_its_runs_and_gives_nothing(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(dry_run=True)
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    report = await last_run(programs)
    assert (report.run.dry_run, report.progress.amount) == (True, 300_000)
    clock(2026, 3, 2)
    await enrol(programs, "late")
    await programs.do_all_due()
    await programs.runs.grant(program="monthly", actor="ann", reason="test")
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE, "late") == [[]] * 7
    await sound(ledger)


async def test_a_rolling_program_in_dry_run_makes_one_run_an_occurrence(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(schedule=Rolling(days=30), dry_run=True)
    await enrol(programs, *PEOPLE)
    await programs.do_all_due()
    for hour in range(3):
        clock(2026, 3, 31, hour)
        await programs.do_all_due()
    clock(2026, 4, 30)
    await programs.do_all_due()
    assert len(await states(programs)) == 2
    assert await amounts(ledger, *PEOPLE) == [[]] * 6


async def test_a_dry_run_by_hand_leaves_the_period_to_be_paid(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(approve_above=1))
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    dry = await programs.runs.start("monthly", actor="ann", reason="look", dry_run=True)
    await programs.runs.work(dry)
    assert (await programs.runs.report(dry)).progress.amount == 300_000
    assert await amounts(ledger, *PEOPLE) == [[]] * 6
    await programs.do_all_due()
    report = await last_run(programs)
    await programs.runs.approve(report.run.run_id, 300_000, actor="bob", reason="test")
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 6


async def test_a_grant_to_one_of_a_program_is_judged_by_what_it_gives_not_by_everybody(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(limits=Limits(approve_above=50_000))
    await enrol(programs, *PEOPLE)
    await programs.runs.grant(program="monthly", holders=["h0"], actor="ann", reason="sorry")
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[50_000], *[[]] * 5]
    two = await programs.runs.grant(
        program="monthly", holders=["h0", "h1"], actor="ann", reason="sorry"
    )
    report = await programs.runs.report(two)
    assert report.run.state is RunState.WAITING
    await programs.runs.approve(two, 100_000, actor="bob", reason="test")
    await programs.runs.work()
    assert await amounts(ledger, "h0", "h1") == [[50_000, 50_000], [50_000]]
    await sound(ledger)

"""Holders who fail are set aside, tried again, and stop nobody (P8)."""

import asyncio
from typing import Any

from bursar.ledger import Ledger
from bursar.programs.model import Amount, RunState
from bursar.programs.runs import steer
from bursar.programs.runs.model import RunReport
from bursar.programs.service import Programs
from tests.programs.scenes import (
    FULL,
    amounts,
    do_chunks,
    enrol,
    fill,
    last_run,
    plan_small,
    set_state,
    sound,
    spend,
    utc,
)

FORMULA = Amount(formula="100 / int(holder.attributes.parts)")


async def scene(programs: Programs, ledger: Ledger, clock: Any, put: Any) -> RunReport:
    """A run in which three of five fail, each in a way of its own."""
    clock(2026, 2, 20)
    await put(amount=FORMULA)
    await enrol(programs, "good", "better", "full", "closed", attributes={"parts": 2})
    await enrol(programs, "zero", attributes={"parts": 0})
    await fill(ledger, "full")
    await set_state(ledger, "closed", "closed")
    clock(2026, 3, 1)
    await programs.do_all_due()
    return await last_run(programs)


async def test_who_fails_is_listed_with_the_reason_and_the_others_are_paid(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    report = await scene(programs, ledger, clock, put)
    assert report.run.state is RunState.FINISHED
    assert (report.progress.awarded, report.progress.failed) == (2, 3)
    assert await amounts(ledger, "good", "better", "zero", "closed") == [[50], [50], [], []]
    failures = {f.holder: f for f in await programs.runs.failures(report.run.run_id)}
    assert {holder: failure.code for holder, failure in failures.items()} == {
        "full": "balance_overflow",
        "closed": "wallet_closed",
        "zero": "expression_error",
    }
    assert all(f.message and f.attempts == 1 for f in failures.values())
    await sound(ledger)


async def test_a_frozen_wallet_is_given_its_award(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """Frozen credit cannot be spent; it goes on to come in (L13)."""
    clock(2026, 2, 20)
    await put()
    await enrol(programs, "ada")
    await set_state(ledger, "ada", "frozen")
    clock(2026, 3, 1)
    await programs.do_all_due()
    assert await amounts(ledger, "ada") == [[50_000]]
    await sound(ledger)


async def test_tries_follow_after_1_4_16_minutes_and_the_third_failure_alerts(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    run_id = (await scene(programs, ledger, clock, put)).run.run_id

    async def attempts() -> dict[str | None, int]:
        return {f.holder: f.attempts for f in await programs.runs.failures(run_id)}

    at = utc(2026, 3, 1)
    tried = 1
    for minute, second, expected in (
        (0, 59, 1),
        (1, 0, 2),
        (4, 59, 2),
        (5, 0, 3),
        (20, 59, 3),
        (21, 0, 4),
    ):
        clock(at.year, at.month, at.day, 0, minute, second)
        await programs.do_all_due()
        assert set((await attempts()).values()) == {expected}
        tried = expected
        alerts = [a.kind for a in await programs.alerts()]
        assert alerts == (["awards_failing"] if tried >= 3 else [])
    [alert] = await programs.alerts()
    assert (alert.subject, alert.times) == (f"run_{run_id}", 2)
    assert await amounts(ledger, "good", "better") == [[50], [50]]
    await sound(ledger)


async def test_what_is_mended_is_paid_by_the_next_try_and_resolved(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    run_id = (await scene(programs, ledger, clock, put)).run.run_id
    await spend(ledger, "full", FULL)
    await set_state(ledger, "closed", "active")
    await enrol(programs, "zero", attributes={"parts": 4})
    clock(2026, 3, 1, 0, 1)
    await programs.do_all_due()
    assert await programs.runs.failures(run_id) == []
    everything = await programs.runs.failures(run_id, everything=True)
    assert [f.resolved_at for f in everything] == [utc(2026, 3, 1, 0, 1)] * 3
    assert await amounts(ledger, "full", "closed", "zero") == [[50], [50], [25]]
    report = await programs.runs.report(run_id)
    assert report.progress.failed == 0
    assert report.run.state is RunState.FINISHED
    clock(2026, 3, 2)
    await programs.do_all_due()
    assert await amounts(ledger, "full", "closed", "zero") == [[50], [50], [25]]
    await sound(ledger)


async def test_tries_end_after_eight_and_an_operator_may_try_again(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    run_id = (await scene(programs, ledger, clock, put)).run.run_id
    for day in range(2, 22):
        clock(2026, 3, day)
        await programs.do_all_due()
    failures = await programs.runs.failures(run_id)
    assert [(f.attempts, f.retry_at) for f in failures] == [(8, None)] * 3
    await enrol(programs, "zero", attributes={"parts": 10})
    assert await programs.runs.retry(run_id, actor="test", reason="test") == 3
    await programs.runs.work()
    assert await amounts(ledger, "zero") == [[10]]
    assert len(await programs.runs.failures(run_id)) == 2
    await sound(ledger)


async def test_where_most_of_a_chunk_fails_the_run_pauses_and_gives_none_of_it(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(amount=FORMULA)
    bad = [f"bad{n}" for n in range(101)]
    await enrol(programs, "good", attributes={"parts": 2})
    await enrol(programs, *bad, attributes={"parts": 0})
    clock(2026, 3, 1)
    await programs.do_all_due()
    report = await last_run(programs)
    assert report.run.state is RunState.PAUSED
    assert (report.run.note or "").startswith("run_failing")
    assert [alert.kind for alert in await programs.alerts()] == ["run_failing"]
    assert await amounts(ledger, "good") == [[]]
    await enrol(programs, *bad, attributes={"parts": 1})
    await programs.runs.resume(report.run.run_id, actor="ann", reason="test")
    await programs.do_all_due()
    assert await amounts(ledger, "good", "bad0", "bad100") == [[50], [100], [100]]
    await sound(ledger)


async def test_a_run_that_ends_while_somebody_is_tried_again_does_not_lose_them(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(amount=FORMULA)
    await enrol(programs, "zero", attributes={"parts": 0})
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 1)
    await enrol(programs, "zero", attributes={"parts": 1})
    clock(2026, 3, 1, 0, 1)
    async with ledger.database.transaction() as connection:
        assert await steer.retry(connection, None, 10) == {run_id: 1}
        ending = asyncio.create_task(programs.runs.work())
        await asyncio.wait([ending], timeout=0.3)
    await ending
    await programs.runs.work()
    assert await amounts(ledger, "zero") == [[100]]
    assert (await programs.runs.report(run_id)).run.state is RunState.FINISHED
    await sound(ledger)


async def test_a_day_after_which_nobody_was_at_work_is_summed_up_later(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    await scene(programs, ledger, clock, put)
    clock(2026, 3, 5)
    await programs.tick()
    await programs.tick()

    found = [a for a in await programs.alerts() if a.kind == "failures_of_the_day"]
    assert [a.subject for a in found] == ["2026-03-01"]


async def test_the_day_after_its_failures_are_summed_up_once(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    await scene(programs, ledger, clock, put)
    assert await programs.alerts() == []
    clock(2026, 3, 2)
    await programs.do_all_due()
    found = [a for a in await programs.alerts() if a.kind == "failures_of_the_day"]
    assert [a.subject for a in found] == ["2026-03-01"]
    assert found[0].message.startswith("3 holders failed in 1 run, 3 still set aside: ")
    await programs.resolve_alert(found[0].alert_id, actor="ops", reason="test")
    await programs.do_all_due()
    again = [a for a in await programs.alerts(everything=True) if a.kind == "failures_of_the_day"]
    assert [a.alert_id for a in again] == [found[0].alert_id]

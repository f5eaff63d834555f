"""A period is paid once, whoever runs it, however often (P5, P7)."""

import asyncio
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.errors import Conflict
from bursar.programs.model import Amount, Calendar, Limits, RunState, Terms
from bursar.programs.service import Programs
from tests.programs.scenes import (
    amounts,
    another_process,
    balance,
    do_chunks,
    enrol,
    given,
    plan_small,
    sound,
    states,
)

PEOPLE = [f"h{n}" for n in range(7)]


async def test_two_processes_that_tick_and_work_at_once_pay_everybody_once(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    async with another_process(database) as other:
        await asyncio.gather(*(p.tick() for p in (programs, other) for _ in range(3)))
        await asyncio.gather(*(p.runs.work() for p in (programs, other) for _ in range(2)))
        await asyncio.gather(programs.do_all_due(), other.do_all_due())
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    assert await states(programs) == [("scheduled", "2026-03", "finished")]
    await sound(ledger)


async def test_small_chunks_shared_by_two_processes_overlap_in_nobody(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs, size=1)
    async with another_process(database) as other:
        done = await asyncio.gather(programs.runs.work(run_id), other.runs.work(run_id))
    assert sum(done) == 7
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_a_run_started_twice_by_hand_at_once_is_one_run(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    async with another_process(database) as other:
        both = await asyncio.gather(
            programs.runs.start("monthly", actor="ann", reason="by hand"),
            other.runs.start("monthly", actor="bob", reason="by hand"),
            return_exceptions=True,
        )
        conflicts = [one for one in both if isinstance(one, BaseException)]
        assert [type(one) for one in conflicts] == [Conflict]
        await asyncio.gather(programs.do_all_due(), other.do_all_due())
    with pytest.raises(Conflict) as caught:
        await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    assert caught.value.code == "period_run"
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_a_start_by_hand_and_a_tick_at_once_pay_once(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    async with another_process(database) as other:
        await asyncio.gather(
            programs.runs.start("monthly", actor="ann", reason="by hand"),
            other.tick(),
            return_exceptions=True,
        )
        await asyncio.gather(programs.do_all_due(), other.do_all_due())
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    assert [state for _, _, state in await states(programs)] == ["finished"]
    await sound(ledger)


async def test_a_process_that_comes_up_half_way_goes_on_and_pays_nobody_twice(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 2)
    async with another_process(database) as other:
        await other.do_all_due()
        report = await other.runs.report(run_id)
    assert report.run.state is RunState.FINISHED
    assert (report.progress.awarded, report.progress.amount) == (7, 350_000)
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_a_chunk_that_dies_with_its_worker_is_done_by_the_next(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr("bursar.programs.runs.store.finish_chunk", killed)
        with pytest.raises(asyncio.CancelledError):
            await programs.runs._executor.work_one(run_id)
    assert await amounts(ledger, *PEOPLE) == [[]] * 7
    await programs.runs.work()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_canceled_half_way_and_started_again_by_name_pays_only_the_rest(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 2)
    await programs.runs.cancel(run_id, actor="ann", reason="test")
    assert await programs.runs.work() == 0
    again = await programs.runs.start("monthly", "2026-03", actor="ann", reason="go on")
    await programs.runs.work()
    report = await programs.runs.report(again)
    assert report.progress.excluded == {"already_paid": 4}
    assert report.progress.awarded == 3
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_a_paused_run_gives_nothing_until_it_is_resumed(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 1)
    await programs.runs.pause(run_id, actor="ann", reason="test")
    async with another_process(database) as other:
        assert await other.runs.work() == 0
        await other.do_all_due()
    assert sum(map(len, await amounts(ledger, *PEOPLE))) == 2
    await programs.runs.resume(run_id, actor="ann", reason="test")
    await programs.runs.work()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_switched_off_in_the_middle_a_run_stops_and_goes_on_when_switched_on(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """The one setting that stops a program stops what it is about to give as well (P10)."""
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 1)
    await programs.switch("monthly", on=False, actor="ops", reason="test")
    await programs.do_all_due()
    assert sum(map(len, await amounts(ledger, *PEOPLE))) == 2
    await programs.switch("monthly", on=True, actor="ops", reason="test")
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[50_000]] * 7
    await sound(ledger)


async def test_a_change_in_a_paid_period_expires_nothing_of_what_it_paid(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """What goes beyond the cap is what is left of earlier periods, never this one's (P11)."""
    clock(2026, 2, 20)
    await put(terms=Terms(rollover_cap=10_000))
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    clock(2026, 3, 5)
    await enrol(programs, "ada", tier="gold")
    await programs.do_all_due()
    assert await balance(ledger, "ada") == 50_000
    clock(2026, 4, 1)
    await programs.do_all_due()
    assert await balance(ledger, "ada") == 60_000
    await sound(ledger)


async def test_the_preview_says_what_the_run_then_gives(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(
        schedule=Calendar(every="month"),
        amount=Amount(by_tier={"gold": 900, "basic": 100}),
        who={"inactive": 'holder.status == "active"', "unverified": "holder.verified"},
        limits=Limits(award=500),
    )
    await enrol(programs, "a", "b", "c", tier="basic", verified=True)
    await enrol(programs, "d", tier="basic")
    await enrol(programs, "e", tier="basic", verified=True, status="canceled")
    await enrol(programs, "f", tier="gold", verified=True)
    await enrol(programs, "g", verified=True)
    clock(2026, 3, 1)
    period, preview = await programs.runs.preview("monthly")
    assert period.key == "2026-03"
    assert await amounts(ledger, *"abcdefg") == [[]] * 7
    await programs.do_all_due()
    [report] = await programs.runs.recent("monthly")
    progress = report.progress
    assert (preview.awards, preview.amount, preview.failed) == (3, 300, 1)
    assert preview.excluded == {"inactive": 1, "no_amount": 1, "unverified": 1}
    assert (progress.awarded, progress.amount, progress.failed, progress.excluded) == (
        preview.awards,
        preview.amount,
        preview.failed,
        preview.excluded,
    )
    _, after = await programs.runs.preview("monthly", "2026-03")
    assert (after.awards, after.excluded["already_paid"]) == (0, 3)
    assert await given(ledger, "a") == [("monthly:2026-03", 100)]
    await sound(ledger)

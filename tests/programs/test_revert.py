"""Taking back what a run gave, and giving the period again, corrected (P6, L8)."""

import asyncio
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected
from bursar.programs.model import Amount, Proration, RunId, RunState
from bursar.programs.service import Programs
from tests.programs.scenes import (
    FULL,
    amounts,
    another_process,
    balance,
    do_chunks,
    enrol,
    fill,
    given,
    last_run,
    plan_small,
    set_state,
    sound,
    spend,
    states,
)

PEOPLE = [f"h{n}" for n in range(6)]


async def revert(programs: Programs, run_id: RunId, policy: Any = "clip") -> RunId:
    return await programs.runs.revert(run_id, policy, actor="ann", reason="a mistake")


@pytest.mark.parametrize(
    ("policy", "taken", "left"),
    [("debt", 100_000, -30_000), ("clip", 70_000, 0), ("net", 70_000, 0)],
)
async def test_what_is_spent_is_handled_by_the_policy(
    policy: Any, taken: int, left: int, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, "ada", "bob")
    clock(2026, 3, 1)
    await programs.do_all_due()
    run_id = (await last_run(programs)).run.run_id
    await spend(ledger, "ada", 30_000)
    made = await revert(programs, run_id, policy)
    assert (await programs.runs.report(run_id)).run.state is RunState.REVERTING
    await programs.runs.work()
    report = await programs.runs.report(made)
    assert (report.progress.awarded, report.progress.amount) == (2, taken)
    assert (await programs.runs.report(run_id)).run.state is RunState.REVERTED
    assert await balance(ledger, "ada") == left
    assert await balance(ledger, "bob") == 0
    await sound(ledger)


async def test_under_net_the_next_award_pays_what_is_owed(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    await spend(ledger, "ada", 30_000)
    await revert(programs, (await last_run(programs)).run.run_id, "net")
    await programs.do_all_due()
    clock(2026, 4, 1)
    await programs.do_all_due()
    assert await balance(ledger, "ada") == 20_000
    await sound(ledger)


async def test_a_second_reversal_is_refused_before_during_and_after_the_first(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    run_id = (await last_run(programs)).run.run_id
    async with another_process(database) as other:
        both = await asyncio.gather(
            revert(programs, run_id), revert(other, run_id), return_exceptions=True
        )
    refused = [one for one in both if isinstance(one, BaseException)]
    assert [getattr(one, "code", one) for one in refused] == ["run_state"]
    with pytest.raises(Rejected):
        await revert(programs, run_id)
    await programs.runs.work()
    with pytest.raises(Rejected) as caught:
        await revert(programs, run_id)
    assert caught.value.code == "run_state"
    assert [await balance(ledger, one) for one in PEOPLE] == [0] * 6
    await sound(ledger)


async def test_bad_reversals_are_refused_and_leave_the_run_as_it_was(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    with pytest.raises(Rejected):  # it is running
        await revert(programs, run_id)
    await programs.runs.work()
    with pytest.raises(Invalid):
        await revert(programs, run_id, "gone")
    with pytest.raises(Invalid):
        await programs.runs.revert(run_id, "clip", actor="ann", reason="")
    with pytest.raises(Missing):
        await revert(programs, RunId(999))
    assert (await programs.runs.report(run_id)).run.state is RunState.FINISHED
    made = await revert(programs, run_id)
    with pytest.raises(Rejected) as caught:
        await revert(programs, made)
    assert caught.value.code == "run_not_revertible"
    await programs.runs.work()
    assert [await balance(ledger, one) for one in PEOPLE] == [0] * 6
    await sound(ledger)


async def test_a_reversal_waits_for_a_chunk_under_way_and_takes_it_back_too(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any, monkeypatch: Any
) -> None:
    from bursar.programs.runs import store

    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    at_the_end, go_on = asyncio.Event(), asyncio.Event()
    finish = store.finish_chunk

    async def slow(*arguments: Any) -> None:
        at_the_end.set()
        await go_on.wait()
        await finish(*arguments)

    async with another_process(database) as other:
        monkeypatch.setattr(store, "finish_chunk", slow)
        working = asyncio.create_task(other.runs._executor.work_one(run_id))
        await at_the_end.wait()
        await programs.runs.pause(run_id, actor="ann", reason="test")
        reverting = asyncio.create_task(revert(programs, run_id))
        await asyncio.wait([reverting], timeout=0.2)
        assert not reverting.done()
        go_on.set()
        assert await working
        await reverting
    monkeypatch.undo()
    await programs.runs.work()
    assert sum(map(len, await amounts(ledger, *PEOPLE))) == 2
    assert [await balance(ledger, one) for one in PEOPLE[:2]] == [0, 0]
    await sound(ledger)


async def test_run_again_corrected_it_pays_the_new_amount_once(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    await revert(programs, (await last_run(programs)).run.run_id)
    await programs.do_all_due()
    await put(amount=Amount(fixed=40_000))
    again = await programs.runs.start("monthly", "2026-03", actor="ann", reason="corrected")
    await programs.runs.work()
    await programs.do_all_due()
    assert (await programs.runs.report(again)).run.generation == 1
    assert await given(ledger, "h0") == [
        ("monthly:2026-03", 50_000),
        ("monthly:2026-03~1", 40_000),
    ]
    assert [await balance(ledger, one) for one in PEOPLE] == [40_000] * 6
    await sound(ledger)


async def test_joiners_after_that_are_paid_once_in_the_new_generation(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put(proration=Proration())
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    await revert(programs, (await last_run(programs)).run.run_id)
    clock(2026, 3, 5)
    await enrol(programs, "joined")
    await programs.do_all_due()
    assert await amounts(ledger, "joined") == [[]]
    await programs.runs.start("monthly", "2026-03", actor="ann", reason="corrected")
    clock(2026, 3, 16)
    await enrol(programs, "later")
    await programs.do_all_due()
    assert await given(ledger, "joined") == [("monthly:2026-03~1", 43_548)]
    assert await given(ledger, "later") == [("monthly:2026-03~1", 25_806)]
    assert [await balance(ledger, one) for one in PEOPLE] == [50_000] * 6
    await sound(ledger)


async def test_joiners_who_kept_theirs_are_not_paid_again_when_the_period_is_run_again(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """The reversal took nothing from them, so the corrected run owes them nothing (P5)."""
    clock(2026, 2, 20)
    await put(proration=Proration())
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    await programs.do_all_due()
    run_id = (await last_run(programs)).run.run_id
    clock(2026, 3, 16)
    await enrol(programs, "joined")
    await programs.do_all_due()
    await revert(programs, run_id)
    await programs.do_all_due()
    _, preview = await programs.runs.preview("monthly", "2026-03")
    assert (preview.awards, preview.excluded) == (6, {"already_paid": 1})
    again = await programs.runs.start("monthly", "2026-03", actor="ann", reason="corrected")
    await programs.do_all_due()
    assert (await programs.runs.report(again)).progress.excluded == {"already_paid": 1}
    assert await balance(ledger, "joined") == 25_806
    assert [await balance(ledger, one) for one in PEOPLE] == [50_000] * 6
    await sound(ledger)


async def test_joiners_who_were_set_aside_are_paid_by_the_run_that_follows_and_only_by_it(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    await programs.do_all_due()
    run_id = (await last_run(programs)).run.run_id
    clock(2026, 3, 5)
    await enrol(programs, "joined")
    await fill(ledger, "joined")
    await programs.do_all_due()
    joiners = (await last_run(programs)).run.run_id
    assert (await programs.runs.report(joiners)).progress.failed == 1
    await revert(programs, run_id)
    await programs.do_all_due()
    await spend(ledger, "joined", FULL)
    await programs.runs.start("monthly", "2026-03", actor="ann", reason="corrected")
    await programs.do_all_due()
    clock(2026, 3, 6)
    await programs.do_all_due()
    assert await programs.runs.retry(joiners, actor="test", reason="test") == 0
    await programs.do_all_due()
    assert await given(ledger, "joined") == [("monthly:2026-03~1", 50_000)]
    await sound(ledger)


async def test_of_a_canceled_run_what_it_had_given_is_taken_back(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await do_chunks(programs, run_id, 1)
    await programs.runs.cancel(run_id, actor="ann", reason="test")
    made = await revert(programs, run_id)
    await programs.runs.work()
    assert (await programs.runs.report(made)).progress.amount == 100_000
    again = await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    await programs.do_all_due()
    assert (await programs.runs.report(again)).progress.awarded == 6
    assert [await balance(ledger, one) for one in PEOPLE] == [50_000] * 6
    await sound(ledger)


async def test_a_canceled_half_may_be_reverted_after_another_run_has_paid_the_rest(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [first] = await plan_small(programs)
    await do_chunks(programs, first, 1)
    await programs.runs.cancel(first, actor="ann", reason="test")
    second = await programs.runs.start("monthly", "2026-03", actor="ann", reason="the rest")
    await programs.do_all_due()
    await revert(programs, first)
    await programs.do_all_due()
    assert [await balance(ledger, one) for one in PEOPLE] == [0, 0, *[50_000] * 4]
    with pytest.raises(Conflict):
        await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    await revert(programs, second)
    await programs.do_all_due()
    assert [await balance(ledger, one) for one in PEOPLE] == [0] * 6
    await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    await programs.do_all_due()
    assert [await balance(ledger, one) for one in PEOPLE] == [50_000] * 6
    await sound(ledger)


async def test_after_a_reversal_of_the_rest_the_canceled_half_keeps_its_one_award(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [first] = await plan_small(programs)
    await do_chunks(programs, first, 1)
    await programs.runs.cancel(first, actor="ann", reason="test")
    second = await programs.runs.start("monthly", "2026-03", actor="ann", reason="the rest")
    await programs.do_all_due()
    await revert(programs, second)
    await programs.do_all_due()
    await programs.runs.start("monthly", "2026-03", actor="ann", reason="again")
    await programs.do_all_due()
    assert [await balance(ledger, one) for one in PEOPLE] == [50_000] * 6
    await sound(ledger)


async def test_a_canceled_reversal_may_be_done_again_and_takes_back_the_rest_only(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, *PEOPLE)
    clock(2026, 3, 1)
    [run_id] = await plan_small(programs)
    await programs.runs.work()
    made = await revert(programs, run_id)
    await do_chunks(programs, made, 1)
    await programs.runs.cancel(made, actor="ann", reason="test")
    again = await revert(programs, run_id)
    await programs.do_all_due()
    report = await programs.runs.report(again)
    assert (report.progress.awarded, report.progress.excluded) == (4, {"nothing_left": 2})
    assert [await balance(ledger, one) for one in PEOPLE] == [0] * 6
    assert (await programs.runs.report(run_id)).run.state is RunState.REVERTED
    await sound(ledger)


async def test_a_reversal_that_fails_for_one_holder_is_tried_again(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 20)
    await put()
    await enrol(programs, "ada", "bob")
    clock(2026, 3, 1)
    await programs.do_all_due()
    run_id = (await last_run(programs)).run.run_id
    await spend(ledger, "ada", 50_000)
    await set_state(ledger, "ada", "closed")
    made = await revert(programs, run_id, "debt")
    await programs.do_all_due()
    [failure] = await programs.runs.failures(made)
    assert (failure.holder, failure.code) == ("ada", "wallet_closed")
    assert await balance(ledger, "bob") == 0
    await set_state(ledger, "ada", "active")
    clock(2026, 3, 1, 0, 1)
    await programs.do_all_due()
    assert await balance(ledger, "ada") == -50_000
    assert await programs.runs.failures(made) == []
    assert ("revert", "2026-03", "finished") in await states(programs)
    await sound(ledger)

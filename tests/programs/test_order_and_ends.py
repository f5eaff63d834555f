"""The order of days, the end of runs, and who is tried again, however many do the work."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from bursar.holders import HolderChange
from bursar.programs.model import Amount, Calendar, Claim, RunState, Streak
from bursar.programs.runs import steer, store
from bursar.programs.service import Programs
from tests.programs.conftest import SetClock

Put = Callable[..., Awaitable[int]]

DAILY = Calendar(every="day")
EVERYBODY = Claim(automatic="everybody", streak=Streak())


async def people(programs: Programs, names: list[str], **said: Any) -> None:
    changes = [HolderChange(name, **said) for name in names]
    await programs.holders.upsert(changes, actor="test", reason="test")


async def given(programs: Programs, holder: str) -> list[tuple[str, int]]:
    return sorted((award.reference, award.added) for award in await programs.history(holder))


async def wait_for_row(owner: psycopg.Connection, query: LiteralString) -> None:
    async with asyncio.timeout(30):
        while not owner.execute(query).fetchall():  # noqa: ASYNC110 - a row, not an event
            await asyncio.sleep(0.01)


async def states(programs: Programs) -> list[RunState]:
    return [report.run.state for report in reversed(await programs.runs.recent())]


async def failing(programs: Programs, put: Put, count: int, sound: int) -> None:
    """Have a daily run in which so many fail for want of a step."""
    await people(programs, [f"bad{n}" for n in range(count)])
    await people(programs, [f"good{n}" for n in range(sound)], attributes={"step": 1})
    await put("daily", schedule=DAILY, amount=Amount(formula="int(holder.attributes.step)"))


async def test_a_day_of_automatic_claims_waits_until_the_one_before_is_settled(
    programs: Programs, put: Put, clock: SetClock
) -> None:
    clock(2026, 3, 1, 12)
    await people(programs, ["ada"])
    await put("streak", schedule=EVERYBODY, amount=Amount(formula="100 * streak"), catch_up="all")
    clock(2026, 3, 4, 12)
    [first] = (await programs.tick()).begun
    await programs.runs.pause(first, actor="test", reason="test")
    assert (await programs.tick()).begun == ()
    await programs.runs.resume(first, actor="test", reason="test")
    await programs.runs.work()
    assert len((await programs.do_all_due()).begun) == 2
    assert await given(programs, "ada") == [
        ("streak:2026-03-01", 100),
        ("streak:2026-03-02", 200),
        ("streak:2026-03-03", 300),
    ]


async def test_who_joins_after_a_period_is_not_paid_for_it_when_it_is_run_late(
    programs: Programs, put: Put, clock: SetClock
) -> None:
    clock(2026, 3, 1, 12)
    await people(programs, ["ada"])
    await put("daily", schedule=DAILY, amount=Amount(fixed=100), catch_up="all")
    clock(2026, 3, 3, 12)
    await people(programs, ["bob"])
    await programs.do_all_due()
    assert await given(programs, "ada") == [("daily:2026-03-02", 100), ("daily:2026-03-03", 100)]
    assert await given(programs, "bob") == [("daily:2026-03-03", 100)]


async def test_many_who_fail_again_do_not_halt_their_run(
    programs: Programs, put: Put, clock: SetClock
) -> None:
    clock(2026, 3, 1, 12)
    await failing(programs, put, 120, 130)
    clock(2026, 3, 2)
    [run] = (await programs.do_all_due()).begun
    clock(2026, 3, 2, 1)
    assert (await programs.do_all_due()).retried == 120
    failures = await programs.runs.failures(run, limit=1000)
    assert [failure.attempts for failure in failures] == [2] * 120
    assert await states(programs) == [RunState.FINISHED]


async def test_a_run_in_which_most_fail_halts(
    programs: Programs, put: Put, clock: SetClock
) -> None:
    clock(2026, 3, 1, 12)
    await failing(programs, put, 120, 110)
    clock(2026, 3, 2)
    await programs.do_all_due()
    assert await states(programs) == [RunState.PAUSED]
    assert [alert.kind for alert in await programs.alerts()] == ["run_failing"]
    assert await given(programs, "good0") == []


async def test_those_set_aside_by_a_run_that_is_taken_back_are_not_due(
    programs: Programs, put: Put, clock: SetClock
) -> None:
    clock(2026, 3, 1, 12)
    await failing(programs, put, 1, 1)
    clock(2026, 3, 2)
    [run] = (await programs.do_all_due()).begun
    assert await programs.next_due() == datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
    await programs.runs.revert(run, "debt", actor="test", reason="test")
    await programs.runs.work()
    assert await programs.next_due() == datetime(2026, 3, 3, tzinfo=UTC)


async def test_a_run_to_which_a_retry_adds_does_not_end_meanwhile(
    programs: Programs, put: Put, clock: SetClock, database: Any
) -> None:
    """Both look at the same moment: at a run whose chunks are done, and one that it will have."""
    clock(2026, 3, 1, 12)
    await failing(programs, put, 1, 1)
    clock(2026, 3, 2)
    [run] = (await programs.do_all_due()).begun
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("update bursar.runs set state = 'running'")
        ledger = programs.ledger.database
        async with ledger.transaction() as retrying:
            assert await steer.retry(retrying, run, 10) == {run: 1}

            async def end() -> list[Any]:
                async with ledger.transaction() as connection:
                    return list(await store.finish_runs(connection))

            ending = asyncio.create_task(end())
            waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            await wait_for_row(owner, waiting)
        assert await ending == []
    await programs.runs.work()
    assert await states(programs) == [RunState.FINISHED]
    assert [f.attempts for f in await programs.runs.failures(run)] == [2]


async def test_two_who_retry_a_run_at_once_both_add_to_it(
    programs: Programs, put: Put, clock: SetClock, database: Any
) -> None:
    """The one takes who is due, the other, an operator, whoever is left."""
    clock(2026, 3, 1, 12)
    await failing(programs, put, 2, 2)
    clock(2026, 3, 2)
    [run] = (await programs.do_all_due()).begun
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "update bursar.run_failures set retry_at = bursar.now()"
            " where holder_id = (select min(holder_id) from bursar.run_failures)"
        )
        async with programs.ledger.database.transaction() as ticking:
            assert await steer.retry(ticking, None, 10) == {run: 1}
            operator = asyncio.create_task(programs.runs.retry(run, actor="test", reason="test"))
            waiting: LiteralString = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            await wait_for_row(owner, waiting)
        assert await operator == 1
    await programs.runs.work()
    assert [f.attempts for f in await programs.runs.failures(run)] == [2, 2]
    assert await states(programs) == [RunState.FINISHED]


async def test_who_joined_a_period_is_paid_once_when_it_is_taken_back_and_run_again(
    programs: Programs, put: Put, clock: SetClock
) -> None:
    clock(2026, 3, 1, 12)
    await people(programs, ["ada"])
    await put("daily", schedule=DAILY, amount=Amount(fixed=100))
    clock(2026, 3, 2, 6)
    [run] = (await programs.do_all_due()).begun
    await people(programs, ["bob"])
    await programs.do_all_due()
    await programs.runs.revert(run, "debt", actor="test", reason="test")
    await programs.runs.work()
    await programs.runs.start("daily", "2026-03-02", actor="test", reason="again")
    await programs.runs.work()
    assert [amount for _, amount in await given(programs, "ada")] == [100, -100, 100]
    assert await given(programs, "bob") == [("daily:2026-03-02", 100)]

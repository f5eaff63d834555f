"""A tick: everything that is due now is planned, let begin, and retried (P1, P8)."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from bursar.platform.database import Connection, Database
from bursar.platform.errors import BursarError
from bursar.programs import store
from bursar.programs.cycles.store import next_look
from bursar.programs.due import CHUNK, plan
from bursar.programs.model import Calendar, Claim, InForce, Once, Rolling, RunId, RunState
from bursar.programs.periods import upcoming
from bursar.programs.runs import store as runs
from bursar.programs.runs import store_failures as failures
from bursar.programs.runs.execute import Executor
from bursar.programs.runs.model import Run
from bursar.programs.runs.preview import estimate
from bursar.programs.runs.steer import retry
from bursar.programs.runs.store_period import read_chunks
from bursar.programs.switches import Switches

_log: Final = structlog.get_logger("bursar.programs")
_OPEN: Final = 1_000
_DAY: Final = timedelta(days=1)


class TickReport(msgspec.Struct, frozen=True):
    """What a tick has made: runs begun, runs that wait for a person, holders tried again.

    With ``more`` there may be another day to settle once what it has begun is done.
    """

    begun: tuple[RunId, ...]
    waiting: tuple[RunId, ...]
    retried: int
    more: bool = False


async def tick(
    database: Database,
    executor: Executor,
    size: int = CHUNK,
    switches: Switches | None = None,
) -> TickReport:
    """Make the runs that are due, and clear those that wait; who does the work is another matter.

    Any number of processes may tick at once: each program is planned by one at a time, and each
    period begun once. A program that cannot be planned does not keep the others from theirs.
    """
    begun: list[RunId] = []
    more = False
    async with database.connection() as connection:
        programs = await store.read_programs(connection)
    if switches is not None:
        programs = [switches.applied(in_force) for in_force in programs]
    for in_force in programs:

        async def one(connection: Connection, in_force: InForce = in_force) -> list[RunId]:
            return await plan(connection, in_force, await store.read_now(connection), size)

        try:
            made = await database.retrying(one)
            begun += made
            more |= bool(made) and isinstance(in_force.program.schedule, Claim)
        except BursarError as error:
            if error.family == "unavailable":
                raise
            await _tell(database, in_force, error.code, error.message)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            _log.exception("program_broken", program=in_force.program.name)
            await _tell(database, in_force, type(error).__name__, str(error)[:500])
    waiting = await _clear_waiting(database, executor)
    retried = await database.retrying(lambda connection: retry(connection, None, size))
    async with database.connection() as connection:
        yesterday = (await store.read_now(connection)).date() - _DAY
        await failures.summarise(connection, yesterday)
    return TickReport(tuple(begun), tuple(waiting), sum(retried.values()), more)


async def _tell(database: Database, in_force: InForce, code: str, message: str) -> None:
    name = in_force.program.name
    _log.error("program_not_planned", program=name, code=code, message=message)
    async with database.connection() as connection:
        await store.raise_alert(connection, "program_not_planned", name, f"{code}: {message}")


async def _clear_waiting(database: Database, executor: Executor) -> list[RunId]:
    """Estimate the runs that wait: within their limits they begin, else a person is asked."""
    async with database.connection() as connection:
        open_runs = await runs.read_runs(connection, only_open=True, limit=_OPEN)
    waiting = [run for run in open_runs if run.state is RunState.WAITING]
    for run in waiting:
        if run.estimate is None:
            await clear(database, executor, run)
    return [run.run_id for run in waiting]


async def clear(database: Database, executor: Executor, run: Run) -> None:
    """Estimate a run, and let it begin if no limit forbids it (P10)."""
    async with database.connection() as connection:
        work = await executor.work_of(connection, run)
        chunks = await read_chunks(connection, run.run_id)
        found = await estimate(connection, work, chunks=chunks)
    limits = work.program.limits
    async with database.transaction() as connection:
        await runs.set_estimate(connection, run.run_id, found)
        if limits.approve_above is not None and found.amount > limits.approve_above:
            message = (
                f"{run.program} {run.period.key} comes to {found.amount}, above"
                f" {limits.approve_above}: a second person must approve it"
            )
            await store.raise_alert(connection, "approval_needed", run.name, message)
            _log.warning("approval_needed", run=run.name, amount=found.amount)
        elif limits.run is not None and found.amount > limits.run:
            note = f"run_ceiling: it comes to {found.amount}, above {limits.run}"
            await runs.move_run(
                connection, run.run_id, RunState.PAUSED, [RunState.WAITING], note=note
            )
            await store.raise_alert(connection, "run_ceiling", run.name, note)
            _log.warning("run_ceiling", run=run.name, amount=found.amount, limit=limits.run)
        else:
            ceilings = [c for c in (limits.approve_above, limits.run) if c is not None]
            await runs.move_run(
                connection,
                run.run_id,
                RunState.RUNNING,
                [RunState.WAITING],
                ceiling=min(ceilings, default=None),
            )


async def next_due(connection: Connection) -> datetime | None:
    """Tell when there is next something to do; None if never, as far as is known now.

    What is due already is told as an instant that has passed.
    """
    now = await store.read_now(connection)
    instants = [await failures.read_next_retry(connection)]
    instants += [
        await _next_of(connection, in_force, now)
        for in_force in await store.read_programs(connection)
        if in_force.gives
    ]
    return min((instant for instant in instants if instant is not None), default=None)


async def _next_of(connection: Connection, in_force: InForce, now: datetime) -> datetime | None:
    standing = in_force.standing
    match in_force.program.schedule:
        case Calendar() as calendar:
            return upcoming(calendar, standing.paid_until, standing.starts_at, now).start
        case Claim(automatic="no") | Once():
            return None
        case Claim() as claim:
            return upcoming(claim, standing.paid_until, standing.starts_at, now).start
        case Rolling():
            return await next_look(connection, in_force.program_id)

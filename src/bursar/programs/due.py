"""What is due: the runs that a program's schedule asks for now, made once whoever asks (P1, P9).

Planning holds the program's row; who finds it held leaves the program to the other.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from bursar.holders.store_people import changed_between, highest_holder_id, read_mark
from bursar.platform.database import Connection
from bursar.platform.errors import Rejected
from bursar.programs import store
from bursar.programs.cycles.enrol import enrol
from bursar.programs.cycles.store import any_due
from bursar.programs.model import (
    Calendar,
    Claim,
    InForce,
    Once,
    Period,
    Program,
    Rolling,
    RunId,
    RunKind,
    RunState,
    StandingOf,
)
from bursar.programs.periods import choose, periods_after
from bursar.programs.runs import store as runs
from bursar.programs.runs.model import NewRun, Run

CHUNK: Final = 10_000

_BY_SCHEDULE: Final = "schedule"
_INSTANT: Final = timedelta(microseconds=1)
_TAKEN_UP: Final = frozenset({RunState.RUNNING, RunState.FINISHED})


async def plan(
    connection: Connection, in_force: InForce, now: datetime, size: int = CHUNK
) -> list[RunId]:
    """Make the runs of one program that are due, in the caller's transaction; returns them."""
    program = in_force.program
    if not in_force.gives:
        return []
    locked = await store.lock_standing(connection, in_force.program_id)
    if locked is None or locked[0] != in_force.version or locked[2]:
        return []
    standing = locked[1]
    match program.schedule:
        case Calendar() as calendar:
            due = periods_after(calendar, standing.paid_until, standing.starts_at, now)
            if due:
                made = await _last_joiners(connection, in_force, standing, due[0], now, size)
                return made + await _begin_periods(connection, in_force, due, now, now, size)
            return await _plan_joiners(connection, in_force, standing, now, size)
        case Claim(automatic="no"):
            return []
        case Claim() as claim:
            # a streak is counted in order: a day waits until the one before it is settled
            if await runs.has_open_run(connection, in_force.program_id):
                return []
            ended = _ended(claim, standing, now)
            if not ended:
                return []
            late = _as_if_begun(ended, now)
            return await _begin_periods(
                connection, in_force, ended, now, late, size, one_by_one=True
            )
        case Once():
            return await _plan_newcomers(connection, in_force, standing, now, size)
        case Rolling() as rolling:
            return await _plan_cycles(connection, in_force, rolling, standing, now, size)


def claims_ended(in_force: InForce, schedule: Claim, now: datetime) -> list[Period]:
    """List the periods that are over and for which nobody has claimed automatically yet (P22)."""
    ended = _ended(schedule, in_force.standing, now)
    program = in_force.program
    pay, _ = choose(ended, program.catch_up, _as_if_begun(ended, now), program.late_hours)
    return pay


def _ended(schedule: Claim, standing: StandingOf, now: datetime) -> list[Period]:
    begun = periods_after(schedule, standing.paid_until, standing.starts_at, now)
    return [period for period in begun if period.end <= now]


def _as_if_begun(ended: list[Period], now: datetime) -> datetime:
    """Count the lateness of a period from its end, for it is settled when it is over."""
    return ended[-1].start + (now - ended[-1].end) if ended else now


async def _begin_periods(
    connection: Connection,
    in_force: InForce,
    due: list[Period],
    now: datetime,
    late: datetime,
    size: int,
    *,
    one_by_one: bool = False,
) -> list[RunId]:
    """Take up the periods that have begun; what the policy leaves out is on record (P9).

    With ``one_by_one`` only the oldest that is to be paid: the others come with later ticks.
    """
    program = in_force.program
    mark = await read_mark(connection)
    last = await highest_holder_id(connection)
    pay, skipped = choose(due, program.catch_up, late, program.late_hours)
    if one_by_one:
        pay = pay[:1]
    made: list[RunId] = []
    for period in skipped:
        new = new_run(in_force, RunKind.SCHEDULED, period, now, state=RunState.SKIPPED)
        await runs.add_run(connection, new)
    for period in pay:
        run_id = await begin(connection, in_force, period, now, last, size)
        if run_id is not None:
            made.append(run_id)
    await store.set_paid_until(connection, in_force.program_id, (pay or due)[-1].end)
    await store.set_news(connection, in_force.program_id, mark, now)
    return made


async def begin(
    connection: Connection,
    in_force: InForce,
    period: Period,
    now: datetime,
    last: int,
    size: int = CHUNK,
    *,
    generation: int = 0,
    dry_run: bool = False,
    started_by: str | None = None,
    reason: str | None = None,
) -> RunId | None:
    """Make the run of one period over all holders; None if the period has one (P5).

    Where its total must be known first it waits for its estimate, which `Programs` makes.
    """
    new = new_run(
        in_force,
        RunKind.SCHEDULED,
        period,
        now,
        generation=generation,
        dry_run=dry_run,
        started_by=started_by,
        reason=reason,
        holders=last,
    )
    run_id = await runs.add_run(connection, new)
    if run_id is not None and last:
        await runs.add_range(connection, run_id, last, size)
    return run_id


async def take_up(
    connection: Connection,
    in_force: InForce,
    schedule: Calendar,
    standing: StandingOf,
    period: Period,
    now: datetime,
) -> None:
    """Count a period that an operator starts as taken up, and with it those due before.

    Raises `Rejected` ``earlier_period_due`` where the policy is to pay those first.
    """
    due = periods_after(schedule, standing.paid_until, standing.starts_at, now)
    if period not in due:
        return
    earlier = due[: due.index(period)]
    if earlier and in_force.program.catch_up == "all":
        raise Rejected(
            "earlier_period_due",
            f"{earlier[0].key} is due before {period.key}, and is to be paid: tick first",
            period=earlier[0].key,
        )
    for skipped in earlier:
        new = new_run(in_force, RunKind.SCHEDULED, skipped, now, state=RunState.SKIPPED)
        await runs.add_run(connection, new)
    await store.set_paid_until(connection, in_force.program_id, period.end)
    await store.set_news(connection, in_force.program_id, await read_mark(connection), now)


async def _plan_joiners(
    connection: Connection, in_force: InForce, standing: StandingOf, now: datetime, size: int
) -> list[RunId]:
    """Pay those who have joined, or changed, since the period's run began (P4)."""
    if standing.paid_until is None or standing.paid_until <= now:
        return []
    return await _joiners_at(connection, in_force, standing, now, now, size)


async def _last_joiners(
    connection: Connection,
    in_force: InForce,
    standing: StandingOf,
    following: Period,
    now: datetime,
    size: int,
) -> list[RunId]:
    """Pay who joined between the last look at a period and its end, before the next begins (P4)."""
    if standing.paid_until != following.start:
        return []
    within = following.start - _INSTANT
    return await _joiners_at(connection, in_force, standing, within, now, size)


async def _joiners_at(
    connection: Connection,
    in_force: InForce,
    standing: StandingOf,
    at: datetime,
    now: datetime,
    size: int,
) -> list[RunId]:
    """Look at the news for the period in which an instant lies, if its run gives or has given."""
    period = await runs.read_period_at(connection, in_force.program_id, at)
    if period is None:
        return []
    newest = await runs.read_newest(connection, in_force.program_id, period.key)
    if newest is None or newest.state not in _TAKEN_UP:
        return []
    generation = newest.generation
    return await _news(connection, in_force, standing, now, size, period, generation=generation)


async def _plan_newcomers(
    connection: Connection, in_force: InForce, standing: StandingOf, now: datetime, size: int
) -> list[RunId]:
    """Welcome those who joined since the last look."""
    period = Period("once", standing.starts_at, now, 1)
    return await _news(connection, in_force, standing, now, size, period)


async def _news(
    connection: Connection,
    in_force: InForce,
    standing: StandingOf,
    now: datetime,
    size: int,
    period: Period,
    *,
    generation: int = 0,
) -> list[RunId]:
    mark = await read_mark(connection)
    if standing.news == mark and standing.news_until == now:
        return []
    changed = await changed_between(
        connection, standing.news, mark, standing.news_until or standing.starts_at, now
    )
    if not changed:
        return []
    await store.set_news(connection, in_force.program_id, mark, now)
    return await _begin_listed(
        connection, in_force, period, changed, now, size, generation=generation
    )


async def _begin_listed(
    connection: Connection,
    in_force: InForce,
    period: Period,
    holder_ids: list[int],
    now: datetime,
    size: int,
    *,
    generation: int = 0,
) -> list[RunId]:
    """Make the run that looks at these holders."""
    count = len(holder_ids)
    new = new_run(in_force, RunKind.JOINERS, period, now, generation=generation, holders=count)
    run_id = await runs.add_run(connection, new)
    if run_id is None:
        return []
    await runs.add_listed(connection, run_id, holder_ids, size)
    return [run_id]


async def _plan_cycles(
    connection: Connection,
    in_force: InForce,
    schedule: Rolling,
    standing: StandingOf,
    now: datetime,
    size: int,
) -> list[RunId]:
    """Give newcomers their cycle, and make a run for whoever is due."""
    mark = await read_mark(connection)
    changed = await changed_between(
        connection, standing.news, mark, standing.news_until or standing.starts_at, now
    )
    made: list[RunId] = []
    if changed:
        other_tier = await enrol(connection, in_force, schedule, changed, now)
        await store.set_news(connection, in_force.program_id, mark, now)
        if other_tier and in_force.program.on_tier_change == "difference_now":
            # at those whose tier has changed, for what it gives beyond what they had (P4)
            tier = Period("tier", now, now, 1)
            made += await _begin_listed(connection, in_force, tier, other_tier, now, size)
    if not await any_due(connection, in_force.program_id, now):
        return made
    if await runs.has_open_run(connection, in_force.program_id):
        return made
    period = Period(now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), now, now, 1)
    run_id = await runs.add_run(connection, new_run(in_force, RunKind.SCHEDULED, period, now))
    if run_id is None:
        return made
    await runs.add_due(connection, run_id, in_force.program_id, now, size)
    return [*made, run_id]


def first_state(program: Program, *, dry_run: bool) -> RunState:
    """Say how a run begins: where its total must be known first it waits for its estimate (P10)."""
    limits = program.limits
    checked = limits.approve_above is not None or limits.run is not None
    return RunState.WAITING if checked and not dry_run else RunState.RUNNING


def new_run(
    in_force: InForce,
    kind: RunKind,
    period: Period,
    now: datetime,
    *,
    state: RunState | None = None,
    generation: int = 0,
    dry_run: bool = False,
    started_by: str | None = None,
    reason: str | None = None,
    holders: int = 0,
) -> NewRun:
    """Describe a run of a program as it is in force; it begins in its `first_state`, or this."""
    program = in_force.program
    dry_run = dry_run or program.dry_run
    return NewRun(
        kind=kind,
        state=first_state(program, dry_run=dry_run) if state is None else state,
        asset=program.asset,
        program_id=in_force.program_id,
        version=in_force.version,
        period=period,
        generation=generation,
        as_of=now,
        started_by=started_by or _BY_SCHEDULE,
        reason=reason or f"{program.name} {period.key}",
        dry_run=dry_run,
        holders=holders,
        ceiling=program.limits.run,
        day_ceiling=program.limits.day,
    )


def imagine(new: NewRun, in_force: InForce, now: datetime) -> Run:
    """Describe a run that is not to be made."""
    said = msgspec.structs.asdict(new)
    return Run(run_id=RunId(0), started_at=now, program=in_force.program.name, **said)

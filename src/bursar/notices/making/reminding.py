"""Reminding holders some days before a program gives, once for each period (N4).

In a rolling program everybody has a day of their own; in a calendar's all are reminded of a period
at once, which is a dispatch.
"""

from datetime import datetime, timedelta
from typing import Final

from bursar.holders.store_people import highest_holder_id
from bursar.notices.deriving import notice, spelled
from bursar.notices.making import store
from bursar.notices.making.placing import Outlets, put
from bursar.notices.making.store import Work
from bursar.notices.model import Kind, Notice
from bursar.notices.store import State
from bursar.platform.database import Connection
from bursar.programs.foresight import foresee, period_of_cycle
from bursar.programs.library import Library
from bursar.programs.model import Calendar, InForce, Period, Rolling
from bursar.programs.periods import upcoming
from bursar.programs.store import read_programs
from bursar.programs.switches import Switches

SLICE: Final = 2_000
_INSTANT: Final = timedelta(microseconds=1)


async def remind(
    connection: Connection,
    library: Library,
    state: State,
    outlets: Outlets,
    in_force: InForce,
    since: datetime | None = None,
) -> datetime | None:
    """Remind those of one program whose time has come, some; from when on there may be more.

    Those due before ``since`` are done with. Of a calendar's next period the dispatch is begun,
    once.
    """
    if not _reminds(in_force):
        return None
    ahead = timedelta(days=state.settings.reminder_days)
    schedule = in_force.program.schedule
    if isinstance(schedule, Calendar):
        period = _next(in_force, schedule, state)
        if period.start - ahead <= state.now < period.start:
            await store.begin_period(connection, in_force.program_id, period.key)
        return None
    if not isinstance(schedule, Rolling):
        return None
    due = await store.read_due_soon(
        connection,
        in_force.program_id,
        max(since or state.now, state.now + _INSTANT),
        state.now + ahead,
        SLICE,
    )
    # noted first: whom another worker reminds just now is waited for, and is not ours
    ours = await store.note_reminded(connection, in_force.program_id, due)
    periods = [
        (one.holder_id, period_of_cycle(schedule, one.due_at))
        for one in due
        if one.holder_id in ours
    ]
    await _remind(connection, library, state, outlets, in_force, periods)
    return due[-1].due_at if len(due) == SLICE else None


async def next_reminder(connection: Connection, state: State, in_force: InForce) -> datetime | None:
    """Tell when the first is to be reminded who need not be yet; None if that is not known."""
    if not _reminds(in_force):
        return None
    ahead = timedelta(days=state.settings.reminder_days)
    schedule = in_force.program.schedule
    due: datetime | None = None
    if isinstance(schedule, Calendar):
        due = _next(in_force, schedule, state).start
    elif isinstance(schedule, Rolling):
        due = await store.next_due_soon(connection, in_force.program_id, state.now + ahead)
    return None if due is None or due - ahead <= state.now else due - ahead


async def remind_slice(
    connection: Connection,
    library: Library,
    state: State,
    outlets: Outlets,
    work: Work,
    switches: Switches,
) -> None:
    """Remind some holders of a calendar's period; once it has begun it is too late."""
    programs = map(switches.applied, await read_programs(connection))
    found = [program for program in programs if program.program_id == work.program_id]
    schedule = found[0].program.schedule if found else None
    if not found or not isinstance(schedule, Calendar) or not _reminds(found[0]):
        await store.finish(connection, work.dispatch_id)
        return
    period = _next(found[0], schedule, state)
    first, last = work.holder_id + 1, await highest_holder_id(connection)
    if period.key != work.period_key or first > last:
        await store.finish(connection, work.dispatch_id)
        return
    until = min(last, work.holder_id + SLICE)
    made = await _remind(
        connection,
        library,
        state,
        outlets,
        found[0],
        [(holder_id, period) for holder_id in range(first, until + 1)],
        dispatch_id=work.dispatch_id,
    )
    after = work._replace(holder_id=until)
    await store.advance(connection, after, looked=until - first + 1, made=made)


async def _remind(
    connection: Connection,
    library: Library,
    state: State,
    outlets: Outlets,
    in_force: InForce,
    periods: list[tuple[int, Period]],
    *,
    dispatch_id: int | None = None,
) -> int:
    """Remind those of these holders who will be given something; how many deliveries that made."""
    amounts = await foresee(connection, library, in_force, periods)
    ahead = timedelta(days=state.settings.reminder_days)
    notices: list[Notice] = []
    for holder_id, period in periods:
        if holder_id not in amounts:
            continue
        name = in_force.program.name
        data = {
            "asset": in_force.program.asset,
            "amount": amounts[holder_id],
            "program": name,
            "period": period.key,
            "due_at": spelled(period.start),
        }
        fact = f"{Kind.REMINDER}:{name}:{period.key}"
        notices.append(notice(holder_id, Kind.REMINDER, fact, period.start - ahead, data))
    return await put(connection, state, outlets, notices, dispatch_id=dispatch_id)


def _reminds(in_force: InForce) -> bool:
    program = in_force.program
    return in_force.gives and not program.dry_run and Kind.REMINDER in program.terms.notices


def _next(in_force: InForce, schedule: Calendar, state: State) -> Period:
    standing = in_force.standing
    return upcoming(schedule, standing.paid_until, standing.starts_at, state.now)

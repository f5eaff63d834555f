"""Looking ahead: which period is meant, and which comes next."""

from datetime import datetime

from bursar.platform.database import Connection
from bursar.platform.errors import Missing
from bursar.programs.definitions import starts_at
from bursar.programs.model import (
    Calendar,
    Claim,
    InForce,
    Once,
    Period,
    Program,
    Rolling,
    StandingOf,
)
from bursar.programs.periods import period_at, periods_after, upcoming
from bursar.programs.rolling import key_of
from bursar.programs.runs import store as runs


def next_period(program: Program, standing: StandingOf | None, now: datetime) -> Period:
    """Name the period that a program would pay next, begun or not."""
    begins = starts_at(program, now) if standing is None else standing.starts_at
    paid_until = None if standing is None else standing.paid_until
    match program.schedule:
        case Calendar() as calendar:
            due = periods_after(calendar, paid_until, begins, now)
            return due[-1] if due else upcoming(calendar, paid_until, begins, now)
        case Claim() as claim:
            return period_at(claim, now)
        case Rolling() as rolling:
            return Period(key_of(rolling, now), now, now, rolling.days)
        case Once():
            return Period("once", begins, now, 1)


async def find_period(
    connection: Connection,
    in_force: InForce,
    standing: StandingOf,
    key: str | None,
    now: datetime,
) -> Period:
    """Find the period of a key, or the current one; raises `Missing` ``period_unknown``."""
    program = in_force.program
    schedule = program.schedule
    if not isinstance(schedule, Calendar):
        return next_period(program, standing, now)
    if key is None:
        taken_up = await runs.read_period_at(connection, in_force.program_id, now)
        return taken_up or next_period(program, standing, now)
    newest = await runs.read_period(connection, in_force.program_id, key)
    if newest is not None:
        return newest
    # what is taken up is on record, above: another schedule's period may overlap it
    begun = periods_after(schedule, standing.paid_until, standing.starts_at, now)
    for period in [*begun, upcoming(schedule, standing.paid_until, standing.starts_at, now)]:
        if period.key == key:
            return period
    known = begun[-1].key if begun else "none has begun"
    raise Missing(
        "period_unknown",
        f"{program.name} has no period {key!r}; the newest is {known}",
        program=program.name,
        period=key,
    )

"""Putting programs in force, version by version (I7, P5)."""

from datetime import datetime

import msgspec

from bursar.holders.store_people import read_mark
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Rejected
from bursar.programs import store
from bursar.programs.library import compile_rules
from bursar.programs.model import Calendar, Claim, Once, Program, Rolling
from bursar.programs.periods import period_at, upcoming
from bursar.programs.references import zone_of
from bursar.programs.zones import MIDNIGHT, hour_of, instant_of


async def put(connection: Connection, program: Program, *, actor: str, reason: str) -> int:
    """Put a program in force; the version it now has. The same again is no new version.

    A new version's first period begins where what is paid ends. Raises `Invalid` for expressions
    that do not compile, `Rejected` ``program_asset`` for another asset than before.
    """
    compile_rules(program)
    now = await store.read_now(connection)
    locked = await store.lock_program(connection, program.name)
    if locked is None:
        # a rolling program has everybody's cycle to begin, others only look at who comes
        everybody = isinstance(program.schedule, Rolling)
        mark = None if everybody else await read_mark(connection)
        added = await store.add_program(connection, program, starts_at(program, now), mark)
        if added is None:
            raise Conflict("program_moved", f"{program.name} was added meanwhile: try again")
        await store.add_version(connection, added, 1, program, actor=actor, reason=reason)
        return 1
    program_id, version, paid_until, retired, before = locked
    if before.asset != program.asset:
        raise Rejected(
            "program_asset",
            f"{program.name} gives {before.asset}: its asset cannot become {program.asset}",
            program=program.name,
        )
    if before == program and not retired:
        return version
    if type(before.schedule) is not type(program.schedule):
        raise Rejected(
            "program_schedule",
            f"{program.name} cannot change its kind of schedule: retire it, add another",
            program=program.name,
        )
    if before.reference != program.reference and (
        paid_until is not None or isinstance(program.schedule, Once)
    ):
        raise Rejected(
            "program_reference",
            f"{program.name} has paid under {before.reference!r}: under another reference it would"
            " pay again; retire it, add another",
            program=program.name,
        )
    if retired and paid_until is not None and paid_until <= now:
        # while it was retired it owed nothing
        fresh = starts_at(msgspec.structs.replace(program, starts=None), now)
        begins = max(fresh, starts_at(program, now))
        await store.set_paid_until(connection, program_id, begins)
    if paid_until is None:
        await store.set_starts_at(connection, program_id, starts_at(program, now))
    await store.add_version(
        connection, program_id, version + 1, program, actor=actor, reason=reason
    )
    return version + 1


def starts_at(program: Program, now: datetime) -> datetime:
    """Tell from when on a program gives.

    Its first period is the one that contains this instant: the one of the date that it names, else
    the first that begins from now on.
    """
    if program.starts is not None:
        # the day's own period, whatever the hour: that of the day before must not be paid as well
        schedule = program.schedule
        hour = hour_of(schedule.at) if isinstance(schedule, Calendar) else MIDNIGHT
        return instant_of(program.starts, hour, zone_of(program))
    match program.schedule:
        case Calendar() as calendar:
            return upcoming(calendar, None, now, now).start
        case Claim() as claim:
            return period_at(claim, now).start
        case _:
            return now

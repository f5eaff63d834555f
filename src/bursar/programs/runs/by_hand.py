"""What a grant by hand is: whom it is for, and by which rules (P14)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from bursar.holders.store_people import highest_holder_id
from bursar.ledger import MAX_AMOUNT
from bursar.ledger.reading.given import read_given
from bursar.platform.database import Connection
from bursar.platform.errors import Rejected
from bursar.programs.due import first_state
from bursar.programs.model import InForce, RunId
from bursar.programs.outlook import next_period
from bursar.programs.runs import store as runs
from bursar.programs.runs.model import Chunk, NewRun, Run


def must_be_on(in_force: InForce) -> None:
    """Refuse what a program that is switched off would do; raises `Rejected` ``program_off``."""
    if not in_force.gives:
        name = in_force.program.name
        raise Rejected("program_off", f"{name} is switched off or retired", program=name)


def for_program(new: NewRun, in_force: InForce, now: datetime) -> NewRun:
    """Let a grant by hand follow a program: its asset, its rules, its limits (P14)."""
    must_be_on(in_force)
    limits = in_force.program.limits
    dry_run = new.dry_run or in_force.program.dry_run
    return msgspec.structs.replace(
        new,
        asset=in_force.program.asset,
        program_id=in_force.program_id,
        version=in_force.version,
        period=next_period(in_force.program, in_force.standing, now),
        state=first_state(in_force.program, dry_run=dry_run),
        dry_run=dry_run,
        ceiling=limits.run,
        day_ceiling=limits.day,
    )


async def holders_of(connection: Connection, run: Run) -> list[int]:
    """Name the holders to whom a run has given, in order."""
    whole = Chunk(run.run_id, 0, 0, MAX_AMOUNT, None)
    found: set[int] = set()
    for source in await runs.read_sources(connection, run.run_id, whole):
        found.update(given.holder_id for given in await read_given(connection, *source, run.name))
    return sorted(found)


async def lay_out(
    connection: Connection, run_id: RunId, chosen: Sequence[int] | None, size: int
) -> None:
    """Cut these holders, or all, into chunks."""
    if chosen is not None:
        await runs.add_listed(connection, run_id, chosen, size)
        await runs.set_holders(connection, run_id, len(chosen))
        return
    last = await highest_holder_id(connection)
    await runs.set_holders(connection, run_id, last)
    if last:
        await runs.add_range(connection, run_id, last, size)

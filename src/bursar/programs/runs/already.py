"""Leaving out who has been given already (P5).

The ledger accepts a reference once, and so pays nobody twice for one. What it cannot know is left
out here: what a preview must not count, and awards of the same period under other references.
"""

from bursar.ledger.reading.given import read_by_references
from bursar.platform.database import Connection
from bursar.programs.references import reference_of
from bursar.programs.runs.awarding import ALREADY_PAID
from bursar.programs.runs.model import Awards, Group
from bursar.programs.runs.store_period import paid_before
from bursar.programs.runs.work import Work


async def leave_out_paid(connection: Connection, asset: str, awards: Awards) -> None:
    """Leave out whoever has an entry of the very reference."""
    for group in awards.groups.values():
        if group.holder_ids:
            paid = await read_by_references(connection, asset, group.holder_ids, [group.reference])
            _without(awards, group, {holder_id for holder_id, _ in paid})


async def leave_out_kept(connection: Connection, work: Work, awards: Awards) -> None:
    """Leave out, where a period is run again, whoever has kept what it gave before.

    The reversal of a run takes back what that run gave, and not what joiners, or a run canceled
    before it, had.
    """
    period, program = work.run.period, work.program
    earlier = [
        reference_of(program, period.key, period.start, generation)
        for generation in range(work.run.generation)
    ]
    if not earlier:
        return
    for group in awards.groups.values():
        if group.holder_ids:
            kept = await paid_before(connection, work.run.asset, group.holder_ids, earlier)
            _without(awards, group, kept)


def _without(awards: Awards, group: Group, holders: set[int]) -> None:
    if not holders:
        return
    rows = list(zip(group.holder_ids, group.amounts, group.notes, strict=True))
    rest = [row for row in rows if row[0] not in holders]
    for holder_id, _, _ in rows:
        if holder_id in holders:
            awards.exclude(holder_id, ALREADY_PAID)
    group.holder_ids = [row[0] for row in rest]
    group.amounts = [row[1] for row in rest]
    group.notes = [row[2] for row in rest]

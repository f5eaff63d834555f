"""What a run would come to, decided as the run itself decides, and nothing written (P6)."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from bursar.holders.store_people import highest_holder_id
from bursar.platform.database import Connection
from bursar.programs.due import CHUNK
from bursar.programs.model import RunId
from bursar.programs.runs.already import leave_out_paid
from bursar.programs.runs.deciding import decide
from bursar.programs.runs.model import Awards, Chunk, Estimate
from bursar.programs.runs.work import Work

_NO_RUN: Final = RunId(0)


async def preview(
    connection: Connection,
    work: Work,
    *,
    holder_ids: Sequence[int] | None = None,
    chunks: list[Chunk] | None = None,
    size: int = CHUNK,
) -> AsyncIterator[Awards]:
    """Decide chunk after chunk, for everybody, these holders or these chunks of a run.

    Who is paid is left out.
    """
    if chunks is None:
        chunks = await _chunks_of(connection, holder_ids, size)
    for chunk in chunks:
        awards, _ = await decide(connection, work, chunk)
        await leave_out_paid(connection, work.run.asset, awards)
        yield awards


async def estimate(
    connection: Connection,
    work: Work,
    *,
    holder_ids: Sequence[int] | None = None,
    chunks: list[Chunk] | None = None,
    seen: Callable[[Awards], None] | None = None,
) -> Estimate:
    """Add up a preview; ``seen`` is shown each part of it."""
    excluded: Counter[str] = Counter()
    awarded = amount = failed = 0
    async for awards in preview(connection, work, holder_ids=holder_ids, chunks=chunks):
        awarded += awards.count
        amount += awards.amount
        failed += len(awards.failures)
        excluded.update(awards.excluded)
        if seen is not None:
            seen(awards)
    holders = awarded + failed + sum(excluded.values())
    return Estimate(holders, awarded, amount, failed, dict(sorted(excluded.items())))


async def _chunks_of(
    connection: Connection, holder_ids: Sequence[int] | None, size: int
) -> list[Chunk]:
    if holder_ids is not None:
        chosen = sorted(set(holder_ids))
        parts = [chosen[n : n + size] for n in range(0, len(chosen), size)]
        return [Chunk(_NO_RUN, 0, part[0], part[-1], part) for part in parts]
    last = await highest_holder_id(connection)
    return [
        Chunk(_NO_RUN, 0, first, min(first + size - 1, last), None)
        for first in range(1, last + 1, size)
    ]

"""The SQL of a period that is run again: what of it stands, and what must not go on."""

from collections.abc import Sequence
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.platform.arrays import int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries
from bursar.programs.runs.model import Chunk

QUERIES: Final = Queries("bursar.programs.runs", "period.sql")


async def paid_before(
    connection: Connection, asset: str, holder_ids: Sequence[int], references: Sequence[str]
) -> set[int]:
    """Tell who has an award of these references that no reversal of a run has taken back."""
    values = {
        "asset": asset,
        "holder_ids": int8s(holder_ids),
        "references": texts(references),
    }
    return {row[0] for row in await _all(connection, "paid_before", values)}


async def end_joiners(
    connection: Connection, program_id: int, period_key: str, generation: int, note: str
) -> None:
    """Wait for the joiners' runs of a period, and let none of them give anything more."""
    values: dict[str, Any] = {
        "program_id": Int4(program_id),
        "period_key": period_key,
        "generation": Int4(generation),
    }
    await _all(connection, "hold_joiners", values)
    await _all(connection, "end_joiners", values | {"note": note})


async def read_chunks(connection: Connection, run_id: int) -> list[Chunk]:
    """Read the parts of a run, done or not, in order."""
    return [Chunk(*row) for row in await _all(connection, "read_chunks", {"run_id": Int8(run_id)})]


async def read_listed(connection: Connection, run_id: int) -> list[int] | None:
    """Read the holders whom a run was made for, in order; None if it is for everybody."""
    found: set[int] = set()
    for chunk in await read_chunks(connection, run_id):
        if chunk.holder_ids is None:
            return None
        found.update(chunk.holder_ids)
    return sorted(found)


async def _all(connection: Connection, name: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

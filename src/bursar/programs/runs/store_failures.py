"""The SQL of a run's failures and exclusions: typed rows in and out."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from psycopg.types.numeric import Int4, Int8

from bursar.platform.arrays import int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.programs.model import RunId
from bursar.programs.runs.model import Chunk, Exclusion, Failure
from bursar.programs.runs.store import QUERIES


async def add_failures(
    connection: Connection, run_id: RunId, failures: Sequence[tuple[int, str, str]]
) -> list[tuple[int, int]]:
    """Set holders aside; returns them with the number of their tries (P8)."""
    holder_ids, codes, messages = zip(*failures, strict=True)
    values = {
        "run_id": Int8(run_id),
        "holder_ids": int8s(holder_ids),
        "codes": texts(codes),
        "messages": texts([m[:500].replace("\x00", "") for m in messages]),
    }
    return [(row[0], row[1]) for row in await _all(connection, "add_failures", values)]


async def summarise(connection: Connection, day: date) -> None:
    """Tell the operators, once a day, whom runs have set aside on a UTC day and the six before."""
    await _all(connection, "summarise_failures", {"day": day})


async def resolve_failures(
    connection: Connection, run_id: RunId, holder_ids: Sequence[int]
) -> None:
    """Close the matter of holders who have been decided now."""
    values = {"run_id": Int8(run_id), "holder_ids": int8s(holder_ids)}
    await _all(connection, "resolve_failures", values)


async def take_failures(
    connection: Connection, run_id: RunId | None = None
) -> dict[RunId, list[int]]:
    """Take up to 10,000 holders whose next try is due, or who are left of one run."""
    taken: dict[RunId, list[int]] = {}
    for run, holder_id in await _all(
        connection, "take_failures", {"run_id": None if run_id is None else Int8(run_id)}
    ):
        taken.setdefault(RunId(run), []).append(holder_id)
    return taken


async def read_failures(
    connection: Connection, run_id: RunId, *, after: int = 0, everything: bool, limit: int
) -> list[Failure]:
    """Read whom a run has set aside, in order of their numbers."""
    values = {
        "run_id": Int8(run_id),
        "after": Int8(after),
        "all": everything,
        "limit": Int4(limit),
    }
    return [Failure(*row) for row in await _all(connection, "read_failures", values)]


async def add_exclusions(
    connection: Connection, chunk: Chunk, left_out: Sequence[tuple[int, str, str]]
) -> None:
    """Keep whom a chunk has left out, why, and of which period if not the run's."""
    holder_ids, reasons, period_keys = zip(*left_out, strict=True)
    values = {
        "run_id": Int8(chunk.run_id),
        "chunk_no": Int4(chunk.chunk_no),
        "holder_ids": int8s(holder_ids),
        "reasons": texts(reasons),
        "period_keys": texts(period_keys),
    }
    await _all(connection, "add_exclusions", values)


async def read_exclusions(
    connection: Connection, run_id: RunId, *, after: int = 0, limit: int
) -> list[Exclusion]:
    """Read whom a run has left out, of the reasons that its program keeps."""
    values = {"run_id": Int8(run_id), "after": Int8(after), "limit": Int4(limit)}
    return [Exclusion(*row) for row in await _all(connection, "read_exclusions", values)]


async def read_next_retry(connection: Connection) -> datetime | None:
    """Tell when the next holder set aside is to be tried."""
    instant: datetime | None = (await _all(connection, "next_retry"))[0][0]
    return instant


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

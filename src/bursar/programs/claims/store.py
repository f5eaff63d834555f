"""The SQL of streaks: typed rows in and out."""

from collections.abc import Sequence
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.platform.arrays import dates, int4s, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries
from bursar.programs.streaks import StreakState

QUERIES: Final = Queries("bursar.programs.claims")


async def lock_streak(
    connection: Connection, program_id: int, holder_id: int
) -> StreakState | None:
    """Read a holder's streak, held until the transaction ends; None if there is none yet."""
    values = {"program_id": Int4(program_id), "holder_id": Int8(holder_id)}
    rows = await _all(connection, "lock_streak", values)
    return _state(rows[0]) if rows else None


async def read_streak(
    connection: Connection, program_id: int, holder_id: int
) -> StreakState | None:
    """Read a holder's streak; None if there is none yet."""
    values = {"program_id": Int4(program_id), "holder_id": Int8(holder_id)}
    rows = await _all(connection, "read_streak", values)
    return _state(rows[0]) if rows else None


async def lock_streaks(
    connection: Connection, program_id: int, first: int, last: int
) -> dict[int, StreakState]:
    """Read the streaks of a range of holders, held until the transaction ends."""
    values = {"program_id": Int4(program_id), "first": Int8(first), "last": Int8(last)}
    rows = await _all(connection, "lock_streaks", values)
    return {row[0]: _state(row) for row in rows}


async def write_streaks(
    connection: Connection, program_id: int, states: Sequence[tuple[int, StreakState]]
) -> None:
    """Write streaks as they are after a claim."""
    claimed = [(h, s, s.last_day) for h, s in states if s.last_day is not None]
    if not claimed:
        return
    values = {
        "program_id": Int4(program_id),
        "holder_ids": int8s([h for h, _, _ in claimed]),
        "lengths": int4s([s.length for _, s, _ in claimed]),
        "last_days": dates([day for _, _, day in claimed]),
        "frozen": texts([",".join(map(str, s.frozen)) or None for _, s, _ in claimed]),
    }
    await _all(connection, "write_streaks", values)


def _state(row: Sequence[Any]) -> StreakState:
    return StreakState(row[1], row[2], tuple(row[3]))


async def _all(connection: Connection, name: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

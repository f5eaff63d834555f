"""The SQL of cycles: typed rows in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.types.numeric import Int4, Int8

from bursar.platform.arrays import instants, int4s, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries
from bursar.programs.rolling import Cycle

QUERIES: Final = Queries("bursar.programs.cycles")


class HolderCycle(NamedTuple):
    """One holder's cycle, as read."""

    holder_id: int
    cycle: Cycle
    last_award_at: datetime | None
    tier: str


class CycleMove(NamedTuple):
    """Where a cycle goes from the one read; ``award_at`` if something was given."""

    holder_id: int
    read_due: datetime
    cycle: Cycle
    look_at: datetime
    award_at: datetime | None
    tier: str


async def any_due(connection: Connection, program_id: int, now: datetime) -> bool:
    """Tell whether anybody is to be looked at."""
    values = {"program_id": Int4(program_id), "now": now}
    return await _all(connection, "any_due", values) == [(True,)]


async def next_look(connection: Connection, program_id: int) -> datetime | None:
    """Tell when somebody is next to be looked at."""
    rows = await _all(connection, "next_look", {"program_id": Int4(program_id)})
    instant: datetime | None = rows[0][0]
    return instant


async def read_due(
    connection: Connection, program_id: int, first: int, last: int, as_of: datetime
) -> list[HolderCycle]:
    """Read the cycles to look at among a range of holders, in order."""
    values = {
        "program_id": Int4(program_id),
        "first": Int8(first),
        "last": Int8(last),
        "as_of": as_of,
    }
    return [_cycle(row) for row in await _all(connection, "read_cycles", values)]


async def read_of(
    connection: Connection, program_id: int, holder_ids: Sequence[int]
) -> list[HolderCycle]:
    """Read the cycles of these holders, in order."""
    values = {"program_id": Int4(program_id), "holder_ids": int8s(holder_ids)}
    return [_cycle(row) for row in await _all(connection, "read_cycles_of", values)]


async def add(
    connection: Connection, program_id: int, new: Sequence[tuple[int, Cycle, str]]
) -> None:
    """Begin the cycles of holders who have none: (holder, cycle, tier)."""
    if not new:
        return
    holder_ids, cycles, tiers = zip(*new, strict=True)
    values = {
        "program_id": Int4(program_id),
        "holder_ids": int8s(holder_ids),
        "occurrences": int4s([c.n for c in cycles]),
        "anchors": instants([c.anchor for c in cycles]),
        "dues": instants([c.due_at for c in cycles]),
        "tiers": texts(tiers),
    }
    await _all(connection, "add_cycles", values)


async def move(connection: Connection, program_id: int, moves: Sequence[CycleMove]) -> None:
    """Move cycles on, each only from where it was read."""
    if not moves:
        return
    values = {
        "program_id": Int4(program_id),
        "holder_ids": int8s([m.holder_id for m in moves]),
        "read_dues": instants([m.read_due for m in moves]),
        "occurrences": int4s([m.cycle.n for m in moves]),
        "anchors": instants([m.cycle.anchor for m in moves]),
        "dues": instants([m.cycle.due_at for m in moves]),
        "looks": instants([m.look_at for m in moves]),
        "awards": instants([m.award_at for m in moves]),
        "tiers": texts([m.tier for m in moves]),
    }
    await _all(connection, "move_cycles", values)


def _cycle(row: Sequence[Any]) -> HolderCycle:
    return HolderCycle(row[0], Cycle(row[2], row[1], row[3]), row[4], row[5])


async def _all(connection: Connection, name: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

"""The SQL of the doctor: the facts, read once."""

import time
from typing import Any, Final

from psycopg.types.numeric import Int8

from bursar.operation.doctor import LARGE_ROWS, LONG_S, SETTINGS
from bursar.operation.symptoms import BooksFacts, OpenTransaction, Rights, ServerFacts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.operation", "doctor.sql")


async def read_server(connection: Connection) -> ServerFacts:
    """Read what there is to know of a server, with or without Bursar's schema on it."""
    skew_ms, row = await _with_skew(connection)
    settings = await _all(connection, "read_settings", {"names": [*SETTINGS, "data_checksums"]})
    open_ = await _all(connection, "read_open_transactions", {"seconds": float(LONG_S)})
    return ServerFacts(
        major=row[0],
        version=row[1],
        standby=row[2],
        login=row[3],
        role=row[4],
        connections=row[5],
        most_connections=row[6],
        checksum_failures=row[7],
        age=row[8],
        skew_ms=skew_ms,
        settings=dict(settings),
        rights=tuple(Rights(*r) for r in await _all(connection, "read_rights")),
        transactions=tuple(OpenTransaction(*r) for r in open_),
        invalid_indexes=await _names(connection, "read_invalid_indexes"),
        neglected=await _names(connection, "read_neglected_tables", {"rows": Int8(LARGE_ROWS)}),
    )


async def read_books(connection: Connection) -> BooksFacts:
    """Read what Bursar's own tables say; the schema must be this program's."""
    row = (await _all(connection, "read_books"))[0]
    held = await _all(connection, "read_held_back")
    checked_h, found = (await _all(connection, "read_last_check"))[0]
    return BooksFacts(
        entries=row[0],
        programs=row[1],
        admin_key=row[2],
        sandbox=row[3],
        moved_s=row[4],
        held_back_s=held[0][0] if held else None,
        checked_h=checked_h,
        found=found,
        workers=dict(await _all(connection, "read_workers")),
        alerts=dict(await _all(connection, "read_open_alerts")),
    )


async def read_behind(connection: Connection, follower: str) -> int:
    """Read for how many seconds the oldest posting that a follower has not seen has waited."""
    rows = await _all(connection, "read_behind", {"follower": follower})
    return rows[0][0] if rows else 0


async def _with_skew(connection: Connection) -> tuple[int, Any]:
    """Read the server, and by how much its clock is ahead of this machine's, in milliseconds.

    It was read somewhere between our two looks at our own: what lies between counts for nothing.
    """
    await _all(connection, "read_server")  # the first time it is planned, which takes long
    before = time.time_ns() // 1_000_000
    row = (await _all(connection, "read_server"))[0]
    after = time.time_ns() // 1_000_000
    there: int = row[9]
    return max(there - after, 0) + min(there - before, 0), row


async def _names(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> tuple[str, ...]:
    return tuple(row[0] for row in await _all(connection, name, values))


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

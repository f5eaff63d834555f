"""The SQL of rates: windows in and out."""

from collections.abc import Mapping, Sequence
from typing import Final

from bursar.access.window import Window, pack, unpack
from bursar.platform.arrays import byteas, int8s
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.access", "rates.sql")
_BLANK: Final = pack(Window(0))


async def add_subjects(connection: Connection, subjects: Sequence[bytes]) -> None:
    """Make rows for those that have none; must not be in a transaction that holds others."""
    values = {"subjects": byteas(subjects), "blank": _BLANK}
    await fetch(connection, QUERIES.numbered("add_rates"), values)


async def lock_windows(
    connection: Connection, subjects: Sequence[bytes]
) -> dict[bytes, tuple[Window, int]]:
    """Lock the windows of those subjects that are there; each with its instant in microseconds."""
    rows = await fetch(connection, QUERIES.numbered("lock_rates"), {"subjects": byteas(subjects)})
    return {row[0]: (unpack(row[1], row[2]), row[3]) for row in rows}


async def write_windows(connection: Connection, windows: Mapping[bytes, Window]) -> None:
    """Write windows that are locked."""
    values = {
        "subjects": byteas(list(windows)),
        "seconds": int8s([window.second for window in windows.values()]),
        "givens": byteas([pack(window) for window in windows.values()]),
    }
    await fetch(connection, QUERIES.numbered("write_rates"), values)


async def drop_old(connection: Connection) -> None:
    """Forget subjects that were given nothing for over two minutes."""
    await fetch(connection, QUERIES.numbered("drop_rates"))

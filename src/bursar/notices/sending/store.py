"""The SQL of the queue: typed rows in and out."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bursar.notices.sending.model import NewDelivery
from bursar.platform.arrays import instants, int4s, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.sending")


async def add(connection: Connection, rows: Sequence[NewDelivery]) -> int:
    """Put deliveries into the queue in the caller's transaction; returns how many are new.

    The same notice to the same place is there once, however often it is added (N5). Any number of
    rows is one statement; who adds many goes in slices of 10,000.
    """
    if not rows:
        return 0
    values = {
        "notice_ids": texts([str(row.notice_id) for row in rows]),
        "channels": texts([row.channel.value for row in rows]),
        "kinds": texts([row.kind.value for row in rows]),
        "happened": instants([row.happened_at for row in rows]),
        "due": instants([row.due_at for row in rows]),
        "holder_ids": int8s([row.holder_id or 0 for row in rows]),
        "endpoint_ids": int4s([row.endpoint_id for row in rows]),
        "addresses": texts([row.address for row in rows]),
        "dispatch_ids": int8s([row.dispatch_id or 0 for row in rows]),
        "notes": texts([row.parked_note for row in rows]),
        "data": texts([msgspec.json.encode(row.data).decode() for row in rows]),
    }
    added: int = (await _all(connection, "add_deliveries", values))[0][0]
    return added


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

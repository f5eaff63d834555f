"""The SQL of what an operator has sent again: typed rows in and out."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.notices.model import Channel, DeliveryState
from bursar.notices.sending.model import Span, Standing
from bursar.notices.sending.store import RESTORED
from bursar.platform.arrays import texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.sending", "steering.sql")


async def lock(connection: Connection, delivery_id: int) -> Standing | None:
    """Hold a delivery until the transaction ends."""
    rows = await _all(connection, "lock_delivery", {"delivery_id": Int8(delivery_id)})
    return Standing(DeliveryState(rows[0][0]), *rows[0][1:]) if rows else None


async def replay(connection: Connection, delivery_id: int) -> None:
    """Let a delivery be sent now, with all its tries."""
    await _all(connection, "replay_delivery", {"delivery_id": Int8(delivery_id)})


async def is_endpoint(connection: Connection, endpoint_id: int) -> bool:
    """Tell whether there is such an endpoint."""
    return bool(await _all(connection, "endpoint_is_there", {"endpoint_id": Int4(endpoint_id)}))


async def replay_range(connection: Connection, endpoint_id: int, span: Span) -> int:
    """Let what was made for an endpoint in a span be sent again; returns how many."""
    values = {"endpoint_id": Int4(endpoint_id), **_span(span)}
    return await _count(connection, "replay_range", values)


async def replay_mail(connection: Connection, span: Span) -> int:
    """Let the letters that were made in a span be sent again; returns how many.

    What a restore has parked is left to `release`.
    """
    return await _count(connection, "replay_mail", _span(span) | {"restored": RESTORED})


async def release(connection: Connection, channel: Channel, note: str) -> int:
    """Let what is parked under a note be sent; returns how many."""
    return await _count(connection, "release_parked", {"channel": channel.value, "note": note})


def _span(span: Span) -> dict[str, Any]:
    return {
        "since": span.since,
        "until": span.until,
        "kinds": texts([kind.value for kind in span.kinds]) if span.kinds else None,
        "states": texts([*span.states]),
    }


async def _count(connection: Connection, name: str, values: Mapping[str, Any]) -> int:
    number: int = (await _all(connection, name, values))[0][0]
    return number


async def _all(connection: Connection, name: str, values: Mapping[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

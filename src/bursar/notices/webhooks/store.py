"""The SQL of endpoints: typed rows in and out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from psycopg.types.numeric import Int4

from bursar.notices.model import Kind
from bursar.notices.webhooks.model import Endpoint, EndpointId, EndpointState, Target
from bursar.platform.arrays import texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.webhooks")


async def begin_change(connection: Connection) -> datetime:
    """Wait for whoever else changes endpoints; returns the world's instant."""
    await _all(connection, "begin_change")
    [(now,)] = await _all(connection, "read_now")
    return now  # type: ignore[no-any-return]


async def read_endpoints(connection: Connection) -> list[Endpoint]:
    """List the endpoints, the oldest first."""
    rows = await _all(connection, "read_endpoints", {"endpoint_id": None, "removed": False})
    return [_endpoint(row) for row in rows]


async def read_endpoint(
    connection: Connection, endpoint_id: EndpointId
) -> tuple[Endpoint, bool] | None:
    """Find an endpoint, and tell whether it was removed."""
    asked = {"endpoint_id": Int4(endpoint_id), "removed": True}
    rows = await _all(connection, "read_endpoints", asked)
    return (_endpoint(rows[0]), rows[0][9]) if rows else None


async def add_endpoint(
    connection: Connection,
    *,
    url: str,
    description: str,
    kinds: tuple[Kind, ...],
    secret: bytes,
    now: datetime,
) -> EndpointId:
    """Write an endpoint; it is on."""
    values = {
        "url": url,
        "description": description,
        "kinds": texts(kinds),
        "secret": secret,
        "now": now,
    }
    [(endpoint_id,)] = await _all(connection, "add_endpoint", values)
    return EndpointId(endpoint_id)


async def change_endpoint(connection: Connection, endpoint: Endpoint, now: datetime) -> None:
    """Write what an operator says of an endpoint."""
    values = {
        "endpoint_id": Int4(endpoint.endpoint_id),
        "url": endpoint.url,
        "description": endpoint.description,
        "kinds": texts(endpoint.kinds),
        "state": endpoint.state,
        "why": endpoint.why,
        "now": now,
    }
    await _all(connection, "change_endpoint", values)


async def read_secret(connection: Connection, endpoint_id: EndpointId) -> bytes:
    """Read the sealed secret that an endpoint has."""
    [(secret,)] = await _all(connection, "read_secret", {"endpoint_id": Int4(endpoint_id)})
    return bytes(secret)


async def replace_secret(
    connection: Connection,
    endpoint_id: EndpointId,
    *,
    secret: bytes,
    old: tuple[bytes, datetime] | None,
    now: datetime,
) -> None:
    """Give an endpoint a new secret; ``old`` is the one that signs as well, and until when."""
    values = {
        "endpoint_id": Int4(endpoint_id),
        "secret": secret,
        "old_secret": old[0] if old else None,
        "old_until": old[1] if old else None,
        "now": now,
    }
    await _all(connection, "replace_secret", values)


async def read_sealed(connection: Connection) -> list[tuple[EndpointId, bytes, bytes | None]]:
    """Read what is sealed of each endpoint: its secret, and the one before if it is kept."""
    rows = await _all(connection, "read_sealed")
    return [
        (EndpointId(row[0]), bytes(row[1]), None if row[2] is None else bytes(row[2]))
        for row in rows
    ]


async def write_sealed(
    connection: Connection, endpoint_id: EndpointId, secret: bytes, old: bytes | None
) -> None:
    """Write an endpoint's secrets as they are sealed now."""
    values = {"endpoint_id": Int4(endpoint_id), "secret": secret, "old_secret": old}
    await _all(connection, "write_sealed", values)


async def remove_endpoint(connection: Connection, endpoint_id: EndpointId, now: datetime) -> None:
    """End an endpoint; its row stays, for its deliveries name it."""
    await _all(connection, "remove_endpoint", {"endpoint_id": Int4(endpoint_id), "now": now})


async def drop_deliveries(
    connection: Connection, endpoint_id: EndpointId, *, note: str, most: int
) -> int:
    """Drop up to ``most`` of what waits for an endpoint; returns how many were there."""
    values = {"endpoint_id": Int4(endpoint_id), "note": note, "most": Int4(most)}
    [(dropped,)] = await _all(connection, "drop_deliveries", values)
    return dropped  # type: ignore[no-any-return]


async def read_target(connection: Connection, endpoint_id: int) -> Target | None:
    """Read what sending needs; None for an endpoint that was removed, or never was."""
    rows = await _all(connection, "read_target", {"endpoint_id": Int4(endpoint_id)})
    if not rows:
        return None
    [row] = rows
    return Target(
        endpoint_id=EndpointId(row[0]),
        url=row[1],
        state=EndpointState(row[2]),
        changed_at=row[3],
        secret=bytes(row[4]),
        old_secret=None if row[5] is None else bytes(row[5]),
        now=row[6],
    )


async def switch_off(connection: Connection, target: Target, why: str) -> bool:
    """Switch an endpoint off, if it still is what was sent to."""
    values = {
        "endpoint_id": Int4(target.endpoint_id),
        "seen": target.changed_at,
        "why": why,
    }
    return bool(await _all(connection, "switch_off", values))


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        endpoint_id=EndpointId(row[0]),
        url=row[1],
        description=row[2],
        kinds=tuple(Kind(kind) for kind in row[3]),
        state=EndpointState(row[4]),
        why=row[5],
        made_at=row[6],
        changed_at=row[7],
        old_until=row[8],
    )


async def _all(
    connection: Connection, name: str, values: Mapping[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

"""The SQL of blocked addresses: typed rows in and out. An address itself is never written."""

import hashlib
from datetime import datetime
from typing import Final

from psycopg.types.numeric import Int4, Int8

from bursar.holders.model import folded
from bursar.notices.mail.model import Bounce
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.mail")


def hash_of(address: str) -> bytes:
    """Name an address without saying it; however it is written, as the directory compares it."""
    return hashlib.sha256(folded(address.strip()).encode()).digest()


async def look(connection: Connection, address: str) -> tuple[bool, datetime]:
    """Say whether an address is blocked, and what time it is in the world."""
    values = {"address_hash": hash_of(address)}
    [(blocked, now)] = await fetch(connection, QUERIES.numbered("look"), values)
    return blocked, now


async def keep(
    connection: Connection, address: str, holder_id: int, status: int, detail: str
) -> None:
    """Block an address."""
    values = {
        "address_hash": hash_of(address),
        "holder_id": Int8(holder_id),
        "status": Int4(status),
        "detail": detail,
    }
    await fetch(connection, QUERIES.numbered("keep"), values)


async def read_bounces(
    connection: Connection, holder_id: int | None, before: tuple[datetime, bytes] | None, limit: int
) -> list[Bounce]:
    """Read what is blocked, the newest first."""
    values = {
        "holder_id": None if holder_id is None else Int8(holder_id),
        "before": before[0] if before else None,
        "before_hash": before[1] if before else b"",
        "limit": Int4(limit),
    }
    rows = await fetch(connection, QUERIES.numbered("read_bounces"), values)
    return [
        Bounce(bytes(digest).hex(), holder_id, status, bounced_at, detail)
        for digest, holder_id, status, bounced_at, detail in rows
    ]


async def clear(connection: Connection, holder_id: int, address: str) -> list[int]:
    """Unblock a holder; the statuses of what was blocked."""
    values = {"holder_id": Int8(holder_id), "address_hash": hash_of(address)}
    return [row[0] for row in await fetch(connection, QUERIES.numbered("clear"), values)]


async def forget_erased(connection: Connection) -> int:
    """Forget what was blocked for people who have been erased (H4); how much that was."""
    return len(await fetch(connection, QUERIES.numbered("forget_erased")))

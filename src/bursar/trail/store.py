"""The SQL of the audit trail: typed rows in and out."""

from typing import Final

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries
from bursar.trail.model import Act, Wanted

QUERIES: Final = Queries("bursar.trail")


async def add_act(
    connection: Connection,
    *,
    actor: str,
    act: str,
    subject: str,
    reason: str,
    before: str | None,
    after: str | None,
) -> None:
    """Write one act; ``before`` and ``after`` are JSON texts of objects."""
    values = {
        "actor": actor,
        "act": act,
        "subject": subject,
        "reason": reason,
        "before": before,
        "after": after,
    }
    await fetch(connection, QUERIES.numbered("add_act"), values)


async def read_acts(connection: Connection, wanted: Wanted, below: int, limit: int) -> list[Act]:
    """Read acts with a number below ``below``, the newest first."""
    family = wanted.act is not None and wanted.act.endswith(".*")
    values = {
        "below": Int8(below),
        "limit": Int4(limit),
        "actor": wanted.actor,
        "act": None if family else wanted.act,
        "thing": wanted.act[:-1] if family and wanted.act else None,
        "subject": wanted.subject,
        "since": wanted.since,
        "until": wanted.until,
    }
    rows = await fetch(connection, QUERIES.numbered("read_acts"), values)
    return [
        Act(
            act_id=row[0],
            acted_at=row[1],
            actor=row[2],
            act=row[3],
            subject=row[4],
            reason=row[5],
            before=None if row[6] is None else msgspec.json.decode(row[6]),
            after=None if row[7] is None else msgspec.json.decode(row[7]),
        )
        for row in rows
    ]

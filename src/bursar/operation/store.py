"""The SQL of checks, signs of life and retention: typed rows in and out."""

from typing import Any, Final

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.ledger.audit.findings import Checkpoint, Report
from bursar.operation.model import Forgettable, Verification
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.operation")

SILENT_S: Final = 600
"""A check that nobody has heard of for so long is broken off."""


async def begin_check(connection: Connection, *, part: bool, actor: str, reason: str) -> int:
    """Write down that a check begins; returns its number."""
    values = {"part": part, "actor": actor, "reason": reason}
    number: int = (await _all(connection, "begin_check", values))[0][0]
    return number


async def claim_check(
    connection: Connection, *, hours: int, actor: str, reason: str
) -> tuple[int, Checkpoint | None] | None:
    """Claim the check that is due, in the caller's transaction: a broken one, else a new one.

    None if one is under way, or began less than ``hours`` ago.
    """
    since = {"hours": Int4(hours), "silent_s": float(SILENT_S)}
    await _all(connection, "lock_checks")
    if rows := await _all(connection, "take_up_check", since):
        return rows[0][0], msgspec.json.decode(rows[0][1], type=Checkpoint)
    rows = await _all(connection, "begin_due_check", since | {"actor": actor, "reason": reason})
    return (rows[0][0], None) if rows else None


async def keep_check(connection: Connection, number: int, at: Checkpoint | None) -> None:
    """Write down how far a check has come, and that somebody is at it."""
    text = None if at is None else msgspec.json.encode(at).decode()
    await _all(connection, "keep_check", {"verification_id": Int8(number), "checkpoint": text})


async def end_check(connection: Connection, number: int, report: Report) -> None:
    """Write down what a check has come to."""
    values = {
        "verification_id": Int8(number),
        "wallets": Int8(report.wallets),
        "entries": Int8(report.entries),
        "unverifiable": Int8(report.unverifiable),
        "found": Int8(report.found),
    }
    await _all(connection, "end_check", values)


async def read_checks(connection: Connection, limit: int) -> list[Verification]:
    """Read checks, the newest first."""
    rows = await _all(connection, "read_checks", {"limit": Int4(limit)})
    return [
        Verification(**dict(zip(Verification.__struct_fields__, row, strict=True))) for row in rows
    ]


async def note_worker(connection: Connection, worker: str) -> None:
    """Write down that a worker lives."""
    await _all(connection, "note_worker", {"worker": worker})


async def forget_worker(connection: Connection, worker: str) -> None:
    """A worker has ended as it should."""
    await _all(connection, "forget_worker", {"worker": worker})


async def count_old(connection: Connection, kind: Forgettable, days: int) -> int:
    """Count what may be forgotten of a kind."""
    number: int = (await _all(connection, f"count_{kind}", {"days": Int4(days)}))[0][0]
    return number


async def forget_old(connection: Connection, kind: Forgettable, days: int, limit: int) -> int:
    """Forget at most ``limit`` rows of a kind; returns how many. 0 when nothing is left."""
    values = {"days": Int4(days), "limit": Int4(limit)}
    number: int = (await _all(connection, f"forget_{kind}", values))[0][0]
    return number


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

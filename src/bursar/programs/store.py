"""The SQL of programs: versions, overrides, alerts, outages; typed rows in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.holders.model import Mark
from bursar.platform.arrays import int8s
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries
from bursar.programs.model import (
    Alert,
    AlertKind,
    InForce,
    Outage,
    Override,
    Program,
    ProgramVersion,
    StandingOf,
    Switch,
)

QUERIES: Final = Queries("bursar.programs")
_PROGRAM: Final = msgspec.json.Decoder(Program)


async def read_now(connection: Connection) -> datetime:
    """Read the economy's clock."""
    rows = await _all(connection, "now")
    instant: datetime = rows[0][0]
    return instant


async def lock_program(
    connection: Connection, name: str
) -> tuple[int, int, datetime | None, bool, Program] | None:
    """Hold a program: its id, version, how far it has paid, whether retired, its definition."""
    rows = await _all(connection, "lock_program", {"name": name})
    if not rows:
        return None
    program_id, version, paid_until, retired, definition = rows[0]
    return program_id, version, paid_until, retired, _PROGRAM.decode(definition)


async def add_program(
    connection: Connection, program: Program, starts_at: datetime, mark: Mark | None
) -> int | None:
    """Add a program's first version; None if another transaction has just added the name."""
    rows = await _all(
        connection,
        "add_program",
        {
            "name": program.name,
            "starts_at": starts_at,
            "news_epoch": None if mark is None else Int4(mark.epoch),
            "news_xid": None if mark is None else str(mark.xid),
        },
    )
    return rows[0][0] if rows else None


async def add_version(
    connection: Connection,
    program_id: int,
    version: int,
    program: Program,
    *,
    actor: str,
    reason: str,
) -> None:
    """Write a version and put it in force."""
    values = {
        "program_id": Int4(program_id),
        "version": Int4(version),
        "definition": msgspec.json.encode(program).decode(),
        "actor": actor,
        "reason": reason,
    }
    await _all(connection, "add_version", values)
    await _all(
        connection, "move_program", {"program_id": Int4(program_id), "version": Int4(version)}
    )


async def retire(connection: Connection, name: str) -> bool:
    """End a program; tell whether there was one in force."""
    return bool(await _all(connection, "retire_program", {"name": name}))


async def read_programs(connection: Connection, name: str | None = None) -> list[InForce]:
    """Read the programs in force by name, or the one named whatever its state."""
    rows = await _all(connection, "read_programs", {"name": name})
    return [
        InForce(
            program_id=row[0],
            version=row[2],
            standing=StandingOf(row[3], row[4], _mark(row[5], row[6]), row[7]),
            switched_off=row[8],
            retired_at=row[9],
            program=_PROGRAM.decode(row[10]),
            author=row[11],
            switch=None if row[12] is None else Switch(row[12], row[13], row[14]),
        )
        for row in rows
    ]


async def read_names(connection: Connection) -> list[str]:
    """Name every program that was ever in force."""
    return [row[0] for row in await _all(connection, "read_names")]


async def read_version(
    connection: Connection, program_id: int, version: int
) -> tuple[Program, str] | None:
    """Read one version's definition, and who made it."""
    rows = await _all(
        connection, "read_version", {"program_id": Int4(program_id), "version": Int4(version)}
    )
    return (_PROGRAM.decode(rows[0][1]), rows[0][2]) if rows else None


async def read_versions(connection: Connection, name: str) -> list[ProgramVersion]:
    """Read a program's versions, the newest first."""
    rows = await _all(connection, "read_versions", {"name": name})
    return [ProgramVersion(r[0], _PROGRAM.decode(r[1]), r[2], r[3], r[4]) for r in rows]


async def lock_standing(
    connection: Connection, program_id: int
) -> tuple[int, StandingOf, bool] | None:
    """Hold a program's standing: version, standing, switched off; None if another plans it."""
    rows = await _all(connection, "lock_standing", {"program_id": Int4(program_id)})
    if not rows:
        return None
    version, starts_at, paid_until, epoch, xid, until, off = rows[0]
    return version, StandingOf(starts_at, paid_until, _mark(epoch, xid), until), off


async def set_starts_at(connection: Connection, program_id: int, at: datetime) -> None:
    """Let a program that has paid nothing yet begin at another time."""
    values = {"program_id": Int4(program_id), "starts_at": at}
    await _all(connection, "set_starts_at", values)


async def set_paid_until(connection: Connection, program_id: int, until: datetime) -> None:
    """Remember how far a program has taken up its periods (P5)."""
    values = {"program_id": Int4(program_id), "paid_until": until}
    await _all(connection, "set_paid_until", values)


async def set_news(connection: Connection, program_id: int, mark: Mark, until: datetime) -> None:
    """Remember which changes of holders a program has looked at."""
    await _all(
        connection,
        "set_news",
        {
            "program_id": Int4(program_id),
            "news_epoch": Int4(mark.epoch),
            "news_xid": str(mark.xid),
            "news_until": until,
        },
    )


async def switch(connection: Connection, name: str, *, off: bool, actor: str, reason: str) -> bool:
    """Stop a program or let it go on; tell whether there is one."""
    values = {"name": name, "off": off, "actor": actor, "reason": reason}
    return bool(await _all(connection, "switch_program", values))


async def read_overrides(
    connection: Connection,
    program_id: int,
    first: int,
    last: int,
    holder_ids: Sequence[int] | None = None,
) -> dict[int, Override]:
    """Read what is set for single holders of a range, or for those of them named."""
    rows = await _all(
        connection,
        "read_overrides",
        {
            "program_id": Int4(program_id),
            "first": Int8(first),
            "last": Int8(last),
            "holder_ids": None if holder_ids is None else int8s(holder_ids),
        },
    )
    return {row[0]: Override(row[1], row[2], row[3]) for row in rows}


async def lock_override(connection: Connection, program_id: int, holder_id: int) -> None:
    """Make others who set it wait until the transaction ends, whether it is there or not."""
    await _all(connection, "lock_override", {"key": f"bursar.override:{program_id}:{holder_id}"})


async def set_override(
    connection: Connection,
    program_id: int,
    holder_id: int,
    override: Override,
    *,
    actor: str,
    reason: str,
) -> None:
    """Set what one holder has of their own; an empty override is taken away."""
    key = {"program_id": Int4(program_id), "holder_id": Int8(holder_id)}
    if override == Override():
        await _all(connection, "clear_override", key)
        return
    values = {
        "amount": None if override.amount is None else Int8(override.amount),
        "refresh_day": None if override.refresh_day is None else Int4(override.refresh_day),
        "paused": override.paused,
        "actor": actor,
        "reason": reason,
    }
    await _all(connection, "set_override", key | values)


async def raise_alert(connection: Connection, kind: AlertKind, subject: str, message: str) -> None:
    """Tell the operators of a matter; while it is open, once (P8)."""
    values = {"kind": kind, "subject": subject, "message": message}
    await _all(connection, "raise_alert", values)


async def read_alerts(connection: Connection, *, everything: bool, limit: int) -> list[Alert]:
    """Read the open alerts, or all of them, the newest first."""
    rows = await _all(connection, "read_alerts", {"all": everything, "limit": Int4(limit)})
    return [Alert(*row) for row in rows]


async def resolve_alert(
    connection: Connection, alert_id: int, actor: str
) -> tuple[str, str] | None:
    """Close an alert; its kind and subject, None if it was not open."""
    rows = await _all(connection, "resolve_alert", {"alert_id": Int8(alert_id), "actor": actor})
    return (rows[0][0], rows[0][1]) if rows else None


async def find_outage(connection: Connection, starts_at: datetime, ends_at: datetime) -> int | None:
    """Find the outage of this very window."""
    rows = await _all(connection, "find_outage", {"starts_at": starts_at, "ends_at": ends_at})
    return rows[0][0] if rows else None


async def add_outage(
    connection: Connection, starts_at: datetime, ends_at: datetime, *, actor: str, reason: str
) -> int:
    """Put an outage on record; returns its number."""
    values = {"starts_at": starts_at, "ends_at": ends_at, "actor": actor, "reason": reason}
    number: int = (await _all(connection, "add_outage", values))[0][0]
    return number


async def read_outages(connection: Connection) -> list[Outage]:
    """Read every outage declared, the earliest first."""
    return [Outage(*row) for row in await _all(connection, "read_outages")]


def _mark(epoch: int | None, xid: str | None) -> Mark | None:
    return None if epoch is None or xid is None else Mark(epoch, int(xid))


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

"""The SQL of the economy: its versions, its clock; typed rows in and out."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.types.numeric import Int4

from bursar.economy.model import Clock, Version, VersionState
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.economy")
_HIGHEST: Final = 2**31 - 1


class Locked(NamedTuple):
    """What the locked economy is: whether a sandbox, and whether its clock was moved."""

    sandbox: bool
    moved: bool


async def lock_economy(connection: Connection) -> Locked:
    """Make others who change the economy wait until the transaction ends."""
    rows = await _all(connection, "lock_economy")
    return Locked(*rows[0])


async def read_clock(connection: Connection) -> Clock:
    """Read the economy's clock."""
    rows = await _all(connection, "read_clock")
    return Clock(*rows[0])


async def move_clock(connection: Connection, target: datetime) -> datetime | None:
    """Put the clock ahead; what it shows then, or None if it may not be moved."""
    rows = await _all(connection, "move_clock", {"target": target})
    return rows[0][0] if rows else None


async def next_due_in_books(connection: Connection) -> datetime | None:
    """Tell when the next lot expires or hold lapses."""
    rows = await _all(connection, "next_due_in_books")
    instant: datetime | None = rows[0][0]
    return instant


async def set_sandbox(connection: Connection, *, sandbox: bool) -> None:
    """Say whether the clock may be moved."""
    await _all(connection, "set_sandbox", {"sandbox": sandbox})


async def has_entries(connection: Connection) -> bool:
    """Tell whether credit has moved."""
    rows = await _all(connection, "has_entries")
    return bool(rows[0][0])


async def read_in_force(connection: Connection) -> Version | None:
    """Read the version in force."""
    return _first(await _all(connection, "read_in_force"))


async def read_waiting(connection: Connection) -> Version | None:
    """Read the version that waits."""
    return _first(await _all(connection, "read_waiting"))


async def read_version(connection: Connection, version: int) -> Version | None:
    """Read one version."""
    if not 0 < version <= _HIGHEST:
        return None
    return _first(await _all(connection, "read_version", {"version": Int4(version)}))


async def read_history(connection: Connection, below: int | None, limit: int) -> list[Version]:
    """Read versions, the newest first."""
    values = {"below": Int4(min(below or _HIGHEST, _HIGHEST)), "limit": Int4(limit)}
    return [_version(row) for row in await _all(connection, "read_history", values)]


async def read_applied_texts(connection: Connection, word: str) -> list[str]:
    """Read the texts that once were in force and have a word in them, the newest first."""
    return [row[0] for row in await _all(connection, "read_applied_texts", {"word": word})]


async def add_version(
    connection: Connection,
    *,
    name: str,
    text: str,
    sha256: str,
    state: VersionState,
    actor: str,
    reason: str,
) -> Version:
    """Write a new version; the economy must be locked."""
    values = {
        "name": name,
        "text": text,
        "sha256": sha256,
        "state": state.value,
        "actor": actor,
        "reason": reason,
    }
    return _version((await _all(connection, "add_version", values))[0])


async def decide_waiting(
    connection: Connection, state: VersionState, *, actor: str
) -> Version | None:
    """Put the version that waits in force, or refuse it; None if none waits."""
    values = {"state": state.value, "actor": actor}
    return _first(await _all(connection, "decide_waiting", values))


def _first(rows: list[Any]) -> Version | None:
    return _version(rows[0]) if rows else None


def _version(row: Any) -> Version:
    version, name, text, sha256, state, made_at, actor, reason, applied_at, by, at = row
    return Version(
        version=version,
        name=name,
        text=text,
        sha256=sha256,
        state=VersionState(state),
        made_at=made_at,
        actor=actor,
        reason=reason,
        applied_at=applied_at,
        decided_by=by,
        decided_at=at,
    )


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

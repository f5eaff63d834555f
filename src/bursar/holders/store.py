"""The directory's own SQL: typed rows in and out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.holders.model import Holder, NameKind, Past, Unique, Wanted
from bursar.ledger.commands import canonical
from bursar.platform.arrays import Array, instants, int2s, int4s, int8s, spread, texts
from bursar.platform.collector import paused_collector
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.holders")

Pack = Callable[[Any], Array]

_PACK: Final[Mapping[str, tuple[Pack, bool]]] = {
    "username": (texts, True),
    "email": (texts, True),
    "locale": (texts, True),
    "time_zone": (texts, True),
    "created_at": (instants, False),
    "status": (texts, False),
    "tier": (texts, False),
    "verified": (int2s, False),
    "subscription_start": (instants, True),
    "billing_anchor": (instants, True),
    "last_login_at": (instants, True),
    "attributes": (texts, False),
    "matters_since": (instants, False),
    "changes": (int4s, False),
}
"""How each column travels, and whether it may be null."""

JUST_NOW: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for the instant of the transaction in what is prepared before it begins."""

_DATED: Final = ("created_at", "matters_since")


class Resolved(NamedTuple):
    """A number, and whether there is a row of the directory for it."""

    holder_id: int
    listed: bool


async def begin_change(connection: Connection) -> tuple[datetime, Unique]:
    """Share the directory until the transaction ends; return the instant and what is unique."""
    await _all(connection, "begin_change", {})
    return await read_directory(connection)


async def lock_directory(connection: Connection) -> tuple[datetime, Unique]:
    """Have the directory alone until the transaction ends."""
    await _all(connection, "lock_directory", {})
    return await read_directory(connection)


async def read_directory(connection: Connection) -> tuple[datetime, Unique]:
    """Read the database's instant and which names are unique."""
    [(now, username, email)] = await _all(connection, "read_directory", {})
    return now, Unique(username, email)


async def set_directory(connection: Connection, unique: Unique) -> None:
    """Say which names are unique."""
    values = {"unique_username": unique.username, "unique_email": unique.email}
    await _all(connection, "set_directory", values)


async def resolve(connection: Connection, external_ids: Sequence[str]) -> dict[str, Resolved]:
    """Return the numbers of those external ids that have one."""
    rows = await _all(connection, "resolve", {"external_ids": texts(external_ids)})
    return {row[0]: Resolved(row[1], row[2]) for row in rows}


async def lock_holders(connection: Connection, holder_ids: Sequence[int]) -> dict[str, Holder]:
    """Lock and read holders, by external id."""
    rows = await _all(connection, "lock_holders", {"holder_ids": int8s(holder_ids)})
    with paused_collector():
        return {row[1]: holder_of(row) for row in rows}


async def find(
    connection: Connection, external_id: str | None, holder_id: int | None
) -> Holder | None:
    """Read one holder by the app's own id or by number."""
    values = {"external_id": external_id, "holder_id": _id(holder_id)}
    rows = await _all(connection, "read_holder", values)
    return holder_of(rows[0]) if rows else None


async def lock_id(
    connection: Connection, external_id: str | None, holder_id: int | None
) -> tuple[int, str] | None:
    """Lock one holder's number and id, whether or not it is in the directory."""
    values = {"external_id": external_id, "holder_id": _id(holder_id)}
    rows = await _all(connection, "lock_id", values)
    return (rows[0][0], rows[0][1]) if rows else None


async def list_holders(
    connection: Connection, wanted: Wanted, after: int, limit: int
) -> list[Holder]:
    """Read holders after a number, in order."""
    values = msgspec.structs.asdict(wanted) | {"after": Int8(after), "limit": Int4(limit)}
    return [holder_of(row) for row in await _all(connection, "list_holders", values)]


async def read_owners(
    connection: Connection, names: Iterable[tuple[NameKind, str]]
) -> dict[tuple[NameKind, str], str]:
    """Tell to whom names belong, and keep it so until the transaction ends."""
    rows = await _all(connection, "read_owners", _names(names))
    return {(row[0], row[1]): row[2] for row in rows}


async def move_names(
    connection: Connection,
    freed: Sequence[tuple[tuple[NameKind, str], int]],
    given: Sequence[tuple[tuple[NameKind, str], int]],
) -> None:
    """Take names away, then give names; breaks `holder_names_pkey` if somebody was quicker."""
    if freed:
        await _all(connection, "free_names", _owned(freed))
    if given:
        await _all(connection, "give_names", _owned(given))


async def add_names(
    connection: Connection, given: Sequence[tuple[tuple[NameKind, str], int]]
) -> set[int]:
    """Give names that are free; return whose they now are."""
    return {row[0] for row in await _all(connection, "add_names", _owned(given))}


async def clear_names(connection: Connection, kind: NameKind) -> None:
    """Forget all names of a kind."""
    await _all(connection, "clear_names", {"kind": kind})


async def read_names(
    connection: Connection, kind: NameKind, after: int, limit: int
) -> list[tuple[int, str | None]]:
    """Read the names of a kind of the next holders."""
    rows = await _all(connection, "read_names", {"after": Int8(after), "limit": Int4(limit)})
    column = {"username": 1, "email": 2}[kind]
    return [(row[0], row[column]) for row in rows]


async def enrol(connection: Connection, external_ids: Sequence[str]) -> dict[str, int]:
    """Give numbers to new external ids, sorted, as everybody gives them.

    Breaks `holder_ids_pkey` if somebody was quicker.
    """
    return dict(await _all(connection, "enrol", {"external_ids": texts(external_ids)}))


def pack_new(holders: Sequence[Holder]) -> dict[str, Any]:
    """Pack the columns of new holders; instants that are `JUST_NOW` are filled in when written."""
    packed: dict[str, Any] = {}
    for column in packing(holders):
        packed |= column
    return packed


def packing(holders: Sequence[Holder]) -> Iterator[dict[str, Any]]:
    """Pack them one column after the other: some milliseconds each for a whole batch."""
    for name, (pack, nullable) in _PACK.items():
        column = list(map(attrgetter(name), holders))
        if name in _DATED and JUST_NOW in column:
            dated = [None if at is JUST_NOW else at for at in column]
            array, one = spread(dated, pack, nullable=True)
        else:
            array, one = spread(column, pack, nullable=nullable)
        yield {f"{name}s": array, name: Int4(one) if name in {"verified", "changes"} else one}


async def insert_holders(
    connection: Connection, packed: Mapping[str, Any], holder_ids: Sequence[int], now: datetime
) -> None:
    """Put new holders under these numbers; breaks `holders_pkey` if somebody was quicker."""
    values = {**packed, "holder_ids": int8s(holder_ids)}
    for name in _DATED:
        values[name] = values[name] or now
    await _all(connection, "insert_holders", values)


async def update_holders(
    connection: Connection, holders: Sequence[Holder], told: Sequence[bool]
) -> None:
    """Write holders as they are now; only those told move in the order of commits."""
    with paused_collector():
        values: dict[str, Any] = {"holder_ids": int8s([h.holder_id for h in holders])}
        for (name, (pack, _)), column in zip(_PACK.items(), _columns(holders), strict=True):
            values[f"{name}s"] = pack(column)
        values["told"] = int2s(told)
    await _all(connection, "update_holders", values)


async def insert_past(
    connection: Connection, past: Sequence[tuple[int, Past]], voice: tuple[str, str]
) -> None:
    """Keep what was in force, by the number of its holder."""
    rows = [p for _, p in past]
    values: dict[str, Any] = {
        "holder_ids": int8s([holder_id for holder_id, _ in past]),
        "numbers": int4s([p.number for p in rows]),
        "sinces": instants([p.since for p in rows]),
        "untils": instants([p.until for p in rows]),
        "statuss": texts([p.status for p in rows]),
        "tiers": texts([p.tier for p in rows]),
        "verifieds": int2s([p.verified for p in rows]),
        "subscription_starts": instants([p.subscription_start for p in rows]),
        "billing_anchors": instants([p.billing_anchor for p in rows]),
        "recorded_ats": instants([p.recorded_at for p in rows]),
        "actor": voice[0],
        "reason": voice[1],
    }
    await _all(connection, "insert_past", values)


async def note_logins(connection: Connection, logins: Mapping[int, datetime]) -> None:
    """Note one login of each of these holders."""
    values = {"holder_ids": int8s(list(logins)), "ats": instants(list(logins.values()))}
    await _all(connection, "note_logins", values)


async def read_history(
    connection: Connection, holder_id: int, before: int, limit: int
) -> list[Past]:
    """Read what was in force, the newest first."""
    values = {"holder_id": Int8(holder_id), "before": Int8(before), "limit": Int4(limit)}
    return [Past(*row) for row in await _all(connection, "read_history", values)]


async def credit_of(connection: Connection, holder_id: int) -> list[tuple[str, int, int]]:
    """Tell what a holder has: asset, balance, held; wallets with nothing are left out."""
    rows = await _all(connection, "credit_of", {"holder_id": Int8(holder_id)})
    return [(row[0], row[1], row[2]) for row in rows]


async def erase(
    connection: Connection, holder_id: int, tombstone: str, status: str, now: datetime
) -> str:
    """Empty a holder's row and replace the app's own id; return what stands in its place."""
    values = {"holder_id": Int8(holder_id), "tombstone": tombstone, "status": status, "now": now}
    [(left,)] = await _all(connection, "erase_id", values)
    await _all(connection, "erase_holder", values)
    return str(left)


def holder_of(row: Sequence[Any]) -> Holder:
    """Make a holder of a row in the columns' order of `read_holder`."""
    values = list(row)
    if values[13] != "{}":
        values[13] = canonical(msgspec.json.decode(values[13]))
    return Holder(*values)


def _columns(holders: Sequence[Holder]) -> list[list[Any]]:
    return [list(map(attrgetter(name), holders)) for name in _PACK]


def _names(names: Iterable[tuple[NameKind, str]]) -> dict[str, Any]:
    kinds, spelled = zip(*names, strict=True)
    return {"kinds": texts(kinds), "names": texts(spelled)}


def _owned(names: Sequence[tuple[tuple[NameKind, str], int]]) -> dict[str, Any]:
    values = _names(name for name, _ in names)
    return values | {"holder_ids": int8s([holder_id for _, holder_id in names])}


def _id(holder_id: int | None) -> Int8 | None:
    return None if holder_id is None else Int8(holder_id)


async def _all(connection: Connection, query: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(query), values)

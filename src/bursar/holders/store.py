"""The SQL of the directory: typed rows in and out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.holders.decide import Owners
from bursar.holders.model import Holder, NameKind, Past, Unique, Wanted
from bursar.platform.arrays import instants, int4s, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.holders")


async def read_now(connection: Connection) -> datetime:
    """Read the economy's clock."""
    instant: datetime = (await _all(connection, "now"))[0][0]
    return instant


async def enrol(connection: Connection, external_ids: Sequence[str]) -> None:
    """Give a number to each of these ids that has none."""
    await _all(connection, "enrol", {"external_ids": texts(external_ids)})


async def lock_known(
    connection: Connection, external_ids: Sequence[str]
) -> tuple[dict[str, Holder], dict[str, int]]:
    """Hold these holders: those in the directory as they are, and the numbers of all."""
    known: dict[str, Holder] = {}
    numbers: dict[str, int] = {}
    values = {"external_ids": texts(external_ids)}
    for row in await _all(connection, "lock_known", values):
        numbers[row[1]] = row[0]
        if row[7] is not None:
            known[row[1]] = Holder(*row)
    return known, numbers


async def add_holders(connection: Connection, holders: Sequence[Holder]) -> None:
    """Add holders who are new to the directory."""
    if holders:
        await _all(connection, "add_holders", _columns(holders))


async def change_holders(
    connection: Connection, holders: Sequence[Holder], told: Iterable[str]
) -> None:
    """Write holders as they are now; of those ``told`` something changed that programs may ask."""
    if holders:
        asked = frozenset(told)
        columns = _columns(holders)
        columns["told"] = int4s([h.external_id in asked for h in holders])
        await _all(connection, "change_holders", columns)


async def add_past(
    connection: Connection, past: Sequence[tuple[int, Past]], now: datetime, voice: tuple[str, str]
) -> None:
    """Keep what was in force."""
    if not past:
        return
    values = {
        "holder_ids": int8s([holder_id for holder_id, _ in past]),
        "numbers": int4s([p.number for _, p in past]),
        "sinces": instants([p.since for _, p in past]),
        "untils": instants([p.until for _, p in past]),
        "statuses": texts([p.status for _, p in past]),
        "tiers": texts([p.tier for _, p in past]),
        "verified": int4s([p.verified for _, p in past]),
        "subscriptions": instants([p.subscription_start for _, p in past]),
        "billings": instants([p.billing_anchor for _, p in past]),
        "now": now,
        "actor": voice[0],
        "reason": voice[1],
    }
    await _all(connection, "add_past", values)


async def read_unique(connection: Connection) -> Unique:
    """Read which names only one holder may have; no switch until the transaction ends."""
    return Unique(*(await _all(connection, "read_unique"))[0])


async def lock_directory(connection: Connection) -> Unique:
    """Read them to change them: whoever writes holders is waited for."""
    return Unique(*(await _all(connection, "lock_directory"))[0])


async def set_unique(connection: Connection, unique: Unique) -> None:
    """Switch which names only one holder may have."""
    values = {"username": unique.username, "email": unique.email}
    await _all(connection, "set_unique", values)


async def read_owners(connection: Connection, names: Sequence[tuple[NameKind, str]]) -> Owners:
    """Read who has these names, by external id."""
    if not names:
        return {}
    kinds, folded = zip(*names, strict=True)
    rows = await _all(connection, "read_owners", {"kinds": texts(kinds), "names": texts(folded)})
    return {(row[0], row[1]): row[2] for row in rows}


async def move_names(
    connection: Connection,
    names: Mapping[tuple[NameKind, str], str | None],
    numbers: Mapping[str, int],
) -> None:
    """Free and give names."""
    if not names:
        return
    kinds, folded = zip(*names, strict=True)
    await _all(connection, "free_names", {"kinds": texts(kinds), "names": texts(folded)})
    given = [(k, n, numbers[owner]) for (k, n), owner in names.items() if owner is not None]
    await give_names(connection, given)


async def give_names(connection: Connection, given: Sequence[tuple[NameKind, str, int]]) -> None:
    """Give names to holders; raises `UniqueViolation` for one that is taken."""
    if given:
        values = {
            "kinds": texts([kind for kind, _, _ in given]),
            "names": texts([name for _, name, _ in given]),
            "holder_ids": int8s([holder_id for _, _, holder_id in given]),
        }
        await _all(connection, "give_names", values)


async def clear_names(connection: Connection, kind: NameKind) -> None:
    """Let the names of a kind be anybody's."""
    await _all(connection, "clear_names", {"kind": kind})


async def read_all_names(connection: Connection, kind: NameKind) -> list[tuple[int, str, str]]:
    """Read every name of a kind: (number, external id, name)."""
    return [(r[0], r[1], r[2]) for r in await _all(connection, "read_all_names", {"kind": kind})]


async def read_holder(connection: Connection, external_id: str) -> Holder | None:
    """Read a holder by the app's own id."""
    rows = await _all(connection, "read_holder", {"external_id": external_id})
    return Holder(*rows[0]) if rows else None


async def read_holders(
    connection: Connection, wanted: Wanted, *, after: int, limit: int
) -> list[Holder]:
    """Read holders in the order of their numbers, beyond one of them."""
    values = {
        "after": Int8(after),
        "status": wanted.status,
        "tier": wanted.tier,
        "verified": wanted.verified,
        "erased": wanted.erased,
        "limit": Int4(limit),
    }
    return [Holder(*row) for row in await _all(connection, "read_holders", values)]


async def find_numbers(connection: Connection, external_ids: Sequence[str]) -> dict[str, int]:
    """Find the numbers of those who are in the directory."""
    values = {"external_ids": texts(external_ids)}
    return {row[0]: row[1] for row in await _all(connection, "find_numbers", values)}


async def note_logins(
    connection: Connection, logins: Sequence[tuple[int, datetime]], zone: str
) -> None:
    """Note logins, one for each holder; days are counted in the zone."""
    values = {
        "holder_ids": int8s([holder_id for holder_id, _ in logins]),
        "instants": instants([at for _, at in logins]),
        "zone": zone,
    }
    await _all(connection, "note_logins", values)


async def erase(
    connection: Connection, holder_id: int, tombstone: str, status: str, now: datetime
) -> None:
    """Empty a holder's row, free their names and their id."""
    key = {"holder_id": Int8(holder_id)}
    await _all(connection, "erase", {**key, "status": status, "now": now})
    await _all(connection, "rename", {**key, "tombstone": tombstone})
    await _all(connection, "drop_names", key)


def _columns(holders: Sequence[Holder]) -> dict[str, Any]:
    return {
        "holder_ids": int8s([h.holder_id for h in holders]),
        "created": instants([h.created_at for h in holders]),
        "since": instants([h.matters_since for h in holders]),
        "subscriptions": instants([h.subscription_start for h in holders]),
        "billings": instants([h.billing_anchor for h in holders]),
        "logins": instants([h.last_login_at for h in holders]),
        "changes": int4s([h.changes for h in holders]),
        "verified": int4s([h.verified for h in holders]),
        "statuses": texts([h.status for h in holders]),
        "tiers": texts([h.tier for h in holders]),
        "usernames": texts([h.username for h in holders]),
        "emails": texts([h.email for h in holders]),
        "locales": texts([h.locale for h in holders]),
        "zones": texts([h.time_zone for h in holders]),
        "attributes": texts([h.attributes for h in holders]),
    }


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

"""What programs read of people, on a connection that they bring; nothing here writes.

Columns travel in binary and become tuples at once: a run reads a million people.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.holders.model import FACTS, Mark, Past, People
from bursar.platform.arrays import int8s
from bursar.platform.collector import paused_collector
from bursar.platform.database import Connection, fetch
from bursar.platform.errors import Invalid
from bursar.platform.sql import Queries, Query

QUERIES: Final = Queries("bursar.holders", "people.sql")
_OWN_COLUMNS: Final = 4
_BEGINNING: Final = Mark(0, 0)

_COLUMNS: Final = {name: f"h.{name}" for name in FACTS} | {
    "external_id": "(select i.external_id from bursar.holder_ids i"
    " where i.holder_id = h.holder_id)",
    "tier": "h.tier",
    "attributes": "h.attributes::text",
}


async def read_people(
    connection: Connection, facts: Sequence[str], *, first: int, last: int
) -> People:
    """Read the people whose numbers lie between two, both included; erased ones are none.

    ``facts`` are names of `FACTS`, else `Invalid` ``fact_unknown``; attributes are JSON text.
    """
    query = _query("read_people", tuple(facts))
    return _people(await fetch(connection, query, {"first": Int8(first), "last": Int8(last)}))


async def read_these(
    connection: Connection, facts: Sequence[str], holder_ids: Sequence[int]
) -> People:
    """Read these people, in the order of their numbers; who is erased or unknown is left out."""
    query = _query("read_these", tuple(facts))
    return _people(await fetch(connection, query, {"holder_ids": int8s(holder_ids)}))


async def read_past(connection: Connection, holder_ids: Sequence[int]) -> dict[int, list[Past]]:
    """Read what was in force before, the oldest first, of those who have a past (H1)."""
    past: dict[int, list[Past]] = {}
    values = {"holder_ids": int8s(holder_ids)}
    for holder_id, *row in await fetch(connection, QUERIES.numbered("read_past"), values):
        past.setdefault(holder_id, []).append(Past(*row))
    return past


async def read_mark(connection: Connection) -> Mark:
    """Tell up to where in the order of commits everything can be seen.

    Read it before the people, in a statement that sees no more than theirs: then what changes
    later comes after the mark.
    """
    [(epoch, xid)] = await fetch(connection, QUERIES.numbered("read_mark"))
    return Mark(epoch, int(xid))


async def changed_between(
    connection: Connection,
    after: Mark | None,
    before: Mark,
    started_after: datetime,
    started_until: datetime,
) -> list[int]:
    """List whose facts changed at or after one mark and before another, in order.

    Those are with them whose subscription began in (started_after, started_until]. A login is no
    change; an erased holder is nobody.
    """
    since = after or _BEGINNING
    values = {
        "after_epoch": Int4(since.epoch),
        "after_xid": str(since.xid),
        "before_epoch": Int4(before.epoch),
        "before_xid": str(before.xid),
        "started_after": started_after,
        "started_until": started_until,
    }
    return [row[0] for row in await fetch(connection, QUERIES.numbered("changed_between"), values)]


async def logged_in(connection: Connection, first: int, last: int, day: date) -> set[int]:
    """Tell who of those between two numbers logged in on a day in UTC.

    It is known for the 63 days up to a holder's last login.
    """
    values = {"first": Int8(first), "last": Int8(last), "day": day}
    return {row[0] for row in await fetch(connection, QUERIES.numbered("logged_in"), values)}


async def read_mailed(connection: Connection, holder_ids: Sequence[int]) -> dict[int, str | None]:
    """Read the zones of those whom e-mail reaches; the address itself stays where it is (H4)."""
    values = {"holder_ids": int8s(holder_ids)}
    return dict(await fetch(connection, QUERIES.numbered("read_mailed"), values))


async def highest_holder_id(connection: Connection) -> int:
    """Tell the largest number in the directory, 0 if it is empty."""
    [(highest,)] = await fetch(connection, QUERIES.numbered("highest_holder_id"))
    return int(highest)


@lru_cache(maxsize=256)
def _query(name: str, facts: tuple[str, ...]) -> Query:
    """Put the columns of these facts into a query."""
    unknown = [fact for fact in facts if fact not in FACTS]
    if unknown:
        raise Invalid("fact_unknown", f"{unknown[0]!r} is no fact of a holder", fact=unknown[0])
    query = QUERIES.numbered(name)
    columns = ", ".join(_COLUMNS[fact] for fact in facts)
    text = query.text.replace(", FACTS", f", {columns}" if columns else "")
    return Query(text, query.names)


def _people(rows: Iterable[tuple[Any, ...]]) -> People:
    with paused_collector():
        columns = list(zip(*rows, strict=True))
        if not columns:
            return People([], [], [], [], [])
        ids, settled, started, created = map(list, columns[:_OWN_COLUMNS])
        asked = columns[_OWN_COLUMNS:]
        facts = list(zip(*asked, strict=True)) if asked else [()] * len(ids)
    return People(ids, facts, settled, started, created)

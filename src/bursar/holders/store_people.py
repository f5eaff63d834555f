"""The directory as programs read it: people by column, their past, who has changed."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.holders.model import FACTS, Mark, Past, People
from bursar.platform.arrays import int8s
from bursar.platform.database import Connection, fetch
from bursar.platform.errors import Broken
from bursar.platform.sql import Queries, Query

QUERIES: Final = Queries("bursar.holders", "people.sql")

_COLUMNS: Final = {"external_id": "i.external_id", "attributes": "h.attributes::text"}
_BEGINNING: Final = Mark(0, 0)


async def read_people(
    connection: Connection, facts: Sequence[str], *, first: int, last: int
) -> People:
    """Read these facts of the people of a range of numbers, in order; the erased are left out."""
    values = {"first": Int8(first), "last": Int8(last)}
    query = _query(tuple(facts), "h.holder_id between $1 and $2", ("first", "last"))
    return _people(await fetch(connection, query, values))


async def read_these(
    connection: Connection, facts: Sequence[str], holder_ids: Sequence[int]
) -> People:
    """Read these facts of the people of these numbers, in order; the erased are left out."""
    values = {"holder_ids": int8s(holder_ids)}
    query = _query(tuple(facts), "h.holder_id = any ($1::bigint[])", ("holder_ids",))
    return _people(await fetch(connection, query, values))


async def read_past(connection: Connection, holder_ids: Sequence[int]) -> dict[int, list[Past]]:
    """Read what was in force for these holders, the oldest first, where anything changed."""
    found: dict[int, list[Past]] = {}
    if holder_ids:
        for row in await _all(connection, "read_past", {"holder_ids": int8s(holder_ids)}):
            found.setdefault(row[0], []).append(Past(*row[1:]))
    return found


async def read_mark(connection: Connection) -> Mark:
    """Name the place in the order of commits before which nothing is still to come."""
    epoch, xid = (await _all(connection, "read_mark"))[0]
    return Mark(epoch, int(xid))


async def changed_between(
    connection: Connection,
    after: Mark | None,
    before: Mark,
    started_after: datetime,
    started_until: datetime,
) -> list[int]:
    """Name who changed from one place to before another, or began a subscription meanwhile.

    Without a first place it is everybody. Subscriptions count that began after the one instant
    and by the other.
    """
    since = after or _BEGINNING
    rows = await _all(
        connection,
        "changed_between",
        {
            "after_epoch": Int4(since.epoch),
            "after_xid": str(since.xid),
            "before_epoch": Int4(before.epoch),
            "before_xid": str(before.xid),
            "started_after": started_after,
            "started_until": started_until,
        },
    )
    return [row[0] for row in rows]


async def logged_in(connection: Connection, first: int, last: int, day: date) -> list[int]:
    """Name who of a range of numbers logged in on a day; known for the last 63 days of logins."""
    values = {"first": Int8(first), "last": Int8(last), "day": day}
    return [row[0] for row in await _all(connection, "logged_in", values)]


async def highest_holder_id(connection: Connection) -> int:
    """Tell the number of the newest person, 0 if there is nobody."""
    number: int = (await _all(connection, "highest_holder_id"))[0][0]
    return number


@lru_cache(maxsize=256)
def _query(facts: tuple[str, ...], where: str, names: tuple[str, ...]) -> Query:
    unknown = [fact for fact in facts if fact not in FACTS]
    if unknown:
        raise Broken("fact_unknown", f"the directory knows no {unknown[0]!r}", fact=unknown[0])
    columns = "".join(f", {_COLUMNS.get(fact, f'h.{fact}')}" for fact in facts)
    ids = " join bursar.holder_ids i using (holder_id)" if "external_id" in facts else ""
    text = (  # made of the directory's own names alone
        f"select h.holder_id, h.matters_since, h.subscription_start, h.created_at{columns}"  # noqa: S608
        f" from bursar.holders h{ids} where {where} and h.erased_at is null order by h.holder_id"
    )
    return Query(text, names)


def _people(rows: list[Any]) -> People:
    if not rows:
        return People([], [], [], [], [])
    return People(
        [row[0] for row in rows],
        [row[4:] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
        [row[3] for row in rows],
    )


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

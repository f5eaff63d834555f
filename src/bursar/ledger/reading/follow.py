"""Following the journal: what happened, in an order that no late commit can disturb.

A follower reads postings in the order of their transaction numbers, and only those older than the
oldest transaction that is still writing: so nothing can appear later behind its cursor. It sees
every posting at least once; its handler must not mind seeing one again, and orders a wallet's
entries by ``seq``. The cursor moves in the same transaction as what the handler writes through
the connection it is given, so such work happens exactly once.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.ledger.model import Entry
from bursar.ledger.posting import store
from bursar.ledger.reading.wallets import QUERIES, Posting
from bursar.platform.arrays import int8s
from bursar.platform.database import Connection, Database, fetch
from bursar.platform.pages import check_limit

_LARGEST: Final = 20_000
"""A follower is handed at most about so many entries at a time, and always whole postings."""


class Cursor(msgspec.Struct, frozen=True, order=True):
    """A place in the journal: the epoch, the transaction, the posting; kept across a restore."""

    epoch: int = 0
    xid: int = 0
    posting_id: int = 0


class Posted(msgspec.Struct, frozen=True):
    """A posting with its entries, each wallet's in the order of ``seq``."""

    posting: Posting
    entries: tuple[Entry, ...]


class Lag(msgspec.Struct, frozen=True):
    """How far behind a follower is: entries, and when the first of them was recorded."""

    entries: int
    since: datetime | None


Handler = Callable[[list[Posted], Connection], Awaitable[None]]
Wanted = Callable[[Posting], bool]


async def follow_once(
    database: Database,
    follower: str,
    handler: Handler,
    *,
    postings: int = 100,
    wanted: Wanted | None = None,
) -> int:
    """Hand the next postings to ``handler`` and move the cursor; return how many there were.

    At most ``postings`` at a time, 1 to 1,000; of those that are not ``wanted`` nothing is read,
    and the handler does not see them. If the handler raises, the cursor stays. While
    another process is at it under the same name there is nothing to do here: 0. A handler that
    takes long before it first writes through its connection holds up nobody of another name; but
    a minute without a statement on it ends its transaction, and all of it comes again.
    """
    check_limit(postings)
    async with database.transaction() as connection:
        turn = await fetch(connection, QUERIES.numbered("take_turn"), {"follower": follower})
        if turn == [(False,)]:
            return 0
        cursor = await _read_cursor(connection, follower)
        found, last = await read_after(connection, cursor, postings, wanted)
        if last == cursor:
            return 0
        shown = [p for p in found if wanted is None or wanted(p.posting)]
        if shown:
            await handler(shown, connection)
        await _move(connection, follower, last)
        return len(found)


async def read_after(
    connection: Connection, cursor: Cursor, postings: int, wanted: Wanted | None = None
) -> tuple[list[Posted], Cursor]:
    """Read the postings that follow a cursor, and the cursor that follows them.

    Those that are not wanted come without their entries.
    """
    rows = await fetch(
        connection,
        QUERIES.numbered("read_new_postings"),
        {
            "epoch": Int4(cursor.epoch),
            "xid": str(cursor.xid),
            "posting_id": Int8(cursor.posting_id),
            "limit": Int4(postings),
        },
    )
    chosen: dict[int, Posting] = {}
    asked: list[int] = []
    count = 0
    for epoch, xid, posting_id, *rest in rows:
        posting = Posting(posting_id, *rest)
        if wanted is None or wanted(posting):
            if asked and count + posting.entries > _LARGEST:
                break
            asked.append(posting_id)
            count += posting.entries
        chosen[posting_id] = posting
        cursor = Cursor(epoch, int(xid), posting_id)
    rows = []
    if asked:
        rows = await fetch(
            connection, QUERIES.numbered("read_posted_entries"), {"posting_ids": int8s(asked)}
        )
    entries: dict[int, list[Entry]] = {posting_id: [] for posting_id in chosen}
    for row in rows:
        entries[row[3]].append(store.entry_of(row))
    return [Posted(p, tuple(entries[i])) for i, p in chosen.items()], cursor


async def read_lag(connection: Connection, follower: str) -> Lag:
    """Tell how far behind a follower is (a metric, O2)."""
    cursor = await _read_cursor(connection, follower)
    rows = await fetch(
        connection,
        QUERIES.numbered("follower_lag"),
        {
            "epoch": Int4(cursor.epoch),
            "xid": str(cursor.xid),
            "posting_id": Int8(cursor.posting_id),
        },
    )
    return Lag(*rows[0])


async def _read_cursor(connection: Connection, follower: str) -> Cursor:
    """Read where a follower stands; a new one begins at the beginning."""
    rows = await fetch(connection, QUERIES.numbered("read_cursor"), {"follower": follower})
    return Cursor(rows[0][0], int(rows[0][1]), rows[0][2]) if rows else Cursor()


async def _move(connection: Connection, follower: str, cursor: Cursor) -> None:
    await fetch(
        connection,
        QUERIES.numbered("move_cursor"),
        {
            "follower": follower,
            "epoch": Int4(cursor.epoch),
            "xid": str(cursor.xid),
            "posting_id": Int8(cursor.posting_id),
        },
    )

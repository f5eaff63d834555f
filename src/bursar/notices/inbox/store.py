"""The SQL of the inbox: typed rows in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.notices.model import InboxNotice, Kind, Notice, NoticeId
from bursar.platform.arrays import instants, int4s, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.inbox")
_DATA: Final = msgspec.json.Decoder(dict[str, Any])


class Behind(NamedTuple):
    """A wallet that has moved since the inbox was made; ``made`` is None if it never was."""

    asset_id: int
    asset: str
    seq: int
    made: int | None


class Excluded(NamedTuple):
    """A run that has left the holder out for a reason that its program keeps."""

    run_id: int
    program: str
    version: int
    period: str
    asset: str
    reason: str
    at: datetime


async def find_behind(connection: Connection, holder_id: int) -> list[Behind]:
    """Find the wallets of which the inbox does not know everything."""
    rows = await _all(connection, "find_behind", {"holder_id": Int8(holder_id)})
    return [Behind(*row) for row in rows]


async def mark_exclusions(connection: Connection, holder_id: int) -> tuple[int, int]:
    """Tell a holder's exclusions by a mark: those there are, and those looked at."""
    [row] = await _all(connection, "mark_exclusions", {"holder_id": Int8(holder_id)})
    return row[0], row[1]


async def lock_inboxes(connection: Connection, holder_ids: Sequence[int]) -> None:
    """Be the only one to write into these inboxes until the transaction ends."""
    values = {"holder_ids": int8s(sorted(set(holder_ids)))}
    await _all(connection, "lock_inboxes", values)


async def move_cursors(connection: Connection, holder_id: int, seqs: dict[int, int]) -> None:
    """Say up to which entry of each wallet the inbox has been made."""
    values = {
        "holder_id": Int8(holder_id),
        "asset_ids": int4s(list(seqs)),
        "seqs": int8s(list(seqs.values())),
    }
    await _all(connection, "move_cursors", values)


async def read_exclusions(
    connection: Connection, holder_id: int, since: datetime
) -> list[Excluded]:
    """Read the runs since an instant that have left a holder out, for reasons that are kept."""
    values = {"holder_id": Int8(holder_id), "since": since}
    return [Excluded(*row) for row in await _all(connection, "read_exclusions", values)]


async def set_exclusions(connection: Connection, holder_id: int, mark: int) -> None:
    """Say which exclusions the inbox has looked at."""
    values = {"holder_id": Int8(holder_id), "mark": Int8(mark)}
    await _all(connection, "set_exclusions", values)


async def add_notices(connection: Connection, notices: Sequence[Notice]) -> int:
    """Put notices into inboxes that are locked, in this order; returns how many were new."""
    if not notices:
        return 0
    values = {
        "holder_ids": int8s([n.holder_id for n in notices]),
        "notice_ids": texts([str(n.notice_id) for n in notices]),
        "kinds": texts([n.kind.value for n in notices]),
        "happened": instants([n.happened_at for n in notices]),
        "data": texts([msgspec.json.encode(n.data).decode() for n in notices]),
    }
    return len(await _all(connection, "add_notices", values))


async def read_page(
    connection: Connection,
    holder_id: int,
    *,
    before: tuple[datetime, int],
    unread: bool,
    limit: int,
) -> list[InboxNotice]:
    """Read a page of an inbox, what happened last first, before an instant and place."""
    values = {
        "holder_id": Int8(holder_id),
        "happened_before": before[0],
        "before": Int8(before[1]),
        "unread": unread,
        "limit": Int4(limit),
    }
    return [_notice(row) for row in await _all(connection, "read_page", values)]


async def newest(connection: Connection, holder_id: int) -> int:
    """Tell the place of what has come into an inbox last; 0 if nothing has."""
    number: int = (await _all(connection, "newest", {"holder_id": Int8(holder_id)}))[0][0]
    return number


async def read_since(
    connection: Connection, holder_id: int, after: int, limit: int
) -> list[InboxNotice]:
    """Read what came into an inbox after a place, the oldest first."""
    values = {"holder_id": Int8(holder_id), "after": Int8(after), "limit": Int4(limit)}
    return [_notice(row) for row in await _all(connection, "read_since", values)]


async def read_one(
    connection: Connection, holder_id: int, notice_id: NoticeId
) -> InboxNotice | None:
    """Read one notice; None if it is not there or put away."""
    values = {"holder_id": Int8(holder_id), "notice_id": notice_id}
    rows = await _all(connection, "read_one", values)
    return _notice(rows[0]) if rows else None


async def count_unread(connection: Connection, holder_id: int, most: int) -> int:
    """Count what a holder has not read, up to ``most``."""
    values = {"holder_id": Int8(holder_id), "most": Int4(most)}
    count: int = (await _all(connection, "count_unread", values))[0][0]
    return count


async def mark_read(connection: Connection, holder_id: int, notice_id: NoticeId) -> bool:
    """Note that a notice was read; False if it is not there."""
    values = {"holder_id": Int8(holder_id), "notice_id": notice_id}
    return bool(await _all(connection, "mark_read", values))


async def mark_all_read(connection: Connection, holder_id: int, last: int) -> int:
    """Note that everything up to a place was read; how many were not before."""
    values = {"holder_id": Int8(holder_id), "last": Int8(last)}
    count: int = (await _all(connection, "mark_all_read", values))[0][0]
    return count


async def dismiss(connection: Connection, holder_id: int, notice_id: NoticeId) -> bool:
    """Put a notice away; False if it never was there."""
    values = {"holder_id": Int8(holder_id), "notice_id": notice_id}
    return bool(await _all(connection, "dismiss", values))


async def read_tips(
    connection: Connection, holder_ids: Sequence[int], most: int
) -> dict[int, tuple[int, ...]]:
    """Read what changes whenever there may be news, of many holders; unread up to ``most``."""
    values = {"holder_ids": int8s(holder_ids), "most": Int4(most)}
    rows = await _all(connection, "read_tips", values)
    return {row[0]: tuple(row[1:]) for row in rows}


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Forget notices that were made before an instant; how many, at most ``limit``."""
    values = {"before": before, "limit": Int4(limit)}
    count: int = (await _all(connection, "forget", values))[0][0]
    return count


def _notice(row: Sequence[Any]) -> InboxNotice:
    return InboxNotice(
        notice_id=row[0],
        holder_id=row[1],
        kind=Kind(row[2]),
        happened_at=row[3],
        data=_DATA.decode(row[4]),
        number=row[5],
        made_at=row[6],
        read_at=row[7],
    )


async def _all(connection: Connection, name: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

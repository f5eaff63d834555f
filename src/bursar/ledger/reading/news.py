"""What is new in the books, for those who tell people of it."""

from collections.abc import Sequence
from typing import Final

from psycopg.types.numeric import Int4, Int8

from bursar.ledger.model import Entry, WalletKey
from bursar.ledger.posting.store import entry_of
from bursar.platform.arrays import texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.ledger.reading", "news.sql")
_LOWEST: Final = -(2**63)


async def read_news(
    connection: Connection,
    key: WalletKey,
    after: int,
    last: int,
    *,
    kinds: Sequence[str],
    below: int | None,
    limit: int,
) -> list[Entry]:
    """Read entries of a wallet by ``seq``, after one and up to another, at most ``limit``.

    Only those of ``kinds``, and those that bring the balance under ``below``.
    """
    values = {
        "holder_id": Int8(key.holder_id),
        "asset_id": Int4(key.asset_id),
        "after": Int8(after),
        "last": Int8(last),
        "kinds": texts(kinds),
        "below": Int8(_LOWEST if below is None else below),
        "limit": Int4(limit),
    }
    return [entry_of(row) for row in await fetch(connection, QUERIES.numbered("read_news"), values)]


async def read_posted_by(
    connection: Connection, epoch: int, xid: int, actor: str, *, after: int, limit: int
) -> list[Entry]:
    """Read what one actor posted in one transaction, of the holders after ``after``, by holder.

    About ``limit`` entries, and always all of a holder.
    """
    values = {
        "epoch": Int4(epoch),
        "xid": str(xid),
        "actor": actor,
        "after": Int8(after),
        "limit": Int4(limit),
    }
    rows = await fetch(connection, QUERIES.numbered("read_posted_by"), values)
    return sorted(map(entry_of, rows), key=lambda e: (e.holder_id, e.asset_id, e.seq))

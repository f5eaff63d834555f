"""Putting into the books what time has done: lapses and expiries that are due (L6, L7)."""

from typing import Final

from bursar.ledger.decision.book import Book
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.settle import settle
from bursar.ledger.posting import store
from bursar.platform.database import Connection

ACTOR: Final = "bursar"
REASON: Final = "what was due by its deadline or date"


async def sweep(connection: Connection, seal: Seal, limit: int) -> int:
    """Settle at most ``limit`` wallets that are due, the longest overdue first; return how many.

    Runs in the caller's transaction and locks the wallets in order, as losers of a race do.
    """
    now, _ = await store.open_batch(connection, 0)
    keys = await store.due_wallets(connection, now, limit)
    if not keys:
        return 0
    await store.lock_wallets(connection, keys)
    now, (posting_id,) = await store.open_batch(connection, 1)
    positions = await store.read_positions(connection, keys)
    with_lots = [key for key in keys if positions[key].open_lots]
    with_holds = [key for key in keys if positions[key].open_holds]
    await store.read_lots(connection, positions, with_lots, [])
    await store.read_holds(connection, positions, with_holds, [], now)
    book = Book(now, seal, positions, [posting_id])
    for position in positions.values():
        settle(book, position, 0)
    if book.entries:
        await store.write_batch(connection, book, [(ACTOR, REASON)])
    return len(keys)

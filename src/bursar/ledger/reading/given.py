"""What programs ask of the books: what one transaction gave, what ends or ended in a window."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.types.numeric import Int4

from bursar.ledger.reading.wallets import QUERIES
from bursar.platform.arrays import int8s, texts
from bursar.platform.database import Connection, fetch


class Given(NamedTuple):
    """One grant."""

    holder_id: int
    asset: str
    reference: str
    amount: int


async def read_given(connection: Connection, epoch: int, xid: int, actor: str) -> list[Given]:
    """Read the grants that one actor has made in one transaction, by holder."""
    values = {"epoch": Int4(epoch), "xid": str(xid), "actor": actor}
    return [Given(*row) for row in await fetch(connection, QUERIES.numbered("read_given"), values)]


async def read_by_references(
    connection: Connection, asset: str, holder_ids: Sequence[int], references: Sequence[str]
) -> dict[tuple[int, str], int]:
    """Read the amounts of these holders' entries of these references, where there are any."""
    values = {
        "asset": asset,
        "holder_ids": int8s(holder_ids),
        "references": texts(references),
    }
    rows = await fetch(connection, QUERIES.numbered("read_by_references"), values)
    return {(row[0], row[1]): row[2] for row in rows}


class Ending(NamedTuple):
    """A wallet with lots that would expire, or the hold of it that would lapse."""

    holder_id: int
    asset: str
    hold: str | None


class Expired(NamedTuple):
    """What has expired of one lot; ``seq`` is that of the entry."""

    holder_id: int
    asset: str
    seq: int
    amount: int
    priority: int
    origin: str | None


async def read_ending(connection: Connection, since: datetime, until: datetime) -> list[Ending]:
    """Read the lots and holds, still open, that end between two instants, by holder."""
    values = {"since": since, "until": until}
    rows = await fetch(connection, QUERIES.numbered("read_ending"), values)
    return [Ending(*row) for row in rows]


async def read_expired(connection: Connection, since: datetime, until: datetime) -> list[Expired]:
    """Read what has expired between two instants, by holder."""
    values = {"since": since, "until": until}
    rows = await fetch(connection, QUERIES.numbered("read_expired"), values)
    return [Expired(*row) for row in rows]

"""What programs have given: the entries of one transaction, and entries by their references."""

from collections.abc import Sequence
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

"""Why a balance is what it is (L12).

A balance is explained three ways that must agree: what came and went by kind and source adds up
to it; the lots that are left, each with the entry that opened it and what drew from it; and what
time has taken since the last entry, which the books will say with the next one.
"""

from datetime import datetime
from typing import Final

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.ledger.catalogue import Kind
from bursar.ledger.model import Asset, Entry, Lot, Wallet, WalletKey
from bursar.ledger.posting import store
from bursar.ledger.reading.wallets import (
    QUERIES,
    Posting,
    Total,
    read_postings,
    read_totals,
    read_wallet,
)
from bursar.platform.arrays import int8s
from bursar.platform.database import Connection, fetch

_MOST_DRAWS: Final = 1_000


class Draw(msgspec.Struct, frozen=True):
    """What one entry took from a lot (negative) or gave back to it; or, of 0, more time."""

    seq: int
    kind: Kind
    reference: str
    amount: int
    recorded_at: datetime
    until: datetime | None = None


class LotStory(msgspec.Struct, frozen=True):
    """A lot that is left: where it came from, by whose act and why, and what drew from it.

    The entry's metadata carries the inputs of the program or rule that gave the credit.
    """

    lot: Lot
    opened_by: Entry
    posting: Posting
    draws: tuple[Draw, ...]


class Explanation(msgspec.Struct, frozen=True):
    """``totals`` add up to ``recorded``; ``recorded`` less ``overdue`` is the wallet's balance."""

    wallet: Wallet
    recorded: int
    overdue: int
    plain: int
    totals: tuple[Total, ...]
    lots: tuple[LotStory, ...]


async def explain(
    connection: Connection, asset: Asset, key: WalletKey, holder: str | None
) -> Explanation:
    """Explain a wallet's balance; of each lot at most the newest 1,000 draws together."""
    wallet = await read_wallet(connection, asset, key, holder)
    totals = await read_totals(connection, key)
    recorded = sum(total.amount for total in totals)
    return Explanation(
        wallet=wallet,
        recorded=recorded,
        overdue=recorded - wallet.balance,
        plain=wallet.available - sum(lot.remaining for lot in wallet.lots),
        totals=tuple(totals),
        lots=await _stories(connection, key, wallet.lots) if wallet.lots else (),
    )


async def _stories(
    connection: Connection, key: WalletKey, lots: tuple[Lot, ...]
) -> tuple[LotStory, ...]:
    seqs = [lot.seq for lot in lots]
    values = {
        "holder_id": Int8(key.holder_id),
        "asset_id": Int4(key.asset_id),
        "seqs": int8s(seqs),
        "lots": int8s(seqs),
        "first": Int8(min(seqs)),
        "limit": Int4(_MOST_DRAWS),
    }
    rows = await fetch(connection, QUERIES.numbered("read_entries"), values)
    opened = {entry.seq: entry for entry in map(store.entry_of, rows)}
    rows = await fetch(connection, QUERIES.numbered("read_draws"), values)
    draws: dict[int, list[Draw]] = {seq: [] for seq in seqs}
    for lot, amount, seq, kind, reference, recorded_at, until in rows:
        draws[lot].append(Draw(seq, Kind(kind), reference, amount, recorded_at, until))
    postings = await read_postings(connection, [entry.posting_id for entry in opened.values()])
    return tuple(
        LotStory(
            lot=lot,
            opened_by=opened[lot.seq],
            posting=postings[opened[lot.seq].posting_id],
            draws=tuple(draws[lot.seq]),
        )
        for lot in lots
    )

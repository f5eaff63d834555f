"""The SQL of the writing path: typed rows in and out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.ledger.catalogue import KINDS
from bursar.ledger.decision.book import Book, Positions, Reference, Voice
from bursar.ledger.decision.distribution import PlainGrants, PlainWallets, without_wallet
from bursar.ledger.decision.position import Position
from bursar.ledger.model import (
    Asset,
    AssetId,
    Detail,
    Entry,
    Hold,
    HoldState,
    Lot,
    WalletKey,
)
from bursar.ledger.posting import columns
from bursar.platform.arrays import int4s, int8s, texts
from bursar.platform.collector import paused_collector
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.ledger.posting")
GRANTS: Final = Queries("bursar.ledger.posting", "grants.sql")
_DETAIL: Final = msgspec.json.Decoder(Detail)


async def open_batch(connection: Connection, postings: int) -> tuple[datetime, list[int]]:
    """Return the database's instant and ``postings`` new posting ids."""
    row = await _one(connection, "open_batch", {"postings": Int4(postings)})
    return row[0], row[1]


async def read_positions(connection: Connection, keys: Iterable[WalletKey]) -> Positions:
    """Read these wallets, blank positions for those that aren't there."""
    by_asset: dict[int, list[int]] = defaultdict(list)
    for holder_id, asset_id in keys:
        by_asset[asset_id].append(holder_id)
    positions: Positions = {}
    for asset_id, holder_ids in by_asset.items():
        rows = await _all(
            connection,
            "read_wallets",
            {"holder_ids": int8s(holder_ids), "asset_id": Int4(asset_id)},
        )
        for row in rows:
            positions[row[0], asset_id] = Position(*row)
        if len(rows) < len(holder_ids):
            for holder_id in holder_ids:
                if (holder_id, asset_id) not in positions:
                    positions[holder_id, asset_id] = Position(holder_id, asset_id)
    return positions


async def lock_wallets(connection: Connection, keys: Iterable[WalletKey]) -> None:
    """Lock those of the wallets that are there, in order, until the transaction ends."""
    ordered = sorted(keys)
    values = {
        "holder_ids": int8s([key.holder_id for key in ordered]),
        "asset_ids": int4s([key.asset_id for key in ordered]),
    }
    await _all(connection, "lock_wallets", values)


async def find_references(
    connection: Connection, references: Sequence[Reference]
) -> dict[Reference, Entry]:
    """Return the entries that these references name, by reference."""
    rows = await _all(
        connection,
        "find_references",
        {
            "holder_ids": int8s([r[0] for r in references]),
            "asset_ids": int4s([r[1] for r in references]),
            "references": texts([r[2] for r in references]),
        },
    )
    entries = [entry_of(row) for row in rows]
    return {(e.holder_id, e.asset_id, e.reference): e for e in entries}


async def read_lots(
    connection: Connection,
    positions: Positions,
    open_in: Sequence[WalletKey],
    named: Sequence[tuple[WalletKey, int]],
) -> None:
    """Put into their positions the open lots of ``open_in``, and the lots ``named``."""
    rows = await _all(
        connection,
        "read_lots",
        {
            "holder_ids": int8s([key.holder_id for key in open_in]),
            "asset_ids": int4s([key.asset_id for key in open_in]),
            "lot_holder_ids": int8s([key.holder_id for key, _ in named]),
            "lot_asset_ids": int4s([key.asset_id for key, _ in named]),
            "lot_seqs": int8s([seq for _, seq in named]),
        },
    )
    for holder_id, asset_id, *lot in rows:
        parts = positions[holder_id, asset_id].with_parts()
        parts.lots[lot[0]] = Lot(*lot)


async def read_holds(
    connection: Connection,
    positions: Positions,
    open_in: Sequence[WalletKey],
    named: Sequence[Reference],
    due_by: datetime | None,
) -> None:
    """Put into their positions open holds of ``open_in``, and the holds ``named``.

    Of the open ones those whose deadline is not after ``due_by``, or all if that is None.
    """
    rows = await _all(
        connection,
        "read_holds",
        {
            "holder_ids": int8s([key.holder_id for key in open_in]),
            "asset_ids": int4s([key.asset_id for key in open_in]),
            "hold_holder_ids": int8s([r[0] for r in named]),
            "hold_asset_ids": int4s([r[1] for r in named]),
            "references": texts([r[2] for r in named]),
            "due_by": due_by,
        },
    )
    for holder_id, asset_id, reference, seq, state, remaining, placed_at, deadline, draws in rows:
        parts = positions[holder_id, asset_id].with_parts()
        shares = tuple(zip(draws[::2], draws[1::2], strict=True))
        parts.holds[reference] = Hold(
            reference, seq, HoldState(state), remaining, placed_at, deadline, shares
        )


async def read_reversals(
    connection: Connection,
    positions: Positions,
    targets: Sequence[tuple[WalletKey, int]],
) -> None:
    """Put into their positions how much of the entries ``targets`` has been reversed."""
    rows = await _all(
        connection,
        "read_reversals",
        {
            "holder_ids": int8s([key.holder_id for key, _ in targets]),
            "asset_ids": int4s([key.asset_id for key, _ in targets]),
            "seqs": int8s([seq for _, seq in targets]),
        },
    )
    for holder_id, asset_id, seq, reversed_ in rows:
        positions[holder_id, asset_id].with_parts().reversed[seq] = reversed_


async def write_batch(
    connection: Connection, book: Book, voices: Sequence[Voice]
) -> set[WalletKey]:
    """Write what a book has decided; return the wallets that had moved meanwhile.

    Nothing of those is written, everything of the others is. ``voices`` are the actor and the
    reason of each of the book's postings; one without entries is not written.
    """
    with paused_collector():
        values, keys = columns.of_batch(book)
    values["p_actor"] = texts([actor for actor, _ in voices])
    values["p_reason"] = texts([reason for _, reason in voices])
    row = await _one(connection, "write_batch", values)
    return {WalletKey(*keys[number - 1]) for number in row[0]}


async def write_grants(
    connection: Connection, grants: PlainGrants, key_id: int, voice: Voice
) -> set[int]:
    """Write a distribution; return the holders whose wallets had moved meanwhile.

    Nothing of those is written, everything of the others is.
    """
    with paused_collector():
        values = columns.of_grants(grants, key_id)
    values["actor"], values["reason"] = voice
    rows = await fetch(connection, GRANTS.numbered("write_grants"), values)
    return set(rows[0][0])


async def read_plain_wallets(
    connection: Connection,
    holder_ids: Sequence[int],
    asset_id: int,
    now: datetime,
    most: int,
    *,
    in_lots: bool,
) -> PlainWallets:
    """Read, by column, the wallets on which nothing but the balance bears, in order.

    ``most`` is the largest balance that leaves room; ``in_lots`` is whether what comes is to lie in
    lots.
    """
    values = {
        "holder_ids": int8s(holder_ids),
        "asset_id": Int4(asset_id),
        "now": now,
        "most": Int8(most),
        "in_lots": in_lots,
    }
    rows = await fetch(connection, GRANTS.numbered("read_plain_wallets"), values)
    rows.sort()
    return PlainWallets(*zip(*rows, strict=True)) if rows else without_wallet(())


async def holders_without_wallet(
    connection: Connection, holder_ids: Sequence[int], asset_id: int
) -> list[int]:
    """Say which of these numbers belong to holders without a wallet in the asset, in order."""
    values = {"holder_ids": int8s(holder_ids), "asset_id": Int4(asset_id)}
    rows = await fetch(connection, GRANTS.numbered("holders_without_wallet"), values)
    return sorted(row[0] for row in rows)


async def resolve_holders(
    connection: Connection, external_ids: Sequence[str], *, enrol: Sequence[str]
) -> dict[str, int]:
    """Return the numbers of ``external_ids``; those of ``enrol`` get one if they have none.

    They are enrolled in one order by everybody: who meets waits, and nobody for each other.
    """
    found = await _resolve(connection, external_ids)
    new = sorted({external_id for external_id in enrol if external_id not in found})
    if new:
        await _all(connection, "enrol_holders", {"external_ids": texts(new)})
        found |= await _resolve(connection, new)
    return found


async def known_holders(connection: Connection, holder_ids: Sequence[int]) -> set[int]:
    """Say which of these numbers belong to a holder."""
    rows = await _all(connection, "known_holders", {"holder_ids": int8s(holder_ids)})
    return {row[0] for row in rows}


async def read_assets(connection: Connection) -> dict[str, Asset]:
    """Return every asset by its code."""
    rows = await _all(connection, "read_assets", {})
    return {code: Asset(AssetId(asset_id), code, scale) for asset_id, code, scale in rows}


async def add_asset(connection: Connection, code: str, scale: int) -> Asset | None:
    """Add an asset; None if the code is taken."""
    row = await _one(connection, "add_asset", {"code": code, "scale": scale})
    return None if row is None else Asset(AssetId(row[0]), row[1], row[2])


async def due_wallets(connection: Connection, now: datetime, limit: int) -> list[WalletKey]:
    """List wallets with lots or holds whose time has passed at ``now``."""
    rows = await _all(connection, "due_wallets", {"now": now, "limit": Int4(limit)})
    return [WalletKey(*row) for row in rows]


class ServerFacts(NamedTuple):
    """What a server is; ``known_identifier`` is that of the server the books were last on."""

    system_identifier: int
    known_identifier: int
    major: int
    encoding: str


async def identify_server(connection: Connection) -> ServerFacts:
    """Tell which server the connection leads to."""
    return ServerFacts(*await _one(connection, "identify_server", {}))


async def mark_epoch(connection: Connection, system_identifier: int) -> None:
    """Begin a new epoch if the database was moved to another server by dump and restore."""
    await _all(connection, "mark_epoch", {"system_identifier": Int8(system_identifier)})


def entry_of(row: Sequence[Any]) -> Entry:
    """Make an entry of a row in the columns' order of `find_references`."""
    values = list(row)
    values[4] = KINDS[values[4]]
    values[14] = None if values[14] is None else _DETAIL.decode(values[14])
    return Entry(*values)


async def _resolve(connection: Connection, external_ids: Sequence[str]) -> dict[str, int]:
    rows = await _all(connection, "resolve_holders", {"external_ids": texts(external_ids)})
    return dict(rows)


async def _all(connection: Connection, query: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(query), values)


async def _one(connection: Connection, query: str, values: dict[str, Any]) -> Any:
    rows = await _all(connection, query, values)
    return rows[0] if rows else None

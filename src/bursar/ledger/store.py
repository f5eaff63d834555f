"""The SQL of the writing path: typed rows in and out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.ledger.book import Book, Reference, detail_text
from bursar.ledger.catalogue import Kind
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
from bursar.ledger.position import Position
from bursar.platform.arrays import Array, byteas, instants, int2s, int4s, int8s, spread, texts
from bursar.platform.database import Connection
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.ledger")
_DETAIL: Final = msgspec.json.Decoder(Detail)


async def open_batch(connection: Connection, postings: int) -> tuple[datetime, list[int]]:
    """Return the database's instant and ``postings`` new posting ids."""
    row = await _one(connection, "open_batch", {"postings": Int4(postings)})
    return row[0], row[1]


async def read_positions(
    connection: Connection, keys: Iterable[WalletKey]
) -> dict[WalletKey, Position]:
    """Read these wallets, blank positions for those that aren't there."""
    positions = {key: Position(*key) for key in keys}
    by_asset: dict[int, list[int]] = defaultdict(list)
    for holder_id, asset_id in positions:
        by_asset[asset_id].append(holder_id)
    for asset_id, holder_ids in by_asset.items():
        rows = await _all(
            connection,
            "read_wallets",
            {"holder_ids": int8s(holder_ids), "asset_id": Int4(asset_id)},
        )
        for row in rows:
            positions[WalletKey(row[0], asset_id)] = Position(*row)
    return positions


async def lock_wallets(connection: Connection, keys: Iterable[WalletKey]) -> None:
    """Lock those of the wallets that are there, in order, until the transaction ends."""
    ordered = sorted(keys)
    values = {
        "holder_ids": int8s([key.holder_id for key in ordered]),
        "asset_ids": int4s([key.asset_id for key in ordered]),
    }
    await connection.execute(QUERIES["lock_wallets"], values)


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
    positions: Mapping[WalletKey, Position],
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
        parts = positions[WalletKey(holder_id, asset_id)].with_parts()
        parts.lots[lot[0]] = Lot(*lot)


async def read_holds(
    connection: Connection,
    positions: Mapping[WalletKey, Position],
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
        parts = positions[WalletKey(holder_id, asset_id)].with_parts()
        shares = tuple(zip(draws[::2], draws[1::2], strict=True))
        parts.holds[reference] = Hold(
            reference, seq, HoldState(state), remaining, placed_at, deadline, shares
        )


async def read_reversals(
    connection: Connection,
    positions: Mapping[WalletKey, Position],
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
        positions[WalletKey(holder_id, asset_id)].with_parts().reversed[seq] = reversed_


async def write_batch(
    connection: Connection, book: Book, postings: Sequence[tuple[int, str, str]]
) -> set[WalletKey]:
    """Write what a book has decided; return the wallets that had moved meanwhile.

    Nothing of those is written, everything of the others is. ``postings`` are
    ``(posting_id, actor, reason)``; one without entries is not written.
    """
    entries = sorted(book.entries, key=_place) if len(book.positions) > 1 else book.entries
    numbers: dict[WalletKey, int] = {}
    for entry in entries:
        numbers.setdefault(WalletKey(entry.holder_id, entry.asset_id), len(numbers) + 1)
    moved = [book.positions[key] for key in numbers]
    row = await _one(
        connection,
        "write_batch",
        _wallet_columns(moved)
        | _entry_columns(entries, numbers)
        | _lot_columns(moved)
        | _hold_columns(moved)
        | _reversal_columns(moved)
        | {
            "now": book.now,
            "p_posting_id": int8s([p[0] for p in postings]),
            "p_actor": texts([p[1] for p in postings]),
            "p_reason": texts([p[2] for p in postings]),
        },
    )
    keys = list(numbers)
    return {keys[number - 1] for number in row[0]}


async def resolve_holders(
    connection: Connection, external_ids: Sequence[str], *, enrol: Sequence[str]
) -> dict[str, int]:
    """Return the numbers of ``external_ids``; those of ``enrol`` get one if they have none.

    They are enrolled in one order by everybody: who meets waits, and nobody for each other.
    """
    found = await _resolve(connection, external_ids)
    new = sorted({external_id for external_id in enrol if external_id not in found})
    if new:
        await connection.execute(QUERIES["enrol_holders"], {"external_ids": texts(new)})
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
    cursor = await connection.execute(QUERIES["add_asset"], {"code": code, "scale": scale})
    row = await cursor.fetchone()
    return None if row is None else Asset(AssetId(row[0]), row[1], row[2])


async def due_wallets(connection: Connection, now: datetime, limit: int) -> list[WalletKey]:
    """List wallets with lots or holds whose time has passed at ``now``."""
    rows = await _all(connection, "due_wallets", {"now": now, "limit": Int4(limit)})
    return [WalletKey(*row) for row in rows]


async def mark_epoch(connection: Connection, system_identifier: int) -> None:
    """Begin a new epoch if the database was moved to another server by dump and restore."""
    await connection.execute(QUERIES["mark_epoch"], {"system_identifier": Int8(system_identifier)})


def entry_of(row: Sequence[Any]) -> Entry:
    """Make an entry of a row in the columns' order of `find_references`."""
    values = list(row)
    values[4] = Kind(values[4])
    values[14] = None if values[14] is None else _DETAIL.decode(values[14])
    return Entry(*values)


async def _resolve(connection: Connection, external_ids: Sequence[str]) -> dict[str, int]:
    rows = await _all(connection, "resolve_holders", {"external_ids": texts(external_ids)})
    return dict(rows)


async def _all(connection: Connection, query: str, values: dict[str, Any]) -> list[Any]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(QUERIES[query], values)
    return await cursor.fetchall()


async def _one(connection: Connection, query: str, values: dict[str, Any]) -> Any:
    cursor = connection.cursor(binary=True)
    await cursor.execute(QUERIES[query], values)
    return await cursor.fetchone()


def _place(entry: Entry) -> tuple[int, int, int]:
    return entry.holder_id, entry.asset_id, entry.seq


def _spread_ints(name: str, values: Sequence[int], pack: Any, wrap: Any) -> dict[str, Any]:
    array, everywhere = spread(values, pack)
    return {name: array, f"{name}_all": wrap(everywhere or 0)}


def _spread_instants(name: str, values: Sequence[datetime], default: datetime) -> dict[str, Any]:
    array, everywhere = spread(values, instants)
    return {name: array, f"{name}_all": everywhere or default}


def _spread_texts(name: str, values: Sequence[str | None]) -> dict[str, Array | str | None]:
    array, everywhere = spread(values, texts, nullable=True)
    return {name: array, f"{name}_all": everywhere}


_EPOCH: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def _wallet_columns(moved: Sequence[Position]) -> dict[str, Any]:
    return {
        "w_holder_id": int8s([p.holder_id for p in moved]),
        "w_asset_id": int4s([p.asset_id for p in moved]),
        "w_read_seq": int8s([p.read_seq for p in moved]),
        "w_seq": int8s([p.seq for p in moved]),
        "w_balance": int8s([p.balance for p in moved]),
        "w_head": byteas([p.head for p in moved]),
        **_spread_ints("w_held", [p.held for p in moved], int8s, Int8),
        **_spread_ints("w_credit_limit", [p.credit_limit for p in moved], int8s, Int8),
        **_spread_ints("w_owed", [p.owed for p in moved], int8s, Int8),
        **_spread_ints("w_open_lots", [p.open_lots for p in moved], int4s, Int4),
        **_spread_ints("w_open_holds", [p.open_holds for p in moved], int4s, Int4),
        **_spread_instants("w_recorded_at", [p.recorded_at for p in moved], _EPOCH),
        **_spread_texts("w_state", [p.state for p in moved]),
    }


def _entry_columns(entries: Sequence[Entry], numbers: Mapping[WalletKey, int]) -> dict[str, Any]:
    details = [None if e.detail is None else detail_text(e.detail) for e in entries]
    return {
        "e_holder_id": int8s([e.holder_id for e in entries]),
        "e_asset_id": int4s([e.asset_id for e in entries]),
        "e_wallet": int8s([numbers[WalletKey(e.holder_id, e.asset_id)] for e in entries]),
        "e_seq": int8s([e.seq for e in entries]),
        "e_balance": int8s([e.balance for e in entries]),
        "e_checksum": byteas([e.checksum for e in entries]),
        "e_detail": texts(details) if any(details) else texts(()),
        "e_key_id": Int4(entries[0].key_id if entries else 0),
        **_spread_ints("e_posting_id", [e.posting_id for e in entries], int8s, Int8),
        **_spread_ints("e_amount", [e.amount for e in entries], int8s, Int8),
        **_spread_ints("e_held_change", [e.held_change for e in entries], int8s, Int8),
        **_spread_instants("e_effective_at", [e.effective_at for e in entries], _EPOCH),
        **_spread_instants("e_recorded_at", [e.recorded_at for e in entries], _EPOCH),
        **_spread_texts("e_kind", [e.kind for e in entries]),
        **_spread_texts("e_reference", [e.reference for e in entries]),
        **_spread_texts("e_house_account", [e.house_account for e in entries]),
        **_spread_texts("e_source", [e.source for e in entries]),
        **_spread_texts("e_metadata", [e.metadata for e in entries]),
    }


def _lot_columns(moved: Sequence[Position]) -> dict[str, Any]:
    lots = [
        (number, p, p.parts.lots[seq])
        for number, p in enumerate(moved, 1)
        if p.parts is not None
        for seq in sorted(p.parts.changed_lots)
    ]
    return {
        "l_holder_id": int8s([p.holder_id for _, p, _ in lots]),
        "l_asset_id": int4s([p.asset_id for _, p, _ in lots]),
        "l_wallet": int8s([number for number, _, _ in lots]),
        "l_seq": int8s([lot.seq for _, _, lot in lots]),
        "l_remaining": int8s([lot.remaining for _, _, lot in lots]),
        "l_held": int8s([lot.held for _, _, lot in lots]),
        "l_priority": int2s([lot.priority for _, _, lot in lots]),
        "l_expires_at": instants([lot.expires_at for _, _, lot in lots]),
        "l_origin": texts([lot.origin for _, _, lot in lots]),
    }


def _hold_columns(moved: Sequence[Position]) -> dict[str, Any]:
    holds = [
        (number, p, p.parts.holds[reference])
        for number, p in enumerate(moved, 1)
        if p.parts is not None
        for reference in sorted(p.parts.changed_holds)
    ]
    draws = [",".join(f"{seq},{part}" for seq, part in hold.draws) for _, _, hold in holds]
    return {
        "h_holder_id": int8s([p.holder_id for _, p, _ in holds]),
        "h_asset_id": int4s([p.asset_id for _, p, _ in holds]),
        "h_wallet": int8s([number for number, _, _ in holds]),
        "h_seq": int8s([hold.seq for _, _, hold in holds]),
        "h_remaining": int8s([hold.remaining for _, _, hold in holds]),
        "h_placed_at": instants([hold.placed_at for _, _, hold in holds]),
        "h_deadline": instants([hold.deadline for _, _, hold in holds]),
        "h_reference": texts([hold.reference for _, _, hold in holds]),
        "h_state": texts([hold.state for _, _, hold in holds]),
        "h_draws": texts([f"{{{text}}}" for text in draws]),
    }


def _reversal_columns(moved: Sequence[Position]) -> dict[str, Any]:
    reversals = [
        (number, p, seq, p.parts.reversed[seq])
        for number, p in enumerate(moved, 1)
        if p.parts is not None
        for seq in sorted(p.parts.changed_reversals)
    ]
    return {
        "r_holder_id": int8s([p.holder_id for _, p, _, _ in reversals]),
        "r_asset_id": int4s([p.asset_id for _, p, _, _ in reversals]),
        "r_wallet": int8s([number for number, _, _, _ in reversals]),
        "r_seq": int8s([seq for _, _, seq, _ in reversals]),
        "r_reversed": int8s([amount for _, _, _, amount in reversals]),
    }

"""What a batch or a distribution writes, as columns for `write_batch` and `write_grants`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from psycopg.types.numeric import Int2, Int4, Int8

from bursar.ledger.decision.book import Book, detail_text
from bursar.ledger.decision.distribution import PlainGrants
from bursar.ledger.decision.position import Position
from bursar.ledger.model import LONG_AGO, Entry, LotTerms
from bursar.platform.arrays import (
    Array,
    byteas,
    dates,
    instants,
    int2s,
    int4s,
    int8s,
    spread,
    texts,
)

_Pack = Callable[[Sequence[int]], Array]


def of_batch(book: Book) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """All that a book has decided, in the order of its wallets; and the wallets in that order.

    The order keeps those who write the same wallets from waiting for each other in a circle.
    """
    entries = sorted(book.entries, key=_place) if len(book.positions) > 1 else book.entries
    newest = {(e.holder_id, e.asset_id): e for e in entries}
    moved = [book.positions[key] for key in newest]
    new = sum(1 for p in moved if not p.read_seq)
    others: list[Entry] = []
    if new or len(entries) > len(newest):
        riding = {id(e) for p, e in zip(moved, newest.values(), strict=True) if p.read_seq}
        others = [e for e in entries if id(e) not in riding]
    values = (
        of_wallets(moved, list(newest.values()))
        | of_entries(others, {key: number for number, key in enumerate(newest, 1)})
        | of_totals(entries)
        | of_lots(moved)
        | of_holds(moved)
        | of_reversals(moved)
        | {
            "now": book.now,
            "key_id": Int4(book.seal.key_id),
            "existing": Int8(len(moved) - new),
            "new": Int8(new),
            "p_posting_id": int8s(book.posting_ids),
        }
    )
    return values, list(newest)


def of_grants(grants: PlainGrants, key_id: int) -> dict[str, Any]:
    """A distribution to plain wallets, for `write_grants`."""
    lot = grants.lot or LotTerms()
    return {
        "holder_id": int8s(grants.holder_ids),
        "seq": int8s(grants.seqs),
        "head": byteas(grants.heads),
        **_ints("amount", grants.amounts),
        **_texts("metadata", grants.metadata),
        **_texts("detail", grants.details),
        "count": Int8(len(grants.holder_ids)),
        "new": Int8(grants.seqs.count(1)),
        "asset_id": Int4(grants.asset_id),
        "key_id": Int4(key_id),
        "posting_id": Int8(grants.posting_id),
        "effective_at": grants.effective_at,
        "now": grants.recorded_at,
        "kind": grants.kind,
        "reference": grants.reference,
        "house_account": grants.house_account,
        "source": grants.source,
        "lots": Int4(grants.lot is not None),
        "lot_priority": Int2(lot.priority),
        "lot_expires_at": lot.expires_at,
        "lot_origin": lot.origin,
    }


def of_wallets(moved: Sequence[Position], newest: Sequence[Entry]) -> dict[str, Any]:
    """The wallets as they are to be, each with its newest entry."""
    return {
        "w_holder_id": int8s([p.holder_id for p in moved]),
        **_ints("w_asset_id", [p.asset_id for p in moved], int4s, Int4),
        **_ints("w_entries", [p.seq - p.read_seq for p in moved], int4s, Int4),
        "w_seq": int8s([p.seq for p in moved]),
        "w_balance": int8s([p.balance for p in moved]),
        "w_head": byteas([p.head for p in moved]),
        **_ints("w_held", [p.held for p in moved]),
        **_ints("w_credit_limit", [p.credit_limit for p in moved]),
        **_ints("w_owed", [p.owed for p in moved]),
        **_ints("w_open_lots", [p.open_lots for p in moved], int4s, Int4),
        **_ints("w_open_holds", [p.open_holds for p in moved], int4s, Int4),
        **_instants("w_recorded_at", [p.recorded_at for p in moved]),
        **_texts("w_state", [p.state for p in moved]),
        **_ints("w_posting_id", [e.posting_id for e in newest]),
        **_ints("w_amount", [e.amount for e in newest]),
        **_ints("w_held_change", [e.held_change for e in newest]),
        **_instants("w_effective_at", [e.effective_at for e in newest]),
        **_texts("w_kind", [e.kind for e in newest]),
        **_texts("w_reference", [e.reference for e in newest]),
        **_texts("w_house_account", [e.house_account for e in newest]),
        **_texts("w_source", [e.source for e in newest]),
        **_texts("w_metadata", [e.metadata for e in newest]),
        **_texts("w_detail", [_detail(e) for e in newest]),
    }


def of_entries(
    entries: Sequence[Entry], numbers: Mapping[tuple[int, int], int]
) -> dict[str, Array]:
    """The entries that do not ride with their wallets; ``numbers`` are those of the wallets."""
    return {
        "e_holder_id": int8s([e.holder_id for e in entries]),
        "e_asset_id": int4s([e.asset_id for e in entries]),
        "e_wallet": int8s([numbers[e.holder_id, e.asset_id] for e in entries]),
        "e_seq": int8s([e.seq for e in entries]),
        "e_posting_id": int8s([e.posting_id for e in entries]),
        "e_amount": int8s([e.amount for e in entries]),
        "e_held_change": int8s([e.held_change for e in entries]),
        "e_balance": int8s([e.balance for e in entries]),
        "e_effective_at": instants([e.effective_at for e in entries]),
        "e_recorded_at": instants([e.recorded_at for e in entries]),
        "e_checksum": byteas([e.checksum for e in entries]),
        "e_kind": texts([e.kind for e in entries]),
        "e_reference": texts([e.reference for e in entries]),
        "e_house_account": texts([e.house_account for e in entries]),
        "e_source": texts([e.source for e in entries]),
        "e_metadata": texts([e.metadata for e in entries]),
        "e_detail": texts([_detail(e) for e in entries]),
    }


def of_totals(entries: Sequence[Entry]) -> dict[str, Array]:
    """What the house gives, by posting, account, kind and UTC day, and in how many entries."""
    totals: dict[tuple[int, int, str, str | None, date], list[int]] = {}
    instant, day = LONG_AGO, LONG_AGO.date()
    for e in entries:
        if e.recorded_at is not instant:
            instant, day = e.recorded_at, e.recorded_at.date()
        key = (e.asset_id, e.posting_id, e.kind, e.house_account, day)
        total = totals.get(key)
        if total is None:
            totals[key] = [-e.amount, 1]
        else:
            total[0] -= e.amount
            total[1] += 1
    return {
        "t_asset_id": int4s([key[0] for key in totals]),
        "t_posting_id": int8s([key[1] for key in totals]),
        "t_kind": texts([key[2] for key in totals]),
        "t_house_account": texts([key[3] for key in totals]),
        "t_day": dates([key[4] for key in totals]),
        "t_amount": texts([str(amount) for amount, _ in totals.values()]),
        "t_entries": int4s([entries for _, entries in totals.values()]),
    }


def of_lots(moved: Sequence[Position]) -> dict[str, Any]:
    """The lots that changed, each with the number of its wallet among ``moved``."""
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


def of_holds(moved: Sequence[Position]) -> dict[str, Any]:
    """The holds that changed, each with the number of its wallet among ``moved``."""
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


def of_reversals(moved: Sequence[Position]) -> dict[str, Any]:
    """The amounts reversed that changed, each with the number of its wallet among ``moved``."""
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


def _detail(entry: Entry) -> str | None:
    return None if entry.detail is None else detail_text(entry.detail)


def _ints(
    name: str, values: Sequence[int], pack: _Pack = int8s, wrap: type[int] = Int8
) -> dict[str, Any]:
    array, everywhere = spread(values, pack)
    return {name: array, f"{name}_all": wrap(everywhere or 0)}


def _instants(name: str, values: Sequence[datetime]) -> dict[str, Any]:
    array, everywhere = spread(values, instants)
    return {name: array, f"{name}_all": everywhere or LONG_AGO}


def _texts(name: str, values: Sequence[str | None]) -> dict[str, Array | str | None]:
    array, everywhere = spread(values, texts, nullable=True)
    return {name: array, f"{name}_all": everywhere}


def _place(entry: Entry) -> tuple[int, int, int]:
    return entry.holder_id, entry.asset_id, entry.seq

"""Reading the ledger for people (L9): wallets, statements, balances of the past, the journal.

Nothing here locks or writes; the caller lends a `Database.snapshot`, so that the queries of one
question agree with each other whoever posts between them. A wallet is shown as it stands at the
database's instant: holds past their deadline and lots past their date no longer count, though
their entries come later.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.ledger.catalogue import Kind
from bursar.ledger.decision.book import Book, Positions
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.position import Position
from bursar.ledger.decision.settle import settle
from bursar.ledger.model import (
    LONG_AGO,
    MAX_AMOUNT,
    Asset,
    Entry,
    Hold,
    HoldState,
    Lot,
    PostingId,
    Wallet,
    WalletKey,
    WalletState,
)
from bursar.ledger.posting import store
from bursar.platform.arrays import int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.errors import Invalid, Missing
from bursar.platform.pages import Page, check_limit
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.ledger.reading", "queries.sql")

_END: Final = (MAX_AMOUNT, MAX_AMOUNT, 2**31 - 1, MAX_AMOUNT)
"""A place in the journal that no entry comes after: posting, holder, asset, seq."""


class Total(msgspec.Struct, frozen=True):
    """What a wallet gained (or lost) in its life by one kind and source (L9)."""

    kind: Kind
    source: str | None
    amount: int
    entries: int


class Posting(msgspec.Struct, frozen=True):
    """A set of entries written in one transaction for one reason."""

    posting_id: PostingId
    recorded_at: datetime
    entries: int
    actor: str
    reason: str


class Filter(msgspec.Struct, frozen=True):
    """Which entries of a statement: of any of the kinds, of any of the sources, in [since, until).

    An empty tuple or None means all. Instants are compared with ``recorded_at``.
    """

    kinds: tuple[Kind, ...] = ()
    sources: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


async def find_wallet(
    connection: Connection, asset: Asset, holder: str | None, holder_id: int | None
) -> tuple[WalletKey, str | None]:
    """Find a wallet's key by the app's id or by number; raises `Missing` ``holder_unknown``."""
    if holder is not None:
        return WalletKey(await find_holder(connection, holder), asset.asset_id), holder
    number = _number(holder_id)
    row = await _first(connection, "find_external_id", {"holder_id": Int8(number)})
    if row is None:
        raise _no_holder(holder, holder_id)
    return WalletKey(number, asset.asset_id), row[0]


async def find_holder(connection: Connection, holder: str) -> int:
    """Find a holder's number by the app's id; raises `Missing` ``holder_unknown``."""
    row = None
    if _is_text(holder):
        row = await _first(connection, "find_holder", {"external_id": holder})
    if row is None:
        raise _no_holder(holder, None)
    return int(row[0])


def unknown_asset(code: str) -> Missing:
    """Say that there is no such asset."""
    return Missing("asset_unknown", f"there is no asset {code!r}", asset=code)


def _no_holder(holder: str | None, holder_id: int | None) -> Missing:
    if holder is not None:
        return Missing("holder_unknown", f"there is no holder {holder!r}", holder=holder)
    return Missing("holder_unknown", f"there is no holder {holder_id}", holder_id=holder_id)


def _number(holder_id: int | None) -> int:
    """Read a number that may be anything; 0 is nobody's."""
    return holder_id if type(holder_id) is int and 0 < holder_id <= MAX_AMOUNT else 0


class Asked(NamedTuple):
    """A wallet that somebody asks for: by the app's own id, or by number."""

    asset: str
    holder: str | None
    holder_id: int | None


async def read_wallets(
    connection: Connection, assets: Mapping[str, Asset], asked: Sequence[Asked]
) -> list[Wallet | Missing]:
    """Show wallets as they stand now, in order; what is not there is a `Missing` in its place."""
    names = [a.holder for a in asked if a.holder is not None and _is_text(a.holder)]
    numbers = await store.resolve_holders(connection, names, enrol=()) if names else {}
    given = [_number(a.holder_id) for a in asked if a.holder is None]
    known = await read_names(connection, given) if given else {}
    found: list[tuple[Asset, WalletKey, str | None] | Missing] = []
    for one in asked:
        asset = assets.get(one.asset)
        number = numbers.get(one.holder) if one.holder is not None else _number(one.holder_id)
        if asset is None:
            found.append(unknown_asset(one.asset))
        elif number is None or (one.holder is None and number not in known):
            found.append(_no_holder(one.holder, one.holder_id))
        else:
            found.append((asset, WalletKey(number, asset.asset_id), one.holder or known[number]))
    keys = {f[1] for f in found if not isinstance(f, Missing)}
    positions, now = await read_settled_all(connection, keys)
    return [
        f if isinstance(f, Missing) else _shown(positions[f[1]], now, f[0], f[2]) for f in found
    ]


async def read_wallets_of(
    connection: Connection, holder_id: int, holder: str, assets: Sequence[Asset]
) -> list[Wallet]:
    """Show a holder's wallets as they stand now, by asset; who has none has an empty list."""
    rows = await _all(connection, "wallets_of", {"holder_id": Int8(holder_id)})
    present = {asset_id for (asset_id,) in rows}
    own = sorted((a for a in assets if a.asset_id in present), key=lambda asset: asset.code)
    keys = [WalletKey(holder_id, asset.asset_id) for asset in own]
    positions, now = await read_settled_all(connection, keys)
    shown = [_shown(positions[k], now, asset, holder) for k, asset in zip(keys, own, strict=True)]
    return [wallet for wallet in shown if not isinstance(wallet, Missing)]


async def read_hold(connection: Connection, key: WalletKey, reference: str) -> Hold:
    """Show one hold, open or ended, as it stands now; raises `Missing` ``hold_unknown``."""
    named = [reference] if _is_text(reference) else []
    positions, _ = await read_settled_all(connection, [key], named)
    parts = positions[key].parts
    hold: Hold | None = parts.holds.get(reference) if parts is not None else None
    if hold is None:
        raise Missing("hold_unknown", "there is no hold of that reference", hold=reference)
    return hold


async def read_wallet(
    connection: Connection, asset: Asset, key: WalletKey, holder: str | None
) -> Wallet:
    """Show a wallet as it stands now; raises `Missing` ``wallet_unknown``."""
    positions, now = await read_settled_all(connection, [key])
    shown = _shown(positions[key], now, asset, holder)
    if isinstance(shown, Missing):
        raise shown
    return shown


def _shown(position: Position, now: datetime, asset: Asset, holder: str | None) -> Wallet | Missing:
    if not position.seq:
        return Missing(
            "wallet_unknown", f"the holder has no wallet in {asset.code}", asset=asset.code
        )
    holds: list[Hold] = []
    if position.parts is not None:
        holds = [h for h in position.parts.holds.values() if h.state is HoldState.OPEN]
    lots: list[Lot] = [lot for lot in position.lots() if lot.remaining + lot.held]
    return Wallet(
        holder=holder,
        holder_id=position.holder_id,
        asset=asset.code,
        state=WalletState(position.state),
        balance=position.balance,
        held=position.held,
        available=position.available,
        credit_limit=position.credit_limit,
        owed=position.owed,
        seq=position.seq,
        at=now,
        holds=tuple(sorted(holds, key=lambda hold: hold.seq)),
        lots=tuple(sorted(lots, key=lambda lot: lot.seq)),
    )


async def read_settled_all(
    connection: Connection, keys: Collection[WalletKey], named: Sequence[str] = ()
) -> tuple[Positions, datetime]:
    """Read wallets and settle them in memory, as the next command would; nothing is written.

    With them come their open lots and holds, and of each wallet the holds ``named`` by reference.
    """
    now, _ = await store.open_batch(connection, 0)
    positions = await store.read_positions(connection, keys)
    lots = [key for key in keys if positions[key].open_lots]
    holds = [key for key in keys if positions[key].open_holds]
    if lots:
        await store.read_lots(connection, positions, lots, [])
    if holds or named:
        known = [(*key, reference) for key in keys for reference in named]
        await store.read_holds(connection, positions, holds, known, None)
    for key in {*lots, *holds}:
        seq = positions[key].seq
        settle(Book(now, Seal(), positions, [0]), positions[key], 0)
        positions[key].seq = seq
    return positions, now


async def read_settled(connection: Connection, key: WalletKey) -> tuple[Position, datetime]:
    """Read one wallet and settle it in memory."""
    positions, now = await read_settled_all(connection, [key])
    return positions[key], now


async def read_statement(
    connection: Connection, key: WalletKey, wanted: Filter, *, limit: int, cursor: str | None
) -> Page[Entry]:
    """List a wallet's entries, the newest first; a page of 1 to 1,000 (L9)."""
    check_limit(limit)
    _check_filter(wanted)
    (high,) = _cursor(cursor, (MAX_AMOUNT,)) if cursor is not None else (MAX_AMOUNT,)
    low = 0
    if wanted.until is not None:
        high = min(high, await last_seq_at(connection, key, _before(wanted.until)))
    if wanted.since is not None:
        low = await last_seq_at(connection, key, _before(wanted.since))
    values = {
        "holder_id": Int8(key.holder_id),
        "asset_id": Int4(key.asset_id),
        "low": Int8(low),
        "high": Int8(high),
        "limit": Int4(limit + 1),
        "kinds": texts(list(dict.fromkeys(wanted.kinds))),
        "sources": texts(list(dict.fromkeys(wanted.sources))),
    }
    if not wanted.kinds and not wanted.sources:
        entries = await _entries(connection, "read_statement", values)
    else:
        busy = "read_busy_kinds" if wanted.kinds else "read_busy_sources"
        entries = await _entries(connection, busy, values)
        if len(entries) <= limit:
            values["limit"] = Int4(limit + 1 - len(entries))
            entries += await _entries(connection, "read_statement_filtered", values)
    more = len(entries) > limit
    return Page(tuple(entries[:limit]), str(entries[limit - 1].seq - 1) if more else None)


async def read_balance_at(
    connection: Connection, key: WalletKey, instant: datetime, by: Literal["recorded", "effective"]
) -> int:
    """Tell the balance as of an instant (L9).

    By `recorded` it is what the books said then; by `effective` what they would have said had
    everything been known that was later dated back to then.
    """
    seq = await last_seq_at(connection, key, instant)
    values = {
        "holder_id": Int8(key.holder_id),
        "asset_id": Int4(key.asset_id),
        "seq": Int8(seq),
        "instant": instant,
    }
    row = await _first(connection, "balance_after", values)
    balance = 0 if row is None else int(row[0])
    if by == "effective":
        late = await _first(connection, "dated_back", values)
        balance += int(late[0])
    return balance


async def read_totals(connection: Connection, key: WalletKey) -> list[Total]:
    """Add up a wallet's life by kind and source; what was reversed is taken off (L9)."""
    values = {"holder_id": Int8(key.holder_id), "asset_id": Int4(key.asset_id)}
    rows = await _all(connection, "wallet_totals", values)
    return [Total(Kind(kind), source, int(amount), n) for kind, source, amount, n in rows]


async def read_journal(
    connection: Connection, *, kind: Kind | None, limit: int, cursor: str | None
) -> Page[Entry]:
    """List entries of all wallets, of one kind or all, the newest posting first (L9)."""
    check_limit(limit)
    place = _END if cursor is None else _cursor(cursor, _END)
    query = "newest_postings" if kind is None else "newest_postings_of_kind"
    values: dict[str, Any] = {
        "kind": kind,
        "posting_id": Int8(place[0]),
        "limit": Int4(limit + 2),  # of the first, all may have been shown before
    }
    wanted, counted = [], 0
    for posting_id, entries in await _all(connection, query, values):
        wanted.append(posting_id)
        counted += entries if posting_id != place[0] else 0
        if counted > limit:
            break
    values |= {
        "posting_ids": int8s(wanted),
        "holder_id": Int8(place[1]),
        "asset_id": Int4(place[2]),
        "seq": Int8(place[3]),
    }
    found = await _entries(connection, "read_journal", values)
    last = found[limit - 1] if len(found) > limit else None
    following = (
        None if last is None else f"{last.posting_id}.{last.holder_id}.{last.asset_id}.{last.seq}"
    )
    return Page(tuple(found[:limit]), following)


async def read_postings(connection: Connection, posting_ids: Sequence[int]) -> dict[int, Posting]:
    """Tell who made these postings, and why."""
    rows = await _all(connection, "read_postings", {"posting_ids": int8s(posting_ids)})
    return {row[0]: Posting(*row) for row in rows}


async def read_names(connection: Connection, holder_ids: Collection[int]) -> dict[int, str]:
    """Tell the app's own ids of these holders."""
    rows = await _all(connection, "read_names", {"holder_ids": int8s(list(holder_ids))})
    return dict(rows)


async def last_seq_at(connection: Connection, key: WalletKey, instant: datetime) -> int:
    values = {
        "holder_id": Int8(key.holder_id),
        "asset_id": Int4(key.asset_id),
        "instant": instant,
    }
    row = await _first(connection, "last_seq_at", values)
    return int(row[0])


def _before(instant: datetime) -> datetime:
    return max(instant, LONG_AGO) - timedelta(microseconds=1)


def _is_text(value: object) -> bool:
    """Could a row of the database say this?"""
    return type(value) is str and value.isprintable()


def _check_filter(wanted: Filter) -> None:
    for name, instant in (("since", wanted.since), ("until", wanted.until)):
        if instant is not None and (
            not isinstance(instant, datetime) or instant.utcoffset() is None
        ):
            raise Invalid("statement_filter", f"{name} is an instant with a zone", field=name)
    if not all(map(_is_text, wanted.sources)):
        raise Invalid("statement_filter", "a source is printable text", field="sources")


def _cursor(text: str, most: tuple[int, ...]) -> tuple[int, ...]:
    """Read a cursor that an earlier page gave; ``most`` are its numbers' largest values."""
    parts = text.split(".") if isinstance(text, str) else []
    if len(parts) == len(most) and all(p.isascii() and p.isdigit() and len(p) < 20 for p in parts):
        numbers = tuple(map(int, parts))
        if all(number <= bound for number, bound in zip(numbers, most, strict=True)):
            return numbers
    raise Invalid("cursor", "the cursor is not one that a page gave", cursor=str(text)[:80])


async def _entries(connection: Connection, query: str, values: dict[str, Any]) -> list[Entry]:
    return [store.entry_of(row) for row in await _all(connection, query, values)]


async def _all(connection: Connection, query: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(query), values)


async def _first(connection: Connection, query: str, values: dict[str, Any]) -> Any:
    rows = await _all(connection, query, values)
    return rows[0] if rows else None

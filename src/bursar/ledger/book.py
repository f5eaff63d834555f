"""The open book of one batch: what was read, and the entries written so far. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from bursar.ledger import checksum
from bursar.ledger.catalogue import Kind
from bursar.ledger.commands import AnyCommand
from bursar.ledger.model import Detail, Entry, LotTerms, Refusal, WalletKey
from bursar.ledger.position import Position, fold

Reference = tuple[int, int, str]
"""``(holder_id, asset_id, reference)``."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A command on its way to a decision: its wallets resolved, its posting known.

    ``refusal`` is set where the command was found wanting before any wallet was read. ``metadata``
    is the command's as canonical text, taken at once: the caller may go on to change its own.
    """

    command: AnyCommand
    key: WalletKey
    other: WalletKey | None
    posting_id: int
    refusal: Refusal | None
    metadata: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an entry is to say, before the book gives it its number, balance and checksum."""

    posting_id: int
    kind: Kind
    amount: int
    reference: str
    held_change: int = 0
    house_account: str | None = None
    source: str | None = None
    effective_at: datetime | None = None
    metadata: str | None = None
    detail: Detail | None = None


def line_of(
    ask: Ask,
    kind: Kind,
    amount: int,
    *,
    held_change: int = 0,
    house_account: str | None = None,
    detail: Detail | None = None,
) -> Line:
    """Begin the line that answers a command: its reference, source, date and metadata."""
    command = ask.command
    return Line(
        posting_id=ask.posting_id,
        kind=kind,
        amount=amount,
        held_change=held_change,
        reference=command.reference,
        house_account=house_account,
        source=command.source,
        effective_at=command.effective_at,
        metadata=ask.metadata,
        detail=detail,
    )


def opens_lot(position: Position, amount: int, terms: LotTerms, **more: Any) -> Detail:
    """Describe the entry that comes next as one that opens a lot.

    What of it pays debt does not reach the lot. ``more`` are further fields of the detail.
    """
    shares = position.into_lots(((position.seq + 1, amount),), amount)
    return Detail(lots=shares, lot=terms, **more)


class Mark(msgspec.Struct, frozen=True):
    """A point to which a book can be taken back."""

    entries: int
    positions: dict[WalletKey, Position]


class Book(msgspec.Struct):
    """State in, entries out. ``known`` are the entries that references are known to name."""

    now: datetime
    seal: checksum.Seal
    positions: dict[WalletKey, Position]
    known: dict[Reference, Entry] = {}
    entries: list[Entry] = []
    now_us: int = 0

    def __post_init__(self) -> None:
        self.now_us = checksum.microseconds(self.now)

    def enter(self, position: Position, line: Line) -> Entry:
        """Write one entry: number it, balance it, seal it, fold it into its wallet.

        It is recorded now, but never before the wallet's previous entry; it takes effect then too
        unless its line says earlier.
        """
        now = self.now
        recorded_at, recorded_us = now, self.now_us
        if position.recorded_at > now:
            recorded_at = position.recorded_at
            recorded_us = checksum.microseconds(recorded_at)
        effective_at, effective_us = recorded_at, recorded_us
        if line.effective_at is not None:
            effective_at = line.effective_at
            effective_us = checksum.microseconds(effective_at)
        seq = position.seq + 1
        balance = position.balance + line.amount
        house_account = line.house_account if line.amount else None
        detail = line.detail
        record = checksum.record(
            position.holder_id,
            position.asset_id,
            self.seal.key_id,
            seq,
            line.posting_id,
            line.amount,
            line.held_change,
            balance,
            effective_us,
            recorded_us,
            checksum.text_fields(
                line.kind,
                line.reference,
                house_account,
                line.source,
                line.metadata,
                None if detail is None else detail_text(detail),
            ),
        )
        entry = Entry(
            position.holder_id,
            position.asset_id,
            seq,
            line.posting_id,
            line.kind,
            line.amount,
            line.held_change,
            balance,
            line.reference,
            house_account,
            line.source,
            effective_at,
            recorded_at,
            line.metadata,
            detail,
            self.seal.key_id,
            self.seal.checksum(position.head, record),
        )
        fold(position, entry)
        self.entries.append(entry)
        self.known[entry.holder_id, entry.asset_id, entry.reference] = entry
        return entry

    def mark(self, keys: set[WalletKey]) -> Mark:
        """Remember this point for the wallets ``keys``."""
        return Mark(len(self.entries), {key: self.positions[key].copy() for key in keys})

    def undo(self, mark: Mark) -> None:
        """Go back to the mark: nothing written since then stays."""
        for entry in self.entries[mark.entries :]:
            del self.known[entry.holder_id, entry.asset_id, entry.reference]
        del self.entries[mark.entries :]
        self.positions.update(mark.positions)


def detail_text(detail: Detail) -> str:
    """Write a detail as it is stored and sealed."""
    return msgspec.json.encode(detail).decode()

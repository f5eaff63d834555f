"""The open book of one batch: what was read, and the entries written so far. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from bursar.ledger.catalogue import Kind
from bursar.ledger.commands import AnyCommand
from bursar.ledger.decision import checksum
from bursar.ledger.decision.position import Position, fold
from bursar.ledger.model import Detail, Entry, LotTerms, Refusal, WalletKey

Reference = tuple[int, int, str]
"""``(holder_id, asset_id, reference)``."""

Voice = tuple[str, str]
"""The actor and the reason of a posting."""

Positions = dict[tuple[int, int], Position]
"""Working copies of wallets by `WalletKey`."""


NOWHERE: Final = WalletKey(0, 0)


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A command on its way to a decision: its wallets resolved, its posting known.

    ``posting`` is its place among the book's ``posting_ids``. ``refusal`` is set where the command
    was found wanting before any wallet was read. ``metadata`` is the command's as canonical text,
    taken at once: the caller may go on to change its own.
    """

    command: AnyCommand
    posting: int = 0
    key: WalletKey = NOWHERE
    other: WalletKey | None = None
    refusal: Refusal | None = None
    metadata: str | None = None


def opens_lot(position: Position, amount: int, terms: LotTerms, **more: Any) -> Detail:
    """Describe the entry that comes next as one that opens a lot.

    What of it pays debt does not reach the lot. ``more`` are further fields of the detail.
    """
    shares = position.into_lots(((position.seq + 1, amount),), amount)
    return Detail(lots=shares, lot=terms, **more)


class Mark(msgspec.Struct, frozen=True):
    """A point to which a book can be taken back."""

    entries: int
    positions: Positions


class Book(msgspec.Struct):
    """State in, entries out. ``known`` are the entries that references are known to name."""

    now: datetime
    seal: checksum.Seal
    positions: Positions
    posting_ids: list[int]
    known: dict[Reference, Entry] = {}
    entries: list[Entry] = []
    now_us: int = 0

    def __post_init__(self) -> None:
        self.now_us = checksum.microseconds(self.now)

    def answer(
        self,
        position: Position,
        ask: Ask,
        kind: Kind,
        amount: int,
        *,
        held_change: int = 0,
        house_account: str | None = None,
        detail: Detail | None = None,
    ) -> Entry:
        """Write the entry that answers a command: its reference, source, date and metadata."""
        command = ask.command
        return self.enter(
            position,
            ask.posting,
            kind,
            amount,
            command.reference,
            held_change=held_change,
            house_account=house_account,
            source=command.source,
            effective_at=command.effective_at,
            metadata=ask.metadata,
            detail=detail,
        )

    def enter(
        self,
        position: Position,
        posting: int,
        kind: Kind,
        amount: int,
        reference: str,
        *,
        held_change: int = 0,
        house_account: str | None = None,
        source: str | None = None,
        effective_at: datetime | None = None,
        metadata: str | None = None,
        detail: Detail | None = None,
    ) -> Entry:
        """Write one entry: number it, balance it, seal it, fold it into its wallet.

        It is recorded now, but never before the wallet's previous entry; it takes effect then too
        unless ``effective_at`` says earlier. An amount of 0 has no house account.
        """
        recorded_at, recorded_us = self.now, self.now_us
        if position.recorded_at > recorded_at:
            recorded_at = position.recorded_at
            recorded_us = checksum.microseconds(recorded_at)
        effective_us = recorded_us
        if effective_at is None:
            effective_at = recorded_at
        else:
            effective_us = checksum.microseconds(effective_at)
        holder_id, asset_id, seq = position.holder_id, position.asset_id, position.seq + 1
        posting_id, seal = self.posting_ids[posting], self.seal
        balance = position.balance + amount
        if not amount:
            house_account = None
        text = None if detail is None else detail_text(detail)
        texts = checksum.text_fields(kind, reference, house_account, source, metadata, text)
        entry = Entry(
            holder_id,
            asset_id,
            seq,
            posting_id,
            kind,
            amount,
            held_change,
            balance,
            reference,
            house_account,
            source,
            effective_at,
            recorded_at,
            metadata,
            detail,
            seal.key_id,
            seal.entry(
                position.head,
                holder_id,
                asset_id,
                seq,
                posting_id,
                amount,
                held_change,
                balance,
                effective_us,
                recorded_us,
                texts,
            ),
        )
        fold(position, entry)
        self.entries.append(entry)
        self.known[holder_id, asset_id, reference] = entry
        return entry

    def mark(self, keys: Iterable[WalletKey]) -> Mark:
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

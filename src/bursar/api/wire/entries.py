"""Entries, receipts and pages of them, as they are answered."""

from datetime import datetime
from typing import Any

import msgspec

from bursar.ledger import Detail, Entry, Kind, Refusal, Result, Status


class EntryView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One immutable line of a wallet; amounts in minor units, the checksum in hex."""

    asset: str
    holder: str | None
    holder_id: int
    seq: int
    posting_id: int
    kind: Kind
    amount: int
    held_change: int
    balance: int
    reference: str
    house_account: str | None
    source: str | None
    effective_at: datetime
    recorded_at: datetime
    metadata: msgspec.Raw | None
    detail: Detail | None
    checksum: str


class Receipt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer to a command that is in the books, now or from before (``replayed``)."""

    status: Status
    entry: EntryView


class Outcome(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What became of one command of a batch: its ``entry``, or why it was refused."""

    status: Status
    entry: EntryView | None = None
    message: str | None = None
    fields: dict[str, Any] | None = None


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[EntryView]
    cursor: str | None


def entry_view(entry: Entry, *, asset: str, holder: str | None) -> EntryView:
    """Show an entry with names beside numbers."""
    metadata = entry.metadata
    return EntryView(
        asset=asset,
        holder=holder,
        holder_id=entry.holder_id,
        seq=entry.seq,
        posting_id=entry.posting_id,
        kind=entry.kind,
        amount=entry.amount,
        held_change=entry.held_change,
        balance=entry.balance,
        reference=entry.reference,
        house_account=entry.house_account,
        source=entry.source,
        effective_at=entry.effective_at,
        recorded_at=entry.recorded_at,
        metadata=None if metadata is None else msgspec.Raw(metadata.encode()),
        detail=entry.detail,
        checksum=entry.checksum.hex(),
    )


def outcome_of(result: Result, *, asset: str, holder: str | None) -> Outcome:
    """Show what became of one command of a batch."""
    if result.entry is not None:
        view = entry_view(result.entry, asset=asset, holder=holder)
        return Outcome(status=result.status, entry=view)
    refusal = result.refusal or Refusal(result.status, result.status.value)
    return Outcome(status=refusal.status, message=refusal.message, fields=refusal.fields)

"""Entries, receipts and pages of them, as they are answered."""

from datetime import datetime

import msgspec

from bursar.ledger import Detail, Entry, Kind, Result, Status


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


class Refused(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer to a command of a batch that was refused."""

    status: Status
    message: str
    fields: dict[str, object]


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


def answer_of(result: Result, *, asset: str, holder: str | None) -> Receipt | Refused:
    """Show what became of one command of a batch."""
    if result.entry is not None:
        return Receipt(
            status=result.status, entry=entry_view(result.entry, asset=asset, holder=holder)
        )
    refusal = result.refusal
    assert refusal is not None  # noqa: S101 - what has no entry was refused
    return Refused(status=refusal.status, message=refusal.message, fields=refusal.fields)

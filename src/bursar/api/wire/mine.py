"""What a holder sees of what is theirs.

An app's browser or phone holds the token, so what is for the app's servers is left out: metadata,
house accounts, who posted it and why, checksums.
"""

from datetime import datetime

import msgspec

from bursar.ledger import Entry, Kind
from bursar.programs.holder_view import Award


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token this is, by the app's own id."""

    holder: str


class MyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What moved in a wallet, and the balance after it, in minor units."""

    asset: str
    seq: int
    kind: Kind
    amount: int
    held_change: int
    balance: int
    reference: str
    source: str | None
    effective_at: datetime


class MyEntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[MyEntry]
    cursor: str | None


class MyAward(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gave, or took back, and the balance before and after."""

    at: datetime
    program: str
    asset: str
    kind: str
    added: int
    before: int
    after: int
    days_since_last: int | None


class MyAwardPage(msgspec.Struct, frozen=True, kw_only=True):
    """What programs gave, the newest first."""

    items: list[MyAward]
    cursor: str | None


def my_entry(entry: Entry, asset: str) -> MyEntry:
    """Show an entry to its holder."""
    return MyEntry(
        asset=asset,
        seq=entry.seq,
        kind=entry.kind,
        amount=entry.amount,
        held_change=entry.held_change,
        balance=entry.balance,
        reference=entry.reference,
        source=entry.source,
        effective_at=entry.effective_at,
    )


def my_award(award: Award) -> MyAward:
    """Show what was given to its holder."""
    return MyAward(
        at=award.at,
        program=award.program,
        asset=award.asset,
        kind=award.kind,
        added=award.added,
        before=award.before,
        after=award.after,
        days_since_last=award.days_since_last,
    )

"""Assets, wallets, entries, receipts."""

from datetime import datetime
from typing import Any

import msgspec

from bursar.client.commands import LotTerms
from bursar.client.errors import refused


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of credit; ``scale`` is the number of decimal places of its minor unit."""

    code: str
    scale: int = 0


class Assets(msgspec.Struct, frozen=True, kw_only=True):
    """Every asset."""

    items: list[Asset]


class HoldShown(msgspec.Struct, frozen=True, kw_only=True):
    """Credit set aside under the reference that placed it."""

    reference: str
    state: str
    remaining: int
    placed_at: datetime
    seq: int = 0
    deadline: datetime | None = None


class HoldsShown(msgspec.Struct, frozen=True, kw_only=True):
    """The open holds of a wallet."""

    items: list[HoldShown]


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel of credit with its own remainder; ``held`` is what open holds drew from it."""

    seq: int
    remaining: int
    held: int = 0
    priority: int = 0
    expires_at: datetime | None = None
    origin: str | None = None


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet as it stood ``at`` an instant; ``available`` is what may be spent."""

    asset: str
    balance: int
    held: int
    available: int
    state: str = "active"
    credit_limit: int = 0
    owed: int = 0
    seq: int = 0
    holder: str | None = None
    holder_id: int | None = None
    at: datetime | None = None
    holds: list[HoldShown] = []
    lots: list[Lot] = []


class Wallets(msgspec.Struct, frozen=True, kw_only=True):
    """All wallets of a holder."""

    items: list[Wallet]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says beyond its figures; ``lots`` are changes of lots, by their number."""

    lots: list[tuple[int, int]] = []
    lot: LotTerms | None = None
    hold: str | None = None
    deadline: datetime | None = None
    asked: int | None = None
    counterparty: int | None = None
    target: str | None = None
    target_kind: str | None = None
    policy: str | None = None
    owed: int = 0
    limit: int | None = None
    state: str | None = None
    until: datetime | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable line of a wallet, and the balance after it."""

    asset: str
    seq: int
    posting_id: int
    kind: str
    amount: int
    balance: int
    reference: str
    effective_at: datetime
    recorded_at: datetime
    held_change: int = 0
    holder: str | None = None
    holder_id: int | None = None
    house_account: str | None = None
    source: str | None = None
    metadata: dict[str, Any] | None = None
    detail: Detail | None = None
    checksum: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A movement that is in the books: ``applied`` now, or ``replayed`` from before."""

    status: str
    entry: Entry

    @property
    def balance(self) -> int:
        """The wallet's balance after this entry."""
        return self.entry.balance

    @property
    def reference(self) -> str:
        """What the movement is called."""
        return self.entry.reference

    @property
    def replayed(self) -> bool:
        """Say whether it was in the books before this call's answer."""
        return self.status == "replayed"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one command of a batch: its entry, or why it was refused."""

    status: str
    entry: Entry | None = None
    message: str = ""
    fields: dict[str, Any] = {}

    @property
    def ok(self) -> bool:
        """Say whether its effect is in the books."""
        return self.entry is not None

    def unwrap(self) -> Entry:
        """Return the entry, or raise the refusal as an error of its family."""
        if self.entry is not None:
            return self.entry
        raise refused(self.status, self.message, self.fields)


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each command, in the order of the commands."""

    results: list[Outcome]
    applied: int
    replayed: int
    refused: int


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """Entries written in one transaction, by one actor, for one reason."""

    posting_id: int
    recorded_at: datetime
    entries: int
    actor: str
    reason: str


class BalanceAt(msgspec.Struct, frozen=True, kw_only=True):
    """A balance as of an instant."""

    balance: int


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What a wallet gained, or lost, in its life by one kind and source."""

    kind: str
    amount: int
    entries: int
    source: str | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's life by kind and source."""

    items: list[Total]


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry took from a lot (negative) or gave back to it."""

    seq: int
    kind: str
    reference: str
    amount: int
    recorded_at: datetime


class LotStory(msgspec.Struct, frozen=True, kw_only=True):
    """A lot that is left: what opened it, by whose act, and what drew from it."""

    lot: Lot
    opened_by: Entry
    posting: Posting
    draws: list[Draw] = []


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a balance is what it is: ``totals`` add up to ``recorded``; see the server's docs."""

    wallet: Wallet
    recorded: int
    overdue: int
    plain: int
    totals: list[Total]
    lots: list[LotStory] = []

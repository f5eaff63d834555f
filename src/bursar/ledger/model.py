"""The words of the ledger: ids, wallets, entries, lots, holds, statuses, results.

Amounts are whole minor units in an int64; instants are aware datetimes in UTC.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple, NewType

import msgspec

from bursar.ledger.catalogue import Kind
from bursar.platform.errors import BursarError, Conflict, Invalid, Missing, Rejected, Unavailable

HolderId = NewType("HolderId", int)
AssetId = NewType("AssetId", int)
PostingId = NewType("PostingId", int)

MAX_AMOUNT: Final = 2**63 - 1
MAX_BATCH: Final = 10_000
OWN_REFERENCES: Final = "bursar:"
"""References that begin so are the ledger's own: lapses, expiries, the far side of a transfer."""


class WalletKey(NamedTuple):
    """One holder's position in one asset, by number."""

    holder_id: int
    asset_id: int


class WalletState(StrEnum):
    """What a wallet accepts (L13).

    `frozen`: credits, captures and releases of holds already placed, reversals; no spending, no
    transfer, no new hold. `closed`: nothing until it is opened again.
    """

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class HoldState(StrEnum):
    """A hold is open until exactly one of the other three."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    LAPSED = "lapsed"


Policy = Literal["debt", "clip", "net"]
"""What a reversal does about credit already spent (L8)."""


class Asset(msgspec.Struct, frozen=True):
    """A kind of credit; ``scale`` is the number of decimal places of its minor unit."""

    asset_id: AssetId
    code: str
    scale: int


class LotTerms(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a parcel of credit is to be kept: lower ``priority`` is drawn first (L7)."""

    expires_at: datetime | None = None
    priority: int = 0
    origin: str | None = None


class Detail(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What an entry says beyond its columns. Its JSON, fields in this order, is under checksum.

    ``lots`` are the changes of lots by this entry, ``(seq of the lot, signed amount)``; a lot's
    ``seq`` is that of the entry that opened it; ``drawn`` are a capture's shares. ``asked`` is the
    amount that was asked for where the entry's own may differ from it. ``extended`` are the lots
    that expire ``until`` then; with ``hold`` that is the hold's new deadline.
    """

    lots: tuple[tuple[int, int], ...] = ()
    drawn: tuple[tuple[int, int], ...] = ()
    lot: LotTerms | None = None
    hold: str | None = None
    deadline: datetime | None = None
    keep: int | None = None
    keep_rest: bool = False
    origin: str | None = None
    asked: int | None = None
    counterparty: int | None = None
    legs: tuple[int, ...] = ()
    reverses: int | None = None
    target: str | None = None
    target_kind: Kind | None = None
    policy: Policy | None = None
    owed: int = 0
    limit: int | None = None
    state: WalletState | None = None
    until: datetime | None = None
    extended: tuple[int, ...] = ()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One immutable line of a wallet (L5). ``metadata`` is canonical JSON text of an object."""

    holder_id: int
    asset_id: int
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
    metadata: str | None
    detail: Detail | None
    key_id: int
    checksum: bytes


class Lot(msgspec.Struct, frozen=True, gc=False):
    """A parcel of credit with its own remainder (L7); ``held`` is what open holds drew from it."""

    seq: int
    remaining: int
    held: int
    priority: int
    expires_at: datetime | None
    origin: str | None


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Credit set aside under the reference that placed it (L6); ``draws`` are its lots' shares."""

    reference: str
    seq: int
    state: HoldState
    remaining: int
    placed_at: datetime
    deadline: datetime | None
    draws: tuple[tuple[int, int], ...]


class Wallet(msgspec.Struct, frozen=True):
    """A wallet as it stands at ``at``: lapsed holds and expired lots no longer count (L6, L7)."""

    holder: str | None
    holder_id: int
    asset: str
    state: WalletState
    balance: int
    held: int
    available: int
    credit_limit: int
    owed: int
    seq: int
    at: datetime
    holds: tuple[Hold, ...] = ()
    lots: tuple[Lot, ...] = ()


class Status(StrEnum):
    """How a command ended. Where several refusals apply, the first in this order is told."""

    APPLIED = "applied"
    REPLAYED = "replayed"
    INVALID = "invalid"
    ASSET_UNKNOWN = "asset_unknown"
    REFERENCE_CONFLICT = "reference_conflict"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    WALLET_UNKNOWN = "wallet_unknown"
    WALLET_CLOSED = "wallet_closed"
    WALLET_FROZEN = "wallet_frozen"
    HOLD_UNKNOWN = "hold_unknown"
    HOLD_ENDED = "hold_ended"
    HOLD_EXCEEDED = "hold_exceeded"
    NOTHING_TO_EXTEND = "nothing_to_extend"
    ENTRY_UNKNOWN = "entry_unknown"
    NOT_REVERSIBLE = "not_reversible"
    REVERSAL_EXCEEDED = "reversal_exceeded"
    WALLET_NOT_EMPTY = "wallet_not_empty"
    BALANCE_OVERFLOW = "balance_overflow"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    GROUP_REFUSED = "group_refused"
    DATABASE_REFUSED = "database_refused"


_FAMILIES: Final[dict[Status, type[BursarError]]] = {
    Status.INVALID: Invalid,
    Status.ASSET_UNKNOWN: Missing,
    Status.REFERENCE_CONFLICT: Conflict,
    Status.TIME_OUT_OF_RANGE: Rejected,
    Status.WALLET_UNKNOWN: Missing,
    Status.WALLET_CLOSED: Rejected,
    Status.WALLET_FROZEN: Rejected,
    Status.HOLD_UNKNOWN: Missing,
    Status.HOLD_ENDED: Rejected,
    Status.HOLD_EXCEEDED: Rejected,
    Status.NOTHING_TO_EXTEND: Rejected,
    Status.ENTRY_UNKNOWN: Missing,
    Status.NOT_REVERSIBLE: Rejected,
    Status.REVERSAL_EXCEEDED: Rejected,
    Status.WALLET_NOT_EMPTY: Rejected,
    Status.BALANCE_OVERFLOW: Rejected,
    Status.INSUFFICIENT_FUNDS: Rejected,
    Status.GROUP_REFUSED: Rejected,
    Status.DATABASE_REFUSED: Unavailable,
}


class Refusal(msgspec.Struct, frozen=True):
    """Why a command was not applied; ``fields`` are JSON-ready."""

    status: Status
    message: str
    fields: dict[str, object] = {}


class Result(msgspec.Struct, frozen=True, gc=False):
    """The answer to one command: its entry if applied or replayed, else why not (L2, L3).

    A transfer answers with the sender's entry. A replay carries the entry of the first time.
    """

    status: Status
    entry: Entry | None = None
    refusal: Refusal | None = None

    @property
    def ok(self) -> bool:
        """Say whether the command's effect is in the books, now or from before."""
        return self.entry is not None

    def unwrap(self) -> Entry:
        """Return the entry, or raise the refusal as an error of its family."""
        if self.entry is not None:
            return self.entry
        raise as_error(self.refusal or Refusal(self.status, self.status.value))


def as_error(refusal: Refusal) -> BursarError:
    """Turn a refusal into an error of its family."""
    family = _FAMILIES[refusal.status]
    return family(refusal.status.value, refusal.message, **refusal.fields)


LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

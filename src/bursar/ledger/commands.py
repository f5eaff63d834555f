"""What may be asked of the ledger (L2): one frozen struct for each command.

A command names its wallet by ``holder`` (the app's own id) or ``holder_id`` (Bursar's number),
and ``asset``. ``reference`` is the idempotency key in that wallet (L3). Commands that share a
``group`` within a batch are applied together or not at all; they take effect where the first of
them stands. As JSON, ``op`` says which command it is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from bursar.ledger.catalogue import CREDIT_ACCOUNTS, DEBIT_ACCOUNTS, KINDS, Kind
from bursar.ledger.model import (
    LotTerms,
    Policy,
    WalletState,
)


class Command(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="op",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What every command has. ``effective_at`` may lie in the past, never in the future.

    ``reason`` is why, where a batch does not have one reason for all; it stands on the posting, and
    the same command for another reason is a replay.
    """

    asset: str
    reference: str
    holder: str | None = None
    holder_id: int | None = None
    group: str | None = None
    source: str | None = None
    metadata: dict[str, Any] | None = None
    effective_at: datetime | None = None
    reason: str | None = None


class Credit(Command, frozen=True, kw_only=True, tag="credit"):
    """Give credit; opens the wallet if need be. With ``lot`` it is kept as a parcel (L7)."""

    amount: int
    kind: Literal["grant", "earn", "purchase", "refund", "opening", "adjust"] = "grant"
    house_account: str | None = None
    lot: LotTerms | None = None


class Debit(Command, frozen=True, kw_only=True, tag="debit"):
    """Take credit that is available."""

    amount: int
    kind: Literal["spend", "adjust"] = "spend"
    house_account: str | None = None


class PlaceHold(Command, frozen=True, kw_only=True, tag="hold"):
    """Set credit aside under this reference until ``deadline``, or for good (L6)."""

    amount: int
    deadline: datetime | None = None


class Capture(Command, frozen=True, kw_only=True, tag="capture"):
    """Spend a hold, all of it or ``amount``; the rest is released unless ``keep_rest`` (L6)."""

    hold: str
    amount: int | None = None
    keep_rest: bool = False
    house_account: str | None = None


class Release(Command, frozen=True, kw_only=True, tag="release"):
    """Give a hold back."""

    hold: str


class Transfer(Command, frozen=True, kw_only=True, tag="transfer"):
    """Move credit to another holder through `transit`; lots keep their terms on the way (S8)."""

    amount: int
    to: str | None = None
    to_id: int | None = None


class Reverse(Command, frozen=True, kw_only=True, tag="reverse"):
    """Undo the entry with reference ``target``, all that is left of it or ``amount`` (L8)."""

    target: str
    amount: int | None = None
    policy: Policy = "clip"


class SetLimit(Command, frozen=True, kw_only=True, tag="set_limit"):
    """Let the wallet go down to ``-limit``; 0 takes the credit line away (L4)."""

    limit: int


class SetState(Command, frozen=True, kw_only=True, tag="set_state"):
    """Freeze, unfreeze, close (only an empty wallet) or reopen (L13)."""

    state: WalletState


class Expire(Command, frozen=True, kw_only=True, tag="expire"):
    """Let lots expire now, of ``origin`` or all, but for ``keep`` of them: a rollover cap (L7)."""

    keep: int = 0
    origin: str | None = None


class Extend(Command, frozen=True, kw_only=True, tag="extend"):
    """Give more time: let lots of ``origin``, or all, expire at ``until`` and no sooner (P23).

    With ``hold`` it is the deadline of that hold which moves, and no lot. Nothing is ever made
    shorter, and what has expired or lapsed by now stays so; whatever ``effective_at`` says, it is
    from now on that the new date counts.
    """

    until: datetime
    origin: str | None = None
    hold: str | None = None


AnyCommand = (
    Credit
    | Debit
    | PlaceHold
    | Capture
    | Release
    | Transfer
    | Reverse
    | SetLimit
    | SetState
    | Expire
    | Extend
)

OPENING: Final = (Credit, SetLimit, SetState)
"""Commands that open their wallet if it isn't there; a transfer opens the receiver's."""


def canonical(metadata: Mapping[str, Any]) -> str:
    """Write metadata the one way it is stored and compared: keys sorted, no spaces."""
    return msgspec.json.encode(metadata, order="deterministic").decode()


def house_account_of(command: Credit | Debit | Capture) -> str:
    """Name the house account: the command's own, or its kind's default."""
    if command.house_account is not None:
        return command.house_account
    if type(command) is Credit:
        return CREDIT_ACCOUNTS[KINDS[command.kind]]
    if type(command) is Debit:
        return DEBIT_ACCOUNTS[KINDS[command.kind]]
    return DEBIT_ACCOUNTS[Kind.SPEND]

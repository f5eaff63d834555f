"""What may be asked of a wallet, one struct for each command. Pure.

A command without a ``reference`` is given a random one when it is sent, the same in every attempt.
Who wants a call to be the same movement after a crash names a reference of their own: an order's
number, say. Amounts are whole minor units; instants have a zone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

Policy = Literal["debt", "clip", "net"]
WalletState = Literal["active", "frozen", "closed"]


class LotTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Keep a credit as a parcel: when it expires, and what is drawn first (the lower)."""

    expires_at: datetime | None = None
    priority: int = 0
    origin: str | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", omit_defaults=True):
    """What every command has: a wallet by ``holder`` (your own id) or ``holder_id``, and why.

    Within a batch, commands of one ``group`` are applied together or not at all.
    """

    asset: str
    reference: str | None = None
    holder: str | None = None
    holder_id: int | None = None
    group: str | None = None
    source: str | None = None
    metadata: Mapping[str, Any] | None = None
    effective_at: datetime | None = None
    reason: str | None = None


class Credit(Command, frozen=True, kw_only=True, tag="credit"):
    """Give credit; opens the wallet if need be."""

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
    """Set credit aside under this reference until ``deadline``, or for good."""

    amount: int
    deadline: datetime | None = None


class Capture(Command, frozen=True, kw_only=True, tag="capture"):
    """Spend a hold, all of it or ``amount``; the rest is released unless ``keep_rest``."""

    hold: str
    amount: int | None = None
    keep_rest: bool = False
    house_account: str | None = None


class Release(Command, frozen=True, kw_only=True, tag="release"):
    """Give a hold back."""

    hold: str


class Transfer(Command, frozen=True, kw_only=True, tag="transfer"):
    """Move credit to another holder, named by ``to`` or ``to_id``."""

    amount: int
    to: str | None = None
    to_id: int | None = None


class Reverse(Command, frozen=True, kw_only=True, tag="reverse"):
    """Undo the entry with reference ``target``, all that is left of it or ``amount``."""

    target: str
    amount: int | None = None
    policy: Policy = "clip"


class SetLimit(Command, frozen=True, kw_only=True, tag="set_limit"):
    """Let the wallet go down to ``-limit``; 0 takes the credit line away."""

    limit: int


class SetState(Command, frozen=True, kw_only=True, tag="set_state"):
    """Freeze, unfreeze, close or reopen the wallet."""

    state: WalletState


class Expire(Command, frozen=True, kw_only=True, tag="expire"):
    """Let lots expire now, of ``origin`` or all, but for ``keep`` of them."""

    keep: int = 0
    origin: str | None = None


class Extend(Command, frozen=True, kw_only=True, tag="extend"):
    """Let lots of ``origin``, or all, or the ``hold``, last until ``until`` and no shorter."""

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

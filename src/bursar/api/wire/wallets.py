"""Wallets as they are asked and answered."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from bursar.api.wire.entries import EntryView, entry_view
from bursar.api.wire.postings import PostingView, posting_view
from bursar.api.wire.text import Reason, Word
from bursar.ledger import MAX_AMOUNT, Explanation, Hold, Kind, Lot, Total, Wallet, WalletState

Amount = Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)]
"""Whole minor units, above 0."""


class WalletList(msgspec.Struct, frozen=True, kw_only=True):
    """All wallets of a holder at one moment, by asset."""

    items: list[Wallet]


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """A balance as of an instant."""

    asset: str
    at: datetime
    by: str
    balance: int


class TotalList(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's life by kind and source; the amounts add up to what the books say."""

    items: list[Total]


class HoldList(msgspec.Struct, frozen=True, kw_only=True):
    """The open holds of a wallet, the oldest first."""

    items: list[Hold]


class DrawView(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry took from a lot (negative) or gave back to it; or, of 0, more time."""

    seq: int
    kind: Kind
    reference: str
    amount: int
    recorded_at: datetime
    until: datetime | None


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """A lot that is left: the entry that opened it, by whose act and why, and what drew from it."""

    lot: Lot
    opened_by: EntryView
    posting: PostingView
    draws: list[DrawView]


class ExplanationView(msgspec.Struct, frozen=True, kw_only=True):
    """Why a balance is what it is.

    ``totals`` add up to ``recorded``; ``recorded`` less what is ``overdue`` to expire is the
    wallet's balance; of that ``plain`` is in no lot.
    """

    wallet: Wallet
    recorded: int
    overdue: int
    plain: int
    totals: list[Total]
    lots: list[LotView]


class NewLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a wallet may go below 0, in minor units; 0 takes the credit line away."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)]
    reason: Reason
    reference: Word | None = None


class NewState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a wallet is to accept from now on; only an empty one may be closed."""

    state: WalletState
    reason: Reason
    reference: Word | None = None


class NewHold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credit to be set aside, until ``deadline`` or for good."""

    amount: Amount
    reference: Word | None = None
    deadline: datetime | None = None
    source: Word | None = None
    metadata: dict[str, Any] | None = None
    reason: Reason | None = None


class CaptureOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a hold is spent, all unless said; the rest is given back, or kept if wished."""

    amount: Amount | None = None
    keep_rest: bool = False
    reference: Word | None = None
    source: Word | None = None
    metadata: dict[str, Any] | None = None
    reason: Reason | None = None


class ReleaseOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a hold is given back."""

    reference: Word | None = None
    source: Word | None = None
    metadata: dict[str, Any] | None = None
    reason: Reason | None = None


def explanation_view(found: Explanation) -> ExplanationView:
    """Show an explanation, entries as everywhere else."""
    wallet = found.wallet
    return ExplanationView(
        wallet=wallet,
        recorded=found.recorded,
        overdue=found.overdue,
        plain=found.plain,
        totals=list(found.totals),
        lots=[
            LotView(
                lot=story.lot,
                opened_by=entry_view(story.opened_by, asset=wallet.asset, holder=wallet.holder),
                posting=posting_view(story.posting),
                draws=[DrawView(**msgspec.structs.asdict(draw)) for draw in story.draws],
            )
            for story in found.lots
        ],
    )

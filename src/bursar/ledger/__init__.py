"""The ledger: wallets, entries, house accounts, holds, lots (L).

    async with await Ledger.open("./data") as ledger:
        await ledger.add_asset("coins", actor="ann", reason="the first")
        grant = Credit(holder="maria", asset="coins", reference="welcome", amount=50)
        [result] = await ledger.post([grant], actor="shop", reason="first visit")

What stands in ``__all__`` is for everyone; the rest of the folder is the ledger's own.
"""

from bursar.ledger.audit.findings import Checkpoint, Finding, Report
from bursar.ledger.catalogue import Kind
from bursar.ledger.commands import (
    AnyCommand,
    Capture,
    Command,
    Credit,
    Debit,
    Expire,
    Extend,
    PlaceHold,
    Release,
    Reverse,
    SetLimit,
    SetState,
    Transfer,
)
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.distribution import Distributed, Distribution
from bursar.ledger.model import (
    MAX_AMOUNT,
    MAX_BATCH,
    Asset,
    Detail,
    Entry,
    Hold,
    HoldState,
    Lot,
    LotTerms,
    Policy,
    Refusal,
    Result,
    Status,
    Wallet,
    WalletState,
)
from bursar.ledger.reading.explain import Explanation
from bursar.ledger.reading.follow import Handler, Lag, Posted
from bursar.ledger.reading.wallets import Filter, Posting, Total
from bursar.ledger.service import Ledger
from bursar.platform.pages import Page

__all__ = [
    "MAX_AMOUNT",
    "MAX_BATCH",
    "AnyCommand",
    "Asset",
    "Capture",
    "Checkpoint",
    "Command",
    "Credit",
    "Debit",
    "Detail",
    "Distributed",
    "Distribution",
    "Entry",
    "Expire",
    "Explanation",
    "Extend",
    "Filter",
    "Finding",
    "Handler",
    "Hold",
    "HoldState",
    "Kind",
    "Lag",
    "Ledger",
    "Lot",
    "LotTerms",
    "Page",
    "PlaceHold",
    "Policy",
    "Posted",
    "Posting",
    "Refusal",
    "Release",
    "Report",
    "Result",
    "Reverse",
    "Seal",
    "SetLimit",
    "SetState",
    "Status",
    "Total",
    "Transfer",
    "Wallet",
    "WalletState",
]

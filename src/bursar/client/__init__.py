"""The Python client of the HTTP API (I5): `Client`, and `AsyncClient` for asyncio.

It stands alone: httpx, msgspec and the standard library, nothing else of Bursar. The blocking
client is written from the asyncio one by `make client`.
"""

from bursar.client.answers.ledger import BatchAnswer, Entry, Outcome, Receipt, Wallet
from bursar.client.answers.notices import Notice, Quiet, Unread
from bursar.client.answers.people import HolderChange
from bursar.client.answers.programs import Override, Run
from bursar.client.asynchronous.client import AsyncClient
from bursar.client.asynchronous.holds import Hold as AsyncHold
from bursar.client.commands import (
    AnyCommand,
    Capture,
    Credit,
    Debit,
    Expire,
    Extend,
    LotTerms,
    PlaceHold,
    Release,
    Reverse,
    SetLimit,
    SetState,
    Transfer,
)
from bursar.client.errors import (
    Broken,
    BursarError,
    Conflict,
    Denied,
    InsufficientFunds,
    Invalid,
    Missing,
    NoAnswer,
    RateLimited,
    Rejected,
    Unavailable,
)
from bursar.client.patience import Patience
from bursar.client.synchronous.client import Client
from bursar.client.synchronous.holds import Hold

__all__ = [
    "AnyCommand",
    "AsyncClient",
    "AsyncHold",
    "BatchAnswer",
    "Broken",
    "BursarError",
    "Capture",
    "Client",
    "Conflict",
    "Credit",
    "Debit",
    "Denied",
    "Entry",
    "Expire",
    "Extend",
    "Hold",
    "HolderChange",
    "InsufficientFunds",
    "Invalid",
    "LotTerms",
    "Missing",
    "NoAnswer",
    "Notice",
    "Outcome",
    "Override",
    "Patience",
    "PlaceHold",
    "Quiet",
    "RateLimited",
    "Receipt",
    "Rejected",
    "Release",
    "Reverse",
    "Run",
    "SetLimit",
    "SetState",
    "Transfer",
    "Unavailable",
    "Unread",
    "Wallet",
]

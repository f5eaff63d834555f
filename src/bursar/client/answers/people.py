"""Holders, what is changed of them, what comes to them; keys and tokens."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A person of your app; ``external_id`` is your own id, ``etag`` is for `HolderCalls.put`."""

    external_id: str
    holder_id: int = 0
    username: str | None = None
    email: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    created_at: datetime | None = None
    status: str = "active"
    tier: str = ""
    verified: bool = False
    subscription_start: datetime | None = None
    billing_anchor: datetime | None = None
    last_login_at: datetime | None = None
    attributes: dict[str, Any] = {}
    erased_at: datetime | None = None
    etag: str | None = None


class HolderChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What your app says of one holder; only what is named is changed, None clears it."""

    external_id: str
    username: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    created_at: datetime | UnsetType = UNSET
    status: str | UnsetType = UNSET
    tier: str | UnsetType | None = UNSET
    verified: bool | UnsetType = UNSET
    subscription_start: datetime | UnsetType | None = UNSET
    billing_anchor: datetime | UnsetType | None = UNSET
    last_login_at: datetime | UnsetType = UNSET
    attributes: Mapping[str, Any] | UnsetType | None = UNSET
    at: datetime | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a change was not made."""

    code: str
    message: str
    field: str = ""


class Upserted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one change: created, changed, unchanged or refused."""

    external_id: str
    outcome: str
    holder_id: int | None = None
    refusal: Refusal | None = None


class UpsertedMany(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each change, in their order."""

    results: list[Upserted]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How many logins were noted, and which ids belong to nobody in the directory."""

    noted: int
    unknown: list[str] = []


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was in force of a holder in [since, until), and who ended it why."""

    since: datetime
    until: datetime
    status: str
    tier: str
    verified: bool
    number: int = 0
    subscription_start: datetime | None = None
    billing_anchor: datetime | None = None
    recorded_at: datetime | None = None
    actor: str = ""
    reason: str = ""


class Unique(msgspec.Struct, frozen=True, kw_only=True):
    """Which names only one holder may have."""

    username: bool
    email: bool


class NextGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gives to a holder next, as things stand; 0 with a ``reason`` for nothing."""

    program: str
    asset: str
    amount: int
    at: datetime | None = None
    days: int | None = None
    reason: str | None = None
    why: str = ""


class NextGrants(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next from every program."""

    items: list[NextGrant]


class Award(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gave to a holder, or took back."""

    at: datetime
    program: str
    asset: str
    kind: str
    added: int
    before: int
    after: int
    reference: str
    tier: str | None = None
    days_since_last: int | None = None
    metadata: dict[str, Any] = {}


class MyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What moved in a wallet, as its holder sees it, and the balance after it."""

    asset: str
    seq: int
    kind: str
    amount: int
    balance: int
    reference: str
    effective_at: datetime
    held_change: int = 0
    source: str | None = None


class MyAward(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gave, or took back, as the holder sees it."""

    at: datetime
    program: str
    asset: str
    kind: str
    added: int
    before: int
    after: int
    days_since_last: int | None = None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim brought: ``awarded`` is 0 if the period had been claimed before."""

    awarded: int
    already: bool = False
    streak: int = 0
    period: str = ""
    next_available_at: datetime | None = None
    balance: int | None = None


class Myself(msgspec.Struct, frozen=True, kw_only=True):
    """Whose holder token this is."""

    holder: str


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret."""

    key_id: int
    name: str
    owner: str
    scopes: list[str]
    per_minute: int | None = None
    made_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    rotates_until: datetime | None = None
    revoked_at: datetime | None = None


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """API keys."""

    items: list[Key]


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its secret, which is told this once; it is left out of the repr."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewKey(key={self.key!r})"


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """What the server knows of these credentials."""

    actor: str
    scopes: list[str]
    key_id: int | None = None
    holder: str | None = None
    per_minute: int | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A holder token, for one person's app or browser; it is left out of the repr."""

    text: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at!r})"

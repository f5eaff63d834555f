"""The words of access: scopes, keys, tokens, callers, allowances. Pure.

What carries a secret shows it to who asks for the field, and to nobody who prints the thing.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

import msgspec

KeyId = NewType("KeyId", int)

HOLDER_ACTOR = "api:holder"


class Scope(StrEnum):
    """What a caller may do; which scope opens what is for the edges to say."""

    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"
    INGEST = "ingest"
    PARTNER = "partner"
    HOLDER = "holder"
    """Only ever a holder token's: no key may have it."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, once the credential was found good.

    ``actor`` is ``api:OWNER`` for a key, so that two keys of one owner are one person (P10), and
    ``api:holder`` for a token, whose ``holder`` is set and who may ask about that holder alone.
    """

    actor: str
    scopes: frozenset[Scope]
    key_id: KeyId | None
    holder: str | None
    per_minute: int


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret: nobody knows that but who was given it.

    ``scopes`` are in order of their names. ``per_minute`` None is the installation's rate.
    ``rotates_until`` is when the last secret that was replaced stops working. ``last_used_at`` may
    lag by some seconds.
    """

    key_id: KeyId
    name: str
    owner: str
    scopes: tuple[Scope, ...]
    per_minute: int | None
    made_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotates_until: datetime | None
    last_used_at: datetime | None

    @property
    def subject(self) -> str:
        """Name it as the trail does."""
        return f"key_{self.key_id}"


class NewKey(msgspec.Struct, frozen=True):
    """A key and its new secret, which is told this once."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("key", self.key)]


class Token(msgspec.Struct, frozen=True):
    """A holder token, as the app hands it to the holder's browser or phone."""

    text: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("expires_at", self.expires_at)]


class Allowance(msgspec.Struct, frozen=True):
    """The answer of the limiter.

    ``remaining`` is how much this process knows to be left of ``limit``. ``reset_s`` is the time
    until more is left than now; after a refusal, until what was asked for fits, if nobody else
    takes it.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_s: float

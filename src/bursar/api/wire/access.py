"""Keys and tokens as they are asked and answered; a secret is answered once, where it is made."""

from datetime import datetime
from typing import Annotated

import msgspec

from bursar.access import Caller, Key, NewKey, Scope, Token
from bursar.api.wire.text import Reason, Word


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret."""

    key_id: int
    name: str
    owner: str
    scopes: list[Scope]
    per_minute: int | None
    made_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotates_until: datetime | None
    revoked_at: datetime | None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Keys, the oldest first."""

    items: list[KeyView]


class KeyWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made, for a person or a service, its owner."""

    name: Word
    owner: Word
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1)]
    reason: Reason
    per_minute: Annotated[int, msgspec.Meta(ge=1)] | None = None
    expires_at: datetime | None = None


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and its secret: it is told this once."""

    key: KeyView
    secret: str


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the secrets that a key has go on working beside its new one; 0 is not at all."""

    overlap_s: Annotated[int, msgspec.Meta(ge=0)]
    reason: Reason


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as these credentials tell."""

    actor: str
    scopes: list[Scope]
    key_id: int | None
    holder: str | None
    per_minute: int


class TokenWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom a token is, and for how many seconds it is good."""

    holder: Word
    ttl_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 900


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A token: its bearer asks about that one holder."""

    text: str
    expires_at: datetime


def key_view(key: Key) -> KeyView:
    """Show a key."""
    return KeyView(
        key_id=key.key_id,
        name=key.name,
        owner=key.owner,
        scopes=sorted(key.scopes),
        per_minute=key.per_minute,
        made_at=key.made_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        rotates_until=key.rotates_until,
        revoked_at=key.revoked_at,
    )


def key_made(made: NewKey) -> KeyMade:
    """Show a key that was just made, or given a new secret."""
    return KeyMade(key=key_view(made.key), secret=made.secret)


def caller_view(caller: Caller) -> CallerView:
    """Show who asks."""
    return CallerView(
        actor=caller.actor,
        scopes=sorted(caller.scopes),
        key_id=caller.key_id,
        holder=caller.holder,
        per_minute=caller.per_minute,
    )


def token_made(token: Token) -> TokenMade:
    """Show a token."""
    return TokenMade(text=token.text, expires_at=token.expires_at)

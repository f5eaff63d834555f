"""What opens doors at one instant, as a process holds it in memory for a moment. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from bursar.access.model import KeyId, Scope


@dataclass(frozen=True, slots=True)
class LiveKey:
    """What a secret opens, until ``ends_at`` if it ends."""

    key_id: KeyId
    owner: str
    scopes: frozenset[Scope]
    per_minute: int | None
    ends_at: datetime | None

    def works(self, now: datetime) -> bool:
        return self.ends_at is None or now < self.ends_at


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """A secret that holder tokens are signed with, from ``signs_from`` until a newer one does."""

    kid: str
    secret: bytes = field(repr=False)
    signs_from: datetime
    works_until: datetime | None

    def works(self, now: datetime) -> bool:
        return self.works_until is None or now < self.works_until


@dataclass(frozen=True, slots=True)
class Live:
    """All that opens doors as of a revision."""

    revision: UUID
    keys: dict[bytes, LiveKey] = field(repr=False)
    token_secrets: tuple[TokenSecret, ...]

    def working_secrets(self, now: datetime) -> dict[str, bytes]:
        """Return the secrets whose tokens are good, by kid."""
        return {one.kid: one.secret for one in self._working(now)}

    def signing_secret(self, now: datetime) -> TokenSecret | None:
        """Choose the secret to sign with: the newest whose time has come.

        A new secret's time comes when every process knows it, so that no token meets a process
        that has not heard of its secret.
        """
        ready = [one for one in self._working(now) if one.signs_from <= now]
        return max(ready, key=lambda one: one.signs_from, default=None)

    def next_secret(self, now: datetime) -> TokenSecret | None:
        """Choose the secret whose time comes first, for who has waited until everybody knows it."""
        return min(self._working(now), key=lambda one: one.signs_from, default=None)

    def _working(self, now: datetime) -> list[TokenSecret]:
        return [one for one in self.token_secrets if one.works(now)]

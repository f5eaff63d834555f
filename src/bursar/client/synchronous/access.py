"""API keys and holder tokens."""

from collections.abc import Sequence
from datetime import datetime

from bursar.client.answers.people import Key, Keys, NewKey, Token, WhoAmI
from bursar.client.asking import said
from bursar.client.synchronous.connection import Connection


class KeyCalls:
    """API keys. A key that is made or rotated is not asked for twice: its secret is told once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Key]:
        """List the keys, without their secrets."""
        return (self._connection.get(Keys, "keys")).items

    def add(
        self,
        name: str,
        *,
        owner: str,
        scopes: Sequence[str],
        reason: str,
        per_minute: int | None = None,
        expires_at: datetime | None = None,
    ) -> NewKey:
        """Make a key. Where no answer comes, it may be there: look, and revoke it."""
        body = said(
            name=name,
            owner=owner,
            scopes=scopes,
            per_minute=per_minute,
            expires_at=expires_at,
            reason=reason,
        )
        return self._connection.post(NewKey, "keys", body=body, safe=False)

    def rotate(self, key_id: int, *, overlap_s: int, reason: str) -> NewKey:
        """Give a key a new secret; the old one works for ``overlap_s`` more."""
        body = {"overlap_s": overlap_s, "reason": reason}
        return self._connection.post(NewKey, "keys", key_id, "rotate", body=body, safe=False)

    def revoke(self, key_id: int, *, reason: str) -> Key:
        """Revoke a key at once."""
        body = {"reason": reason}
        return self._connection.post(Key, "keys", key_id, "revoke", body=body)

    def who_am_i(self) -> WhoAmI:
        """Tell what the server knows of these credentials."""
        return self._connection.get(WhoAmI, "key")


class TokenCalls:
    """Tokens for the apps and browsers of single holders."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def issue(self, holder: str, *, ttl_s: int = 900) -> Token:
        """Issue a token that reads one holder's own and claims; 1 second to 24 hours."""
        body = {"holder": holder, "ttl_s": ttl_s}
        return self._connection.post(Token, "holder-tokens", body=body)

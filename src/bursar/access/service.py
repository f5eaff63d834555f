"""Access: whose credential is good, and the keys and tokens that are (I2)."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from bursar import trail
from bursar.access import examine, store, tokens
from bursar.access.credential import RANDOM_BYTES, digest, is_secret, spell
from bursar.access.lease import Lease
from bursar.access.live import Live, TokenSecret
from bursar.access.model import HOLDER_ACTOR, Caller, Key, KeyId, NewKey, Scope, Token
from bursar.access.uses import Uses
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Denied, Missing, Rejected
from bursar.platform.voice import check_voice

_HOLDER_SCOPES: Final = frozenset({Scope.HOLDER})


class Access:
    """The doors of one database; `close` it to keep when keys were last used.

    What changes them answers after every process knows: a new secret works everywhere then, and a
    revoked one nowhere. All processes of an installation have the same ``lease_s``.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float = 0.25,
        key_per_minute: int,
        holder_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._key_per_minute = key_per_minute
        self._holder_per_minute = holder_per_minute
        self._clock = clock
        self._sleep = sleep
        self._settle_s = lease_s * 1.1 + 0.02
        self._lease = Lease(self._read, lease_s, clock)
        self._uses = Uses(database)

    async def close(self) -> None:
        """Write what is not yet written; the database stays open."""
        await self._lease.close()
        await self._uses.close()

    async def authenticate(self, credential: str) -> Caller:
        """Tell who asks.

        Raises `Denied`: ``token_expired`` for a token that was good once, ``credential_invalid``
        for whatever else is wrong, so that a guesser learns nothing; `Unavailable` when it cannot
        be known whether the credential still works.
        """
        if credential.startswith("bsk_"):
            return await self._authenticate_key(credential)
        return await self._authenticate_token(credential)

    async def add_key(
        self,
        name: str,
        owner: str,
        scopes: Collection[str],
        *,
        per_minute: int | None = None,
        expires_at: datetime | None = None,
        actor: str,
        reason: str,
    ) -> NewKey:
        """Make a key of a person or service; its secret is told this once.

        Raises `Invalid` ``key_invalid`` naming the field, ``posting_voice``.
        """
        wanted = examine.scopes_of(scopes)
        examine.check_key(name, owner, per_minute)
        check_voice(actor, reason)
        secret = _new_secret()
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            examine.check_expiry(expires_at, now)
            key_id = await store.add_key(
                connection,
                name=name,
                owner=owner,
                scopes=wanted,
                per_minute=per_minute,
                now=now,
                expires_at=expires_at,
            )
            await store.add_secret(connection, key_id, digest(secret))
            key = await _key(connection, key_id)
            await _record(connection, actor, "key.add", reason, after=key)
        await self._settle()
        return NewKey(key, secret)

    async def keys(self, *, everything: bool = False) -> list[Key]:
        """List the keys that work, or all there ever were, the oldest first."""
        async with self._database.connection() as connection:
            return await store.read_keys(connection, everything=everything)

    async def rotate_key(self, key_id: int, *, overlap_s: int, actor: str, reason: str) -> NewKey:
        """Give a key a new secret; those it had work for ``overlap_s`` at most, 0 is not at all.

        Raises `Missing` ``key_unknown``, `Rejected` ``key_ended``, `Invalid` ``overlap``.
        """
        examine.check_overlap(overlap_s)
        check_voice(actor, reason)
        secret = _new_secret()
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            before = await _key(connection, key_id)
            if before.revoked_at or (before.expires_at and before.expires_at <= now):
                raise Rejected(
                    "key_ended", f"{before.subject} was revoked or has expired", key=key_id
                )
            until = now + timedelta(seconds=overlap_s)
            await store.replace_secrets(connection, before.key_id, digest(secret), until, now)
            after = await _key(connection, key_id)
            await _record(connection, actor, "key.rotate", reason, before=before, after=after)
        await self._settle()
        return NewKey(after, secret)

    async def revoke_key(self, key_id: int, *, actor: str, reason: str) -> Key:
        """End a key for good: no request that comes after the answer is let in with it.

        Doing it again changes nothing. Raises `Missing` ``key_unknown``.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            before = await _key(connection, key_id)
            if before.revoked_at is None:
                await store.revoke_key(connection, before.key_id, now)
            after = await _key(connection, key_id)
            if after != before:
                await _record(connection, actor, "key.revoke", reason, before=before, after=after)
        await self._settle()
        return after

    async def issue_token(self, holder: str, *, ttl_s: int = 900, actor: str) -> Token:
        """Make a token with which an app's holder may ask about themselves, for 1 s to 24 h.

        It names the actor who had it made, and cannot be revoked but with all tokens. Whether there
        is such a holder is not asked. Raises `Invalid` ``external_id``, ``token_ttl``.
        """
        examine.check_token(holder, ttl_s)
        check_voice(actor, "a token")
        signing, now = await self._signing_secret()
        issued = int(now.timestamp())
        claims = tokens.Claims(
            sub=holder,
            iss=actor,
            aud=tokens.AUDIENCE,
            iat=issued,
            nbf=issued,
            exp=issued + ttl_s,
        )
        text = tokens.sign(claims, signing.kid, signing.secret)
        return Token(text, datetime.fromtimestamp(claims.exp, UTC))

    async def rotate_token_secret(self, *, overlap_s: int, actor: str, reason: str) -> None:
        """Sign tokens with a new secret; those signed before are good for ``overlap_s`` at most."""
        examine.check_overlap(overlap_s)
        check_voice(actor, reason)
        kid = secrets.token_hex(8)
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            await store.end_token_secrets(connection, now + timedelta(seconds=overlap_s), now)
            await _add_token_secret(connection, kid, now, min(self._settle_s, overlap_s))
            await trail.record(
                connection,
                actor=actor,
                act="token_secret.rotate",
                subject="token_secret",
                reason=reason,
                after={"kid": kid, "overlap_s": overlap_s},
            )
        await self._settle()

    async def _authenticate_key(self, credential: str) -> Caller:
        if not is_secret(credential):
            raise _invalid()
        held = await self._lease.current()
        key = held.live.keys.get(digest(credential))
        now = held.now(self._clock())
        if key is None or not key.works(now):
            raise _invalid()
        self._uses.note(key.key_id, now)
        rate = self._key_per_minute if key.per_minute is None else key.per_minute
        return Caller(f"api:{key.owner}", key.scopes, key.key_id, None, rate)

    async def _authenticate_token(self, credential: str) -> Caller:
        if not tokens.is_token(credential):
            raise _invalid()
        held = await self._lease.current()
        now = held.now(self._clock())
        try:
            claims = tokens.verify(credential, held.live.working_secrets(now), int(now.timestamp()))
        except tokens.Expired:
            raise Denied(
                "token_expired", "the token has expired; ask the app for another"
            ) from None
        except tokens.NotOurs:
            raise _invalid() from None
        return Caller(HOLDER_ACTOR, _HOLDER_SCOPES, None, claims.sub, self._holder_per_minute)

    async def _signing_secret(self) -> tuple[TokenSecret, datetime]:
        """Choose the secret to sign with; the first token of an installation makes one."""
        held = await self._lease.current()
        found = held.live.signing_secret(held.now(self._clock()))
        while found is None:
            async with self._database.transaction() as connection:
                now = await store.begin_change(connection)
                if not await store.read_token_secrets(connection):
                    kid = secrets.token_hex(8)
                    await _add_token_secret(connection, kid, now, self._settle_s)
            await self._settle()
            held = await self._lease.current()
            found = held.live.next_secret(held.now(self._clock()))
        return found, held.now(self._clock())

    async def _read(self, known: Live | None) -> tuple[Live, datetime]:
        async with self._database.connection() as connection:
            return await store.read_live(connection, known)

    async def _settle(self) -> None:
        """Wait until no process holds what was before."""
        await self._sleep(self._settle_s)


def _invalid() -> Denied:
    return Denied("credential_invalid", "the credential is not valid")


def _new_secret() -> str:
    return spell(secrets.token_bytes(RANDOM_BYTES))


async def _key(connection: Connection, key_id: int) -> Key:
    found = None
    if type(key_id) is int and 0 < key_id < 2**63:
        found = await store.read_key(connection, KeyId(key_id))
    if found is None:
        raise Missing("key_unknown", f"there is no key {key_id}", key=key_id)
    return found


async def _record(
    connection: Connection,
    actor: str,
    act: str,
    reason: str,
    *,
    before: Key | None = None,
    after: Key,
) -> None:
    await trail.record(
        connection,
        actor=actor,
        act=act,
        subject=after.subject,
        reason=reason,
        before=None if before is None else _told(before),
        after=_told(after),
    )


def _told(key: Key) -> dict[str, object]:
    """Tell the trail what a key is; when it was used is no part of what was done to it."""
    return {
        "name": key.name,
        "owner": key.owner,
        "scopes": key.scopes,
        "per_minute": key.per_minute,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "rotates_until": key.rotates_until,
    }


async def _add_token_secret(
    connection: Connection, kid: str, now: datetime, later_s: float
) -> None:
    signs_from = now + timedelta(seconds=later_s)
    await store.add_token_secret(connection, kid, secrets.token_bytes(RANDOM_BYTES), signs_from)

"""The SQL of keys and token secrets: typed rows in and out."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from psycopg.types.numeric import Int4, Int8

from bursar.access.live import Live, LiveKey, TokenSecret
from bursar.access.model import Key, KeyId, Scope
from bursar.platform.arrays import instants, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.access")


async def read_live(connection: Connection, known: Live | None) -> tuple[Live, datetime]:
    """Read what opens doors, and the world's instant; what is known stands if nothing moved."""
    [(revision, now)] = await _all(connection, "read_revision")
    if known is not None and known.revision == revision:
        return known, now
    return Live(
        revision,
        {
            row[0]: LiveKey(row[1], row[2], _scopes(row[3]), row[4], row[5])
            for row in await _all(connection, "read_live_keys")
        },
        await read_token_secrets(connection),
    ), now


async def read_token_secrets(connection: Connection) -> tuple[TokenSecret, ...]:
    """Read the secrets of holder tokens that work."""
    return tuple(TokenSecret(*row) for row in await _all(connection, "read_token_secrets"))


async def begin_change(connection: Connection) -> datetime:
    """Draw a new revision, and wait for whoever else is changing; returns the world's instant."""
    [(now,)] = await _all(connection, "begin_change")
    return now  # type: ignore[no-any-return]


async def add_key(
    connection: Connection,
    *,
    name: str,
    owner: str,
    scopes: Iterable[Scope],
    per_minute: int | None,
    now: datetime,
    expires_at: datetime | None,
) -> KeyId:
    """Write a key, without a secret."""
    values = {
        "name": name,
        "owner": owner,
        "scopes": texts(sorted(scopes)),
        "per_minute": None if per_minute is None else Int4(per_minute),
        "now": now,
        "expires_at": expires_at,
    }
    [(key_id,)] = await _all(connection, "add_key", values)
    return KeyId(key_id)


async def read_keys(connection: Connection, *, everything: bool) -> list[Key]:
    """List the keys, those that have ended only if everything is wanted."""
    return await _keys(connection, None, everything=everything)


async def read_key(connection: Connection, key_id: KeyId) -> Key | None:
    """Find a key, ended or not."""
    found = await _keys(connection, key_id, everything=True)
    return found[0] if found else None


async def replace_secrets(
    connection: Connection, key_id: KeyId, digest: bytes, works_until: datetime, now: datetime
) -> None:
    """Give a key a new secret; whatever it had works until then at most."""
    await end_secrets(connection, key_id, works_until, now)
    await add_secret(connection, key_id, digest)


async def end_secrets(
    connection: Connection, key_id: KeyId, works_until: datetime, now: datetime
) -> None:
    """Let a key's secrets work until then at most, and forget those that no longer do."""
    await _all(connection, "end_secrets", {"key_id": Int8(key_id), "works_until": works_until})
    await _all(connection, "drop_secrets", {"key_id": Int8(key_id), "now": now})


async def add_secret(connection: Connection, key_id: KeyId, digest: bytes) -> None:
    """Write the hash of a key's secret."""
    await _all(connection, "add_secret", {"key_id": Int8(key_id), "secret_hash": digest})


async def revoke_key(connection: Connection, key_id: KeyId, now: datetime) -> None:
    """Mark a key as revoked, and forget its secrets."""
    await _all(connection, "revoke_key", {"key_id": Int8(key_id), "now": now})
    await end_secrets(connection, key_id, now, now)


async def note_uses(connection: Connection, uses: Mapping[KeyId, datetime]) -> None:
    """Write when keys were last used; an earlier instant never replaces a later one."""
    values = {"key_ids": int8s(list(uses)), "ats": instants(list(uses.values()))}
    await _all(connection, "note_uses", values)


async def end_token_secrets(connection: Connection, works_until: datetime, now: datetime) -> None:
    """Let the tokens' secrets work until then at most, and forget those that no longer do."""
    await _all(connection, "end_token_secrets", {"works_until": works_until})
    await _all(connection, "drop_token_secrets", {"now": now})


async def add_token_secret(
    connection: Connection, kid: str, secret: bytes, signs_from: datetime
) -> None:
    """Write a secret that signs tokens from an instant on."""
    values = {"kid": kid, "secret": secret, "signs_from": signs_from}
    await _all(connection, "add_token_secret", values)


async def _keys(connection: Connection, key_id: KeyId | None, *, everything: bool) -> list[Key]:
    values = {"key_id": None if key_id is None else Int8(key_id), "everything": everything}
    return [
        Key(
            key_id=row[0],
            name=row[1],
            owner=row[2],
            scopes=tuple(sorted(_scopes(row[3]))),
            per_minute=row[4],
            made_at=row[5],
            expires_at=row[6],
            revoked_at=row[7],
            rotates_until=row[8],
            last_used_at=row[9],
        )
        for row in await _all(connection, "read_keys", values)
    ]


def _scopes(names: Iterable[str]) -> frozenset[Scope]:
    return frozenset(map(Scope, names))


async def _all(
    connection: Connection, query: str, values: Mapping[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(query), values)

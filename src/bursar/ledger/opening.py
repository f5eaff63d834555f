"""Opening a ledger: find the database, make sure of it, know which server it is on (O1, O3)."""

import asyncio
from pathlib import Path
from typing import Final

from bursar.ledger.decision.checksum import Seal
from bursar.ledger.posting import store
from bursar.platform import place
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Rejected
from bursar.platform.settings import Settings

_OLDEST_SERVER: Final = 15


def seal_of(settings: Settings) -> Seal:
    """Seal with the environment's key, or without one (L5)."""
    if settings.checksum_key is None:
        return Seal()
    return Seal(settings.checksum_key, settings.checksum_key_id)


async def open_database(
    where: str | Path | None, settings: Settings, max_connections: int
) -> Database:
    """Open the pool on a database that is ready; the embedded server is started if need be."""
    found = place.find(where, settings)
    address = await asyncio.to_thread(place.ready, found)
    database = Database(address.url, max_connections=max_connections, pooled=found.pooled)
    await database.open()
    try:
        async with database.connection() as connection:
            await _greet(connection)
    except BaseException:
        await database.close()
        raise
    return database


async def _greet(connection: Connection) -> None:
    """Refuse a server that cannot carry the books, and see whether they were moved to it.

    A restore by other means than `bursar restore` is thus noticed at the first opening:
    followers of the journal need a new epoch where transaction numbers begin anew.
    """
    server = await store.identify_server(connection)
    if server.major < _OLDEST_SERVER:
        raise Rejected(
            "server_too_old",
            f"PostgreSQL {server.major} is too old: Bursar needs {_OLDEST_SERVER} or newer",
            version=server.major,
            needed=_OLDEST_SERVER,
        )
    if server.encoding != "UTF8":
        raise Rejected(
            "database_not_utf8",
            f"the database's encoding is {server.encoding}: create one with encoding 'UTF8'",
            encoding=server.encoding,
        )
    if server.system_identifier != server.known_identifier:
        await store.mark_epoch(connection, server.system_identifier)

"""The doctor: read the facts, judge them (O2).

It opens no ledger, for it is asked just when none can be opened; and it changes nothing, but that
it starts the server of a data directory, as every command does.
"""

import asyncio
import shutil

import msgspec

from bursar.operation.doctor import findings_of
from bursar.operation.noticing import read_notices
from bursar.operation.store_doctor import read_books, read_server
from bursar.operation.symptoms import Facts, Finding, Level
from bursar.platform.database import Database
from bursar.platform.errors import Broken, Rejected, Unavailable
from bursar.platform.migrations import require_schema
from bursar.platform.place import Place, reach
from bursar.platform.settings import Settings


class Diagnosis(msgspec.Struct, frozen=True):
    """The facts, and what is found in them, dangers first."""

    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Say whether nothing endangers."""
        return all(finding.level is not Level.DANGER for finding in self.findings)


async def diagnose(place: Place, settings: Settings) -> Diagnosis:
    """Look at a database and the server it is on, with the eyes of the service's role.

    Raises `Unavailable` when it cannot be reached, and what `Database.open` does behind a pooler.
    """
    address = await asyncio.to_thread(reach, place)
    schema_error = await asyncio.to_thread(_schema_error, address.url)
    database = Database(address.url, max_connections=1, pooled=place.pooled)
    await database.open()
    try:
        async with database.snapshot() as connection:
            server = await read_server(connection)
            books = None if schema_error else await read_books(connection)
            notices = None if schema_error else await read_notices(connection, place, settings)
    finally:
        await database.close()
    disk = None if place.data_dir is None else shutil.disk_usage(place.data_dir)
    facts = Facts(
        server=server,
        books=books,
        notices=notices,
        schema_error=schema_error,
        keyed=settings.checksum_key is not None,
        verify_hours=settings.verify_hours,
        free=None if disk is None else disk.free,
        disk=None if disk is None else disk.total,
    )
    return Diagnosis(facts, findings_of(facts))


def _schema_error(url: str) -> str | None:
    """Say why this program cannot work on the schema; None if it can."""
    try:
        require_schema(url)
    except (Unavailable, Rejected, Broken) as error:
        if error.code.startswith(("schema_", "migration_")):
            return error.message
        raise
    return None

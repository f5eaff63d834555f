"""Where the database is, and making it ready for use (O1).

A *place* is a PostgreSQL server that somebody else runs, named by its address, or a data directory
with a server of our own. The second is started when it is needed and migrated by whoever opens it;
the first is only checked, for its owner decides when it is migrated.
"""

from pathlib import Path
from typing import Final

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from bursar.platform.database import connect_to
from bursar.platform.errors import Invalid, Unavailable
from bursar.platform.migrations import migrate, require_schema
from bursar.platform.postgres import Server, start
from bursar.platform.settings import Settings

_NO_SCHEMA: Final = {"schema_missing", "schema_behind"}


class Place(msgspec.Struct, frozen=True):
    """A server by ``url`` (and its owner's), or a ``data_dir``: exactly one of the two.

    ``pooled`` says that ``url`` leads through a pooler in transaction mode.
    """

    url: str | None = None
    owner_url: str | None = None
    pooled: bool = False
    data_dir: Path | None = None
    postgres_bin: Path | None = None

    def __repr__(self) -> str:
        return f"Place({self.data_dir or 'server'})"


class Address(msgspec.Struct, frozen=True):
    """A place whose server runs: the two addresses, which may hold passwords and are not shown."""

    url: str
    owner_url: str
    server: Server | None = None

    def __repr__(self) -> str:
        return f"Address({self.server or 'server'})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("server", self.server)]


def find(where: str | Path | None, settings: Settings) -> Place:
    """Tell what ``where`` means; None is what the environment says.

    Text is an address if PostgreSQL can read it as one (``postgresql://…`` or ``host=… dbname=…``),
    else a directory. Raises `Invalid` ``database_url`` or ``setting_invalid``.
    """
    if where == "":
        raise Invalid("database_url", "the name of the database is empty")
    if where is None:
        if settings.database_owner_url and not settings.database_url:
            raise Invalid(
                "setting_invalid",
                "BURSAR_DATABASE_OWNER_URL is set, and BURSAR_DATABASE_URL is not",
                setting="BURSAR_DATABASE_URL",
            )
        where = settings.database_url or settings.data_dir
    if isinstance(where, Path) or not _is_address(where):
        return Place(data_dir=Path(where).expanduser(), postgres_bin=settings.postgres_bin)
    check_address(where)
    named_by_settings = where == settings.database_url
    owner_url = settings.database_owner_url if named_by_settings else None
    if owner_url is not None:
        check_address(owner_url)
    return Place(url=where, owner_url=owner_url, pooled=settings.pooler and named_by_settings)


def reach(place: Place) -> Address:
    """Say how to reach the database, its server started if it is ours; the schema is left alone."""
    if place.data_dir is not None:
        server = start(place.data_dir, postgres_bin=place.postgres_bin)
        return Address(server.service_url, server.owner_url, server)
    url = connect_to(place.url or "")
    return Address(url, connect_to(place.owner_url) if place.owner_url else url)


def reach_owner(place: Place) -> Address:
    """Reach the database to migrate it, back it up or restore it.

    These hold a session from end to end, which a pooler does not keep together: raises `Invalid`
    ``setting_invalid`` when there is no other address.
    """
    if place.pooled and place.owner_url is None:
        raise Invalid(
            "setting_invalid",
            "BURSAR_POOLER is on: what migrates, backs up and restores must reach the server "
            "itself, as the owner: set BURSAR_DATABASE_OWNER_URL",
            setting="BURSAR_DATABASE_OWNER_URL",
        )
    return reach(place)


def ready(place: Place) -> Address:
    """Reach the database and make sure that this program may work on it.

    A data directory's database is migrated if it is behind; one that a newer release has migrated
    is used as long as that release serves this one. Raises what `start`, `migrate` and
    `require_schema` do.
    """
    address = reach(place)
    try:
        require_schema(address.url)
    except Unavailable as error:
        if address.server is None or error.code not in _NO_SCHEMA:
            raise
        migrate(address.owner_url)
    return address


def check_address(url: str) -> None:
    """Raise `Invalid` ``database_url`` for what PostgreSQL cannot read as an address.

    libpq's own message may quote the password, so it is not repeated.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        parts = {"port": "?"}
    ports = str(parts.get("port") or "5432").split(",")
    if not all(p.isascii() and p.isdigit() and 0 < int(p) < 65536 for p in ports if p):
        raise Invalid(
            "database_url",
            "the address of the database cannot be read; "
            "it looks like postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        )


def _is_address(text: str) -> bool:
    if "://" in text:
        return True
    try:
        return bool(conninfo_to_dict(text))
    except psycopg.Error:
        return False

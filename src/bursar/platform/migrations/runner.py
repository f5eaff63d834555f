"""Apply migrations, and tell whether a database and this program belong together (O1, O3).

One migrator at a time: a session lock is held from before the first read until the last row is
written. It is tried for, not waited for in the server, because a waiting statement would keep a
snapshot that ``create index concurrently`` waits for in turn. It therefore needs a connection of
its own: the owner's URL must not lead through a pooler in transaction mode. Who only asks sets
nothing on the connection, and may come through one.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from bursar.platform.errors import Broken, BursarError, Rejected, Unavailable
from bursar.platform.migrations.files import SHIPPED, Migration, MigrationSet, Statement

OLDEST_SERVER: Final = 15
SERVICE_ROLE: Final = "bursar_service"

_ASK: Final = "; an administrator of the server must run"

_LOCK: Final = 0x6275_7273_6172  # "bursar", read as a number
_LOCK_POLL_S: Final = 0.1

_SESSION: Final = """
select set_config('search_path', '', false),
       set_config('timezone', 'UTC', false),
       set_config('statement_timeout', '0', false),
       set_config('client_min_messages', 'warning', false)
"""

_LOCK_TIMEOUT: Final = "select set_config('lock_timeout', '10s', true)"

_READY: Final = """
select exists (select from pg_roles where rolname = %(role)s)                       as has_role,
       exists (select from pg_namespace where nspname = 'bursar')                   as has_schema,
       has_database_privilege(current_database(), 'create')                         as may_schema,
       (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as may_role,
       current_setting('server_encoding')                                           as encoding
"""

# serves_from: a program whose latest number is below it is too old for the database.
_TABLE: Final = """
create table if not exists bursar.migrations (
    number       integer      not null,
    serves_from  integer      not null,
    applied_at   timestamptz  not null default now(),
    name         text         not null collate "C",
    checksum     text         not null collate "C",
    constraint migrations_pkey primary key (number)
)
"""

_GRANTS: Final[tuple[LiteralString, ...]] = (
    "grant usage on schema bursar to bursar_service",
    "grant select on bursar.migrations to bursar_service",
)

_TABLE_EXISTS: Final = """
select exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'bursar' and c.relname = 'migrations'
)
"""

_APPLIED: Final = """
select number, serves_from, name, checksum from bursar.migrations order by number
"""

_RECORD: Final = """
insert into bursar.migrations (number, serves_from, name, checksum)
values (%(number)s, %(serves_from)s, %(name)s, %(checksum)s)
"""

_INVALID_INDEXES: Final = """
select c.relname
  from pg_index i join pg_class c on c.oid = i.indexrelid
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'bursar' and not i.indisvalid
 order by c.relname
"""


class Applied(NamedTuple):
    """A row of ``bursar.migrations``."""

    number: int
    serves_from: int
    name: str
    checksum: str


def migrate(
    owner_url: str, *, target: int | None = None, known: MigrationSet = SHIPPED
) -> list[Migration]:
    """Apply what is missing, in order, up to ``target``; returns what was applied now.

    Each file runs in a transaction of its own together with its row in ``bursar.migrations``, so
    that a failure leaves the database at the number before. A second migrator waits for the
    first, then finds nothing to do.

    Raises `Rejected` when the server, the database or its roles cannot carry Bursar
    (``server_too_old``, ``database_not_utf8``, ``role_missing``, ``schema_denied``,
    ``owner_needed``) or the database is newer (``schema_newer``); `Broken` when an applied file
    has changed (``migration_changed``) or a file fails (``migration_failed``,
    ``index_invalid``); `Unavailable` when the database is away or busy.
    """
    with _connect(owner_url) as conn, _lock(conn):
        conn.execute(_SESSION)
        _bootstrap(conn)
        todo = [m for m in _missing(conn, known) if target is None or m.number <= target]
        for migration in todo:
            with _typed_errors(migration.file):
                _apply(conn, migration, known.previous_release)
    return todo


def pending(url: str, *, known: MigrationSet = SHIPPED) -> list[Migration]:
    """Return what `migrate` would apply, changing nothing; raises the same on drift."""
    with _connect(url) as conn:
        return _missing(conn, known)


def schema_version(url: str) -> int:
    """Return the number of the latest applied migration, 0 for an empty database."""
    with _connect(url) as conn:
        return max((row.number for row in _applied(conn)), default=0)


def require_schema(where: str | psycopg.Connection, *, known: MigrationSet = SHIPPED) -> int:
    """Check, when opening a database, that this program may work on it; returns its number.

    Behind or empty: `Unavailable` ``schema_behind`` or ``schema_missing``, for the next
    ``bursar migrate`` mends it. Ahead: the newer release has written beside each of its
    migrations the number that the release before it knew, and kept those processes working; a
    program that does not know that number is `Rejected` ``schema_newer``. A connection that is
    lent stays open, and in its transaction if it was not in autocommit.
    """
    with _connect(where) if isinstance(where, str) else nullcontext(where) as conn:
        applied = _applied(conn)
    if not applied:
        raise Unavailable("schema_missing", "the database has no schema yet: run `bursar migrate`")
    version = applied[-1].number
    serves_from = max(row.serves_from for row in applied)
    if version < known.latest:
        raise Unavailable(
            "schema_behind",
            f"the database is at {version}, this program needs {known.latest}: "
            "run `bursar migrate`",
            version=version,
            needed=known.latest,
        )
    if known.latest < serves_from:
        raise _newer(version, known, serves_from)
    return version


@contextmanager
def _connect(url: str) -> Iterator[psycopg.Connection]:
    try:
        conn = psycopg.connect(url, autocommit=True, application_name="bursar migrate")
    except psycopg.OperationalError as error:
        raise Unavailable(
            "database_unavailable", f"cannot connect to the database: {error}"
        ) from error
    with conn, _typed_errors():
        yield conn


@contextmanager
def _lock(conn: psycopg.Connection) -> Iterator[None]:
    """Be the only migrator of this database; closing the connection, or dying, lets go."""
    while not _value(conn, "select pg_try_advisory_lock(%(lock)s)", lock=_LOCK):
        time.sleep(_LOCK_POLL_S)
    yield


def _bootstrap(conn: psycopg.Connection) -> None:
    """Make what 0001 stands on: the service's role, the schema, the table of what is applied."""
    major = conn.info.server_version // 10000
    if major < OLDEST_SERVER:
        raise Rejected(
            "server_too_old",
            f"PostgreSQL {major} is too old: Bursar needs {OLDEST_SERVER} or newer",
            version=major,
            needed=OLDEST_SERVER,
        )
    [(has_role, has_schema, may_schema, may_role, encoding)] = _rows(
        conn, _READY, role=SERVICE_ROLE
    )
    if encoding != "UTF8":
        raise Rejected(
            "database_not_utf8",
            f"the database's encoding is {encoding}: create one with encoding 'UTF8'",
            encoding=encoding,
        )
    if not has_role and not may_role:
        sql = f"create role {SERVICE_ROLE};"
        what = f"the role {SERVICE_ROLE} is missing and may not be created"
        raise Rejected("role_missing", f"{what}{_ASK}: {sql}", sql=sql)
    if not has_schema and not may_schema:
        sql = f'create schema bursar authorization "{conn.info.user}";'
        what = "the schema bursar is missing and may not be created"
        raise Rejected("schema_denied", f"{what}{_ASK}: {sql}", sql=sql)
    if not has_role:
        _create_role(conn)
    with conn.transaction():
        if not has_schema:
            conn.execute("create schema bursar")
        conn.execute(_TABLE)
        for grant in _GRANTS:
            conn.execute(grant)


def _create_role(conn: psycopg.Connection) -> None:
    # roles belong to the server: the migrator of another database may be quicker
    with suppress(errors.DuplicateObject, errors.UniqueViolation):
        conn.execute("create role bursar_service")


def _apply(conn: psycopg.Connection, migration: Migration, previous_release: int) -> None:
    with _transaction(conn) if migration.in_transaction else nullcontext():
        for statement in migration.statements():
            with _typed_errors(migration.file, statement):
                conn.execute(statement.sql)
        if not migration.in_transaction:
            _refuse_invalid_indexes(conn, migration)
        conn.execute(
            _RECORD,
            {
                "number": migration.number,
                "serves_from": min(previous_release, migration.number),
                "name": migration.name,
                "checksum": migration.checksum,
            },
        )


@contextmanager
def _transaction(conn: psycopg.Connection) -> Iterator[None]:
    """Give up rather than queue for a lock: whoever came after would queue behind us."""
    with conn.transaction():
        conn.execute(_LOCK_TIMEOUT)
        yield


def _refuse_invalid_indexes(conn: psycopg.Connection, migration: Migration) -> None:
    """Refuse to call done what a crash left half built: ``if not exists`` would keep it so."""
    if names := [name for (name,) in _rows(conn, _INVALID_INDEXES)]:
        raise Broken(
            "index_invalid",
            f"{migration.file} left an index that is not valid: {names}; "
            "drop it and run `bursar migrate` again",
            file=migration.file,
            indexes=names,
        )


def _applied(conn: psycopg.Connection) -> list[Applied]:
    if not _value(conn, _TABLE_EXISTS):
        return []
    return [Applied(*row) for row in _rows(conn, _APPLIED)]


def _missing(conn: psycopg.Connection, known: MigrationSet) -> list[Migration]:
    """Compare what is applied with the files: what is missing, or an error when they differ."""
    applied = {row.number: row for row in _applied(conn)}
    if applied and max(applied) > known.latest:
        raise _newer(max(applied), known, max(row.serves_from for row in applied.values()))
    for migration in known.migrations:
        row = applied.get(migration.number)
        if row and row.checksum != migration.checksum:
            raise Broken(
                "migration_changed",
                f"{migration.file} is not the file that was applied as {row.number:04}_{row.name}",
                file=migration.file,
                applied=row.checksum,
                found=migration.checksum,
            )
    return [m for m in known.migrations if m.number not in applied]


def _newer(version: int, known: MigrationSet, serves_from: int) -> Rejected:
    return Rejected(
        "schema_newer",
        f"the database is at {version}, which serves programs that know {serves_from} or later; "
        f"this one knows {known.latest}: install a newer release",
        version=version,
        known=known.latest,
        serves_from=serves_from,
    )


@contextmanager
def _typed_errors(file: str | None = None, statement: Statement | None = None) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _typed(error, file, statement) from error


def _typed(error: psycopg.Error, file: str | None, statement: Statement | None) -> BursarError:
    line = statement and _line(error, statement)
    message = error.diag.message_primary or str(error)
    if file:
        message = f"{file}, line {line}: {message}" if line else f"{file}: {message}"
    fields = {"file": file, "line": line, "sqlstate": error.sqlstate}
    match error:
        case errors.InsufficientPrivilege():
            return Rejected("owner_needed", message, **fields)
        case errors.LockNotAvailable():
            message += "; a long transaction holds the table: run `bursar migrate` again"
            return Unavailable("schema_busy", message, **fields)
        case psycopg.OperationalError():
            return Unavailable("database_unavailable", message, **fields)
        case _:
            return Broken("migration_failed", message, **fields)


def _line(error: psycopg.Error, statement: Statement) -> int:
    """Find the line of the file: where the server points to, else where the statement begins."""
    position = int(error.diag.statement_position or 1)
    return statement.line + statement.sql.count("\n", 0, position - 1)


def _value(conn: psycopg.Connection, query: LiteralString, **parameters: object) -> object:
    [(value,)] = _rows(conn, query, **parameters)
    return value


def _rows(
    conn: psycopg.Connection, query: LiteralString, **parameters: object
) -> list[tuple[Any, ...]]:
    """Read rows as tuples, whatever the connection that was lent makes of them."""
    return conn.cursor(row_factory=tuple_row).execute(query, parameters).fetchall()

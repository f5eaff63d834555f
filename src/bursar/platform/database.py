"""The pool of connections to PostgreSQL, and which of its errors mean what.

Every connection works as the role `bursar_service`, which does not own the tables (L5), speaks
UTF-8 in UTC, and plans once for each statement: the ledger's statements want the same index walk
whatever the batch, and planning a statement of fifty parameters costs more than running it. It
waits 20 s for a lock at most, and a transaction left idle ends after a minute: neither a stranger's
lock nor a process that hangs stops the others or the followers of the journal for long.

Behind a pooler in transaction mode a connection is another one with each transaction: what is set
on it reaches strangers, and what is prepared on it is not found again. There nothing is set and
nothing is prepared; the login role carries the settings (`POOLED`), which opening makes sure of.
"""

import select
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ConnStatus
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bursar.platform.arrays import register
from bursar.platform.errors import Broken, BursarError, Rejected, Unavailable
from bursar.platform.sql import Query

Connection = AsyncConnection[TupleRow]

T = TypeVar("T")

_ATTEMPTS: Final = 20

_RECONNECT_S: Final = 2.0
"""The pool tries to connect for so long, less and less often, and then begins anew.

Else it would come back from an outage as late again as that has lasted.
"""

SERVICE_ROLE: Final = "bursar_service"

CONTENTION: Final = (errors.DeadlockDetected, errors.SerializationFailure)
"""Errors that say: the same transaction may succeed if it is tried again."""

REFUSED_DATA: Final = (errors.DataError, errors.IntegrityError, errors.RaiseException)
"""Errors that say: the database will not take these values; a trigger may say so too."""

_AWAY: Final = (
    errors.OperationalError,
    errors.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.InsufficientResources,
    errors.IdleInTransactionSessionTimeout,  # who slept too long finds the connection gone
)

_PREPARE: Final = """
    select set_config('plan_cache_mode', 'force_generic_plan', false),
           set_config('timezone', 'UTC', false),
           set_config('lock_timeout', '20s', false),
           set_config('idle_in_transaction_session_timeout', '60s', false),
           set_config('role', case when current_user <> %(role)s
                                    and pg_has_role(current_user, %(role)s, 'member')
                                   then %(role)s else current_user end, false)
"""


POOLED: Final = {
    "role": SERVICE_ROLE,
    "plan_cache_mode": "force_generic_plan",
    "timezone": "UTC",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
}
"""What a login role behind a pooler must have from ``alter role``; the timeouts may differ."""

_POOLED_AS: Final = """
    select current_database(), session_user,
           current_user = %(role)s or not pg_has_role(session_user, %(role)s, 'member'),
           current_setting('plan_cache_mode') = %(plan)s
           and upper(current_setting('timezone')) in ('UTC', 'ETC/UTC')
           and current_setting('lock_timeout') <> '0'
           and current_setting('idle_in_transaction_session_timeout') <> '0'
"""


async def fetch(
    connection: Connection, query: Query, values: Mapping[str, Any] | None = None
) -> list[Any]:
    """Run a query and return its rows; prepared on first use, binary both ways."""
    async with AsyncRawCursor(connection) as cursor:
        await cursor.execute(query.text, query.arguments(values or {}), binary=True)
        return await cursor.fetchall() if cursor.description is not None else []


class Database:
    """A pool on one database; ``async with`` it, or `open` and `close`.

    ``pooled`` says that the address leads through a pooler in transaction mode.
    """

    def __init__(self, url: str, *, max_connections: int = 8, pooled: bool = False) -> None:
        self.url = url
        self._pooled = pooled
        self._pool = AsyncConnectionPool(
            connect_to(url),
            min_size=1,
            max_size=max_connections,
            kwargs={"autocommit": True, "prepare_threshold": None if pooled else 0},
            configure=_teach if pooled else _configure,
            check=_check,
            reconnect_failed=self._try_again,
            open=False,
            timeout=30,
        )

    def another(self, *, max_connections: int) -> "Database":
        """Make another pool on the same database, so that its users need not wait for ours."""
        return Database(self.url, max_connections=max_connections, pooled=self._pooled)

    async def open(self) -> None:
        """Connect; raises `Unavailable` ``database_unavailable``.

        Behind a pooler also `Rejected` ``pooler_settings``, with the SQL that mends it.
        """
        try:
            await self._pool.open(wait=True, timeout=30)
        except PoolTimeout as error:
            await self._pool.close()
            raise await _why_unreachable(self.url) from error
        self._pool.reconnect_timeout = _RECONNECT_S
        if self._pooled:
            try:
                await self._require_settings()
            except BaseException:
                await self._pool.close()
                raise

    async def close(self) -> None:
        """Give every connection back."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection in autocommit mode; a database that is away raises `Unavailable`."""
        with translated():
            async with self._pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction that commits if the block does not raise."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection on which every statement sees the database as the first one did."""
        async with self.transaction() as connection:
            await connection.execute("set transaction isolation level repeatable read, read only")
            yield connection

    async def retrying(self, use_case: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a use case in a transaction, again if it meets a deadlock or a race.

        The use case must do nothing outside the transaction. After 20 attempts `Unavailable`.
        """
        for _ in range(_ATTEMPTS):
            try:
                async with self.transaction() as connection:
                    return await use_case(connection)
            except CONTENTION:
                continue
        raise Unavailable("contention", f"no success in {_ATTEMPTS} attempts; try again")

    async def _try_again(self, pool: AsyncConnectionPool[Connection]) -> None:
        """Have the pool go on where it has given up; who waits in it would not."""
        if not pool.closed:
            await pool.check()

    async def _require_settings(self) -> None:
        asked = {"role": SERVICE_ROLE, "plan": POOLED["plan_cache_mode"]}
        async with self.connection() as connection:
            [(name, login, *fits)] = await (await connection.execute(_POOLED_AS, asked)).fetchall()
            if not all(fits):
                mend = pooled_settings(login, name)
                raise Rejected(
                    "pooler_settings",
                    f"behind a pooler the settings must come with the role {login}; its owner or "
                    f"an administrator must run, and have the pooler connect anew:\n{mend}",
                    sql=mend,
                )


class translated:  # noqa: N801 - used as a statement
    """Turn the loss of the database into `Unavailable`; other errors pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, CONTENTION):
            return
        if isinstance(error, errors.DiskFull):
            raise Unavailable("disk_full", "the database has no room left on its disk") from error
        if isinstance(error, (PoolTimeout, *_AWAY)):
            raise Unavailable(
                "database_unavailable", f"the database did not answer: {_first_line(error)}"
            ) from error
        if isinstance(error, errors.InsufficientPrivilege):
            raise Broken("database_privilege", _first_line(error)) from error


def connect_to(url: str) -> str:
    """Complete a connection string: UTF-8, a name, and patience with a network that is silent.

    10 s for the handshake; what the other side does not acknowledge for 30 s is given up.
    """
    given = conninfo_to_dict(url)
    defaults = {
        "client_encoding": "UTF8",
        "application_name": "bursar",
        "connect_timeout": "10",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "tcp_user_timeout": "30000",
    }
    return make_conninfo(url, **{k: v for k, v in defaults.items() if k not in given})


def pooled_settings(login: str, database: str) -> str:
    """Spell the SQL that gives a login role what `POOLED` says, in this database alone."""
    who = sql.SQL("alter role {} in database {} set ").format(
        sql.Identifier(login), sql.Identifier(database)
    )
    wanted = {k: v for k, v in POOLED.items() if k != "role" or login != SERVICE_ROLE}
    return "\n".join(
        (who + sql.SQL("{} = {};").format(sql.Identifier(name), sql.Literal(value))).as_string()
        for name, value in wanted.items()
    )


async def _teach(connection: Connection) -> None:
    register(connection)


async def _configure(connection: Connection) -> None:
    await _teach(connection)
    await connection.execute(_PREPARE, {"role": SERVICE_ROLE})


async def _check(connection: Connection) -> None:
    """Refuse to lend a connection that the server has closed; costs no round trip."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        connection.pgconn.consume_input()  # raises at the end of the stream
        if connection.pgconn.status != ConnStatus.OK:
            raise errors.OperationalError("the server has closed the connection")


async def _why_unreachable(url: str) -> BursarError:
    """Ask once more, to tell why; secrets are in neither the answer nor libpq's messages."""
    try:
        connection = await psycopg.AsyncConnection.connect(connect_to(url))
        await connection.close()
    except psycopg.Error as error:
        return Unavailable(
            "database_unavailable", f"cannot connect to the database: {_first_line(error)}"
        )
    return Unavailable("database_unavailable", "the database did not answer in 30 s")


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__

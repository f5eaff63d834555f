"""What backing up and restoring ask of the server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from bursar.platform.errors import Rejected, Unavailable

# These have rows in books that nobody has used yet.
_TABLES = """
select c.relname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'bursar' and c.relkind in ('r', 'p')
   and c.relname not in ('access_state', 'directory', 'economy', 'migrations', 'notice_state')
 order by c.relname
"""

_OTHERS = """
select count(*)
  from pg_stat_activity
 where datname = current_database() and pid <> pg_backend_pid()
   and backend_type = 'client backend'
"""

_LEAVING_S: Final = 3.0
_LOOK_S: Final = 0.1


def server_major(url: str) -> int:
    """Tell the server's major version."""
    with connected(url) as connection:
        return connection.info.server_version // 10000


def require_room(url: str, *, replace: bool) -> int:
    """Refuse to restore over books in use, or over any without ``replace``; returns the major.

    Books that were migrated and never used count as none.
    """
    with connected(url) as connection:
        if others := _others(connection):
            raise Rejected(
                "database_in_use",
                f"{others} other connections use the database: stop what uses it, then restore",
                connections=others,
            )
        if not replace:
            for (name,) in connection.execute(_TABLES).fetchall():
                any_row = sql.SQL("select 1 from {} limit 1").format(sql.Identifier("bursar", name))
                if connection.execute(any_row).fetchone():
                    raise Rejected(
                        "database_not_empty",
                        f"there are books in the database already (bursar.{name} has rows): "
                        "restore into an empty one, or replace them with --replace",
                        table=name,
                    )
        return connection.info.server_version // 10000


def _others(connection: psycopg.Connection) -> int:
    """Count who else is connected; who has just hung up, as we have, is counted a little longer."""
    until = time.monotonic() + _LEAVING_S
    while True:
        [[others]] = connection.execute(_OTHERS).fetchall()
        if not others or time.monotonic() > until:
            return int(others)
        time.sleep(_LOOK_S)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """Connect for a question or two."""
    try:
        with psycopg.connect(url, autocommit=True, application_name="bursar backup") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise Unavailable(
            "database_unavailable", f"the database did not answer: {str(error).strip()}"
        ) from error

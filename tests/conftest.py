"""Fixtures on real PostgreSQL: a throw-away server a session, a fresh database a test.

`BURSAR_TEST_POSTGRES_BIN` chooses the PostgreSQL; without it the wheel's is used.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
import structlog

from bursar.access import lease, limiter
from bursar.platform.migrations import migrate
from bursar.platform.postgres import Server, stop
from tests.support import postgres
from tests.support.postgres import database_url

_TEMPLATE = "bursar_template"


@dataclass(frozen=True, slots=True)
class Database:
    """A database of its own: ``owner_url`` may migrate it, ``url`` is the service's role."""

    name: str
    owner_url: str
    url: str


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A durable server of its own, with the same two URLs; it may be crashed and restarted."""

    data_dir: Path
    owner_url: str
    url: str

    def crash(self) -> None:
        """End it where it stands: the next start recovers from the write-ahead log."""
        stop(self.data_dir, mode="immediate")

    def restart(self) -> None:
        """Start it again; the URLs stay."""
        postgres.start(self.data_dir, postgres.SMALL)


@pytest.fixture(autouse=True)
def logs_as_they_are() -> Iterator[None]:
    """Take back how a command that ran in this process has set up its logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def signals_as_on_a_terminal() -> Iterator[None]:
    """Have what a test starts hear SIGINT and SIGHUP, whatever has started the tests.

    A shell's background job and ``nohup`` ignore them, and so would every process after that. The
    tests' own process goes on ignoring them: a handler of Python's is not inherited. One of xdist's
    ignores SIGINT in the end, too: it is interrupted if it takes more than 5 s to go, and goes.
    """
    ignored = [
        number
        for number in (signal.SIGINT, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    leaves = [signal.SIGINT] if "PYTEST_XDIST_WORKER" in os.environ else []
    for number in ignored + leaves:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Wait longer for the database than for a caller: a test's machine may stand still for long."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (lease, limiter):
            patch.setattr(module, "_PATIENCE_S", 60.0)
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The session's server, not durable."""
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as started:
        yield started


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[psycopg.Connection]:
    """A connection outside every test's database, to create and drop them."""
    url = database_url(server.owner_url, "postgres")
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@pytest.fixture(scope="session")
def migrated(server: Server, admin: psycopg.Connection) -> str:
    """A migrated database to copy, so that a test need not run every migration."""
    admin.execute(f"create database {_TEMPLATE}")
    migrate(database_url(server.owner_url, _TEMPLATE))
    admin.execute(f"alter database {_TEMPLATE} allow_connections false")
    return _TEMPLATE


@pytest.fixture
def database(server: Server, admin: psycopg.Connection, migrated: str) -> Iterator[Database]:
    """A migrated database, dropped afterwards together with whoever is still connected."""
    with _database(server, admin, migrated) as made:
        yield made


@pytest.fixture
def empty_database(server: Server, admin: psycopg.Connection) -> Iterator[Database]:
    """A database that no migration has touched."""
    with _database(server, admin, "template0") as made:
        yield made


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """A migrated server for faults: fsync is on, and the test may crash and restart it."""
    with postgres.server_in_temporary_directory(postgres.SMALL) as started:
        migrate(started.owner_url)
        yield OwnServer(started.data_dir, started.owner_url, started.service_url)


_numbers = count(1)


@contextmanager
def _database(server: Server, admin: psycopg.Connection, template: str) -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
    admin.execute(f"create database {name} template {template}")
    try:
        owner_url = database_url(server.owner_url, name)
        yield Database(name, owner_url, database_url(server.service_url, name))
    finally:
        admin.execute(f"drop database {name} with (force)")

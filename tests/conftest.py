"""Fixtures on real PostgreSQL: a throw-away server a session, a fresh database a test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from bursar.platform import postgres

_SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "60",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of its own: ``owner_url`` may migrate it, ``url`` is the service's role."""

    owner_url: str
    url: str


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """The session's server, not durable."""
    memory = Path("/dev/shm")  # noqa: S108
    where = memory if os.access(memory, os.W_OK) else None
    base = Path(tempfile.mkdtemp(prefix="bursar-", dir=where))
    base.chmod(0o711)
    try:
        yield postgres.start(base / "data", settings=_SETTINGS, wait_s=120)
    finally:
        postgres.stop(base / "data")
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    """A migrated database to copy."""
    with psycopg.connect(_to(server.owner_url, "postgres"), autocommit=True) as conn:
        conn.execute("create database bursar_template")
    schema = files("bursar.platform").joinpath("migrations/0001_ledger.sql").read_text()
    with psycopg.connect(_to(server.owner_url, "bursar_template")) as conn:
        conn.execute("create schema if not exists bursar")
        conn.execute(schema)
    return "bursar_template"


@pytest.fixture
def database(server: postgres.Server, template: str) -> Iterator[Database]:
    """A migrated database, dropped afterwards together with whoever is still connected."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(_to(server.owner_url, "postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
        try:
            yield Database(_to(server.owner_url, name), _to(server.service_url, name))
        finally:
            conn.execute(f"drop database {name} with (force)")


def _to(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()

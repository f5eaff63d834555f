"""A fresh database for each test, on the server of BURSAR_TEST_SERVER (a superuser's URL)."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files

import msgspec
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bursar.ledger.service import Ledger
from bursar.platform.database import Database


class Urls(msgspec.Struct, frozen=True):
    """Where a test's database is: as the service sees it, and as its owner does."""

    url: str
    owner_url: str


@pytest.fixture(scope="session")
def server() -> str:
    url = os.environ.get("BURSAR_TEST_SERVER")
    if not url:
        pytest.skip("BURSAR_TEST_SERVER is not set")
    return url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    name = f"bursar_template_{secrets.token_hex(4)}"
    schema = files("bursar.platform.migrations").joinpath("0001_ledger.sql").read_text("utf-8")
    with psycopg.connect(server, autocommit=True) as connection:
        if not connection.execute(
            "select 1 from pg_roles where rolname = 'bursar_service'"
        ).fetchone():
            connection.execute("create role bursar_service login")
        connection.execute(f"create database {name}")
        with psycopg.connect(make_conninfo(server, dbname=name), autocommit=True) as inside:
            inside.execute("create schema bursar")
            inside.execute(schema)
        yield name
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def database(server: str, template: str) -> Iterator[Urls]:
    name = f"bursar_test_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield Urls(
            make_conninfo(server, dbname=name, user="bursar_service"),
            make_conninfo(server, dbname=name),
        )
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
async def ledger(database: Urls) -> AsyncIterator[Ledger]:
    opened = Database(database.url)
    await opened.open()
    async with Ledger(opened) as ledger:
        yield ledger

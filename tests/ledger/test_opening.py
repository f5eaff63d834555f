"""`Ledger.open`: from a name to a ledger that may be used (O1, O3, L5)."""

from pathlib import Path

import psycopg
import pytest

from bursar.ledger import Credit, Ledger
from bursar.platform.errors import Rejected, Unavailable
from bursar.platform.migrations import SHIPPED
from bursar.platform.settings import Settings
from tests.conftest import Database

SETTINGS = Settings(data_dir=Path("/nowhere/data"))


def _economy(database: Database) -> tuple[int, int]:
    with psycopg.connect(database.owner_url) as connection:
        [row] = connection.execute("select epoch, system_identifier from bursar.economy")
        return row


async def test_a_ledger_is_opened_by_address_and_used(database: Database) -> None:
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        grant = Credit(holder="maria", asset="coins", reference="welcome", amount=50)
        [result] = await ledger.post([grant], actor="shop", reason="first visit")
        assert result.unwrap().balance == 50
        assert await ledger.holders([1, 2]) == {1: "maria"}


async def test_entries_are_sealed_as_the_settings_say(database: Database) -> None:
    keyed = Settings(data_dir=Path("/d"), checksum_key=bytes(32), checksum_key_id=7)
    async with await Ledger.open(database.url, settings=keyed) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        grant = Credit(holder="maria", asset="coins", reference="welcome", amount=50)
        [result] = await ledger.post([grant], actor="shop", reason="first visit")
        assert result.unwrap().key_id == 7


async def test_the_first_opening_on_another_server_begins_an_epoch(database: Database) -> None:
    for _ in range(2):
        async with await Ledger.open(database.url, settings=SETTINGS):
            pass
    epoch, identifier = _economy(database)
    assert epoch == 1
    assert identifier != 0
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("update bursar.economy set system_identifier = 7")
    for _ in range(2):
        async with await Ledger.open(database.url, settings=SETTINGS):
            pass
    assert _economy(database) == (2, identifier)


async def test_a_server_that_does_not_answer_is_unavailable_at_once() -> None:
    with pytest.raises(Unavailable) as caught:
        await Ledger.open("postgresql://u:hidden@127.0.0.1:1/d", settings=SETTINGS)
    assert caught.value.code == "database_unavailable"
    assert "hidden" not in caught.value.message


async def test_a_database_in_another_encoding_is_refused(
    database: Database, admin: psycopg.Connection
) -> None:
    newest = SHIPPED.latest
    admin.execute(f"create database {database.name}_l template template0 encoding 'LATIN1'")
    url = database.owner_url.replace(f"/{database.name}", f"/{database.name}_l")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create schema bursar")
            connection.execute(
                "create table bursar.migrations as"
                f" select {newest} as number, 0 as serves_from, '' as name, '' as checksum"
            )
            connection.execute(
                "create table bursar.economy as select 1 as epoch, 0::bigint as system_identifier"
            )
            connection.execute("grant usage on schema bursar to bursar_service")
            connection.execute("grant select on all tables in schema bursar to bursar_service")
        with pytest.raises(Rejected) as caught:
            await Ledger.open(url, settings=SETTINGS)
        assert caught.value.code == "database_not_utf8"
    finally:
        admin.execute(f"drop database {database.name}_l with (force)")

"""An address of several servers, and a schema that another release has moved (O1, O3)."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bursar.ledger import Credit, Ledger
from bursar.platform.database import Database as Pool
from bursar.platform.errors import Rejected, Unavailable
from bursar.platform.migrations import SHIPPED, require_schema
from bursar.platform.settings import Settings
from tests.conftest import Database, OwnServer
from tests.support.assets import put_asset

SETTINGS = Settings(data_dir=Path("/nowhere/data"))


def _with_a_dead_server_first(url: str) -> str:
    parts = conninfo_to_dict(url)
    hosts = f"127.0.0.1,{parts['host']}"
    ports = f"1,{parts.get('port') or 5432}"
    return make_conninfo(**parts | {"host": hosts, "port": ports})


async def test_a_server_that_is_down_is_passed_over(database: Database) -> None:
    url = make_conninfo(_with_a_dead_server_first(database.url), target_session_attrs="read-write")
    async with await Ledger.open(url, settings=SETTINGS) as ledger:
        put_asset(database.owner_url)
        credit = Credit(holder="ada", asset="coins", amount=1, reference="1")
        assert (await ledger.submit(credit, actor="a", reason="r")).unwrap().balance == 1


async def test_a_server_that_only_reads_is_no_place_for_books(database: Database) -> None:
    """As a replica before it is promoted: libpq asks the server itself."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(f"alter database {database.name} set default_transaction_read_only = on")
    url = make_conninfo(database.url, target_session_attrs="read-write")
    with pytest.raises(Unavailable) as caught:
        await Ledger.open(url, settings=SETTINGS)
    assert caught.value.code == "database_unavailable"


@pytest.mark.slow
async def test_a_ledger_goes_on_when_its_server_is_back(own_server: OwnServer) -> None:
    credit = Credit(holder="ada", asset="coins", amount=1, reference="1")
    url = _with_a_dead_server_first(own_server.url)
    async with await Ledger.open(url, settings=SETTINGS) as ledger:
        put_asset(own_server.owner_url)
        (await ledger.submit(credit, actor="a", reason="r")).unwrap()
        own_server.crash()
        own_server.restart()
        answers = []
        for _ in range(3):  # connections that died with it may be met once
            try:
                answers.append((await ledger.submit(credit, actor="a", reason="r")).status)
                break
            except Unavailable:
                continue
        assert answers == ["replayed"]
        assert (await ledger.verify()).ok


def _applied_by_a_newer_release(database: Database, serves_from: int) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            "insert into bursar.migrations (number, serves_from, name, checksum)"
            " values (%s, %s, 'later', '')",
            (SHIPPED.latest + 1, serves_from),
        )


async def test_a_process_goes_on_and_opens_anew_one_release_behind(database: Database) -> None:
    """A rolling upgrade: the schema moves under a process of the release before."""
    async with await Ledger.open(database.url, settings=SETTINGS) as running:
        put_asset(database.owner_url)
        _applied_by_a_newer_release(database, SHIPPED.latest)
        for reference, ledger in (("1", running), ("2", await _opened(database))):
            credit = Credit(holder="ada", asset="coins", amount=1, reference=reference)
            (await ledger.submit(credit, actor="a", reason="r")).unwrap()
            assert (await ledger.verify()).ok
            await ledger.close()
    assert require_schema(database.url) == SHIPPED.latest + 1


async def test_a_process_two_releases_behind_is_refused(database: Database) -> None:
    _applied_by_a_newer_release(database, SHIPPED.latest + 1)
    with pytest.raises(Rejected) as caught:
        await Ledger.open(database.url, settings=SETTINGS)
    assert caught.value.code == "schema_newer"


async def test_a_process_that_comes_before_the_migration_is_refused(database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("delete from bursar.migrations where number = %s", (SHIPPED.latest,))
    with pytest.raises(Unavailable) as caught:
        await Ledger.open(database.url, settings=SETTINGS)
    assert caught.value.code == "schema_behind"


async def _opened(database: Database) -> Ledger:
    return await Ledger.open(database.url, settings=SETTINGS)


async def test_a_connection_that_the_server_has_closed_is_not_lent(database: Database) -> None:
    """Its last word may be there before its end is: both have to be read to know."""
    pool = Pool(database.url, max_connections=3)
    await pool.open()
    try:
        async with pool.connection() as one, pool.connection() as two:
            pids = [one.info.backend_pid, two.info.backend_pid]
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            for pid in pids:
                owner.execute("select pg_terminate_backend(%s, 10000)", (pid,))
        async with pool.connection() as lent:
            [row] = await (await lent.execute("select 1")).fetchall()
        assert row == (1,)
    finally:
        await pool.close()

"""The harness itself: what the fixtures promise to every other test."""

import psycopg
import pytest

from tests.conftest import Database, OwnServer


async def test_a_test_reaches_its_database_as_the_service_and_asynchronously(
    database: Database,
) -> None:
    async with await psycopg.AsyncConnection.connect(database.url) as conn:
        cursor = await conn.execute("select current_user, session_user")
        assert await cursor.fetchone() == ("bursar_service", "bursar_service")


@pytest.mark.parametrize("time", ["first", "second"])
def test_what_one_test_writes_another_does_not_see(time: str, database: Database) -> None:
    with psycopg.connect(database.url) as conn:
        conn.execute("insert into bursar.holder_ids (external_id) values ('same')")


@pytest.mark.slow
def test_an_own_server_keeps_what_was_committed_through_a_crash(own_server: OwnServer) -> None:
    with psycopg.connect(own_server.url) as conn:
        [(fsync,)] = conn.execute("select current_setting('fsync')")
        assert fsync == "on"
        conn.execute("insert into bursar.holder_ids (external_id) values ('kept')")
    own_server.crash()
    own_server.restart()
    with psycopg.connect(own_server.url) as conn:
        assert conn.execute("select external_id from bursar.holder_ids").fetchall() == [("kept",)]

"""One worker or two: stopped, bereft of the database, killed at work, side by side (P7)."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest

from bursar.platform.database import Database
from bursar.platform.errors import Unavailable
from tests.faults import economy
from tests.faults.crew import Crew, Hand, wait_for

PEOPLE = 1_000
CHUNK = 50

_STUCK = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
_CHUNKS = "select count(*) from bursar.run_chunks where done_at is not null"
_ENTRIES = "select count(*) from bursar.entries"
_AWARDED = "select coalesce(sum(awarded), 0) from bursar.run_chunks"
_DONE = """
select count(*) > 0 and bool_and(r.state = 'finished')
   and (select p.paid_until > bursar.now() from bursar.programs p where p.name = 'daily')
   and (select max(s.last_day) >= bursar.now()::date - 1 from bursar.program_streaks s)
   and not exists (select from bursar.program_cycles c where c.look_at <= bursar.now())
  from bursar.runs r
"""


def value(url: str, query: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        [(answer,)] = connection.execute(query).fetchall()  # type: ignore[arg-type]
        return answer


def begin(server: Any) -> None:
    """Found the economy, and go on to a day on which there is work."""
    with psycopg.connect(server.owner_url, autocommit=True) as owner:
        economy.found(owner, server.url, PEOPLE)
        economy.set_clock(owner, 1)


def right(server: Any, day: int) -> bool:
    with psycopg.connect(server.owner_url, autocommit=True) as owner:
        return economy.differences(owner, economy.History(people=PEOPLE, last=day)) == {}


@contextmanager
def stuck(server: Any, crew: Crew, hands: int) -> Iterator[list[Hand]]:
    """Start workers and hold each, in the block, at a chunk that it has decided and must write."""
    with psycopg.connect(server.owner_url) as holding:
        holding.execute("lock table bursar.wallets in share mode")
        started = [crew.start() for _ in range(hands)]
        lanes = hands * crew.lanes
        wait_for(lambda: value(server.owner_url, _STUCK) == lanes, "chunks under way")
        yield started


def test_sigterm_lets_the_chunk_under_way_finish_and_no_other_begin(database: Any) -> None:
    begin(database)
    with Crew(database.url, chunk=CHUNK, lanes=1) as crew:
        with stuck(database, crew, 1) as [hand]:
            hand.terminate()
            assert hand.alive
        assert hand.ended() == 0
        assert hand.chunks() == 1
    assert value(database.owner_url, _CHUNKS) == 1
    entries = value(database.owner_url, _ENTRIES)
    assert entries == value(database.owner_url, _AWARDED)
    assert entries > 0


def test_two_workers_share_the_chunks_of_one_run(database: Any) -> None:
    begin(database)
    with Crew(database.url, chunk=CHUNK, lanes=1) as crew:
        with stuck(database, crew, 2) as hands:
            assert value(database.owner_url, _CHUNKS) == 0
        wait_for(lambda: value(database.owner_url, _DONE), "all work done")
        crew.stop_all()
        assert min(hand.chunks() for hand in hands) > 0
        assert sum(hand.chunks() for hand in hands) == value(database.owner_url, _CHUNKS)
    assert right(database, 1)


def test_the_chunk_of_a_killed_worker_is_done_by_another(database: Any) -> None:
    begin(database)
    with Crew(database.url, chunk=CHUNK, lanes=1) as crew:
        with stuck(database, crew, 1) as [hand]:
            crew.kill(hand)
        assert value(database.owner_url, _ENTRIES) == 0
        crew.start()
        wait_for(lambda: value(database.owner_url, _DONE), "all work done")
        crew.stop_all()
    assert right(database, 1)


async def test_who_sleeps_too_long_in_a_transaction_is_told_that_the_database_was_away(
    database: Any,
) -> None:
    """A machine that was suspended, say: the server has ended the session meanwhile."""
    opened = Database(database.url, max_connections=1)
    await opened.open()
    try:
        with pytest.raises(Unavailable):  # noqa: PT012 - the block is what fails
            async with opened.transaction() as connection:
                await connection.execute("set local idle_in_transaction_session_timeout = '1ms'")
                backend = connection.info.backend_pid
                gone = f"select not exists (select from pg_stat_activity where pid = {backend})"
                wait_for(lambda: value(database.owner_url, gone), "the end of the session")
                await connection.execute("select 1")
    finally:
        await opened.close()


@pytest.mark.slow
def test_a_worker_whose_database_goes_away_waits_and_goes_on_by_itself(own_server: Any) -> None:
    begin(own_server)
    with Crew(own_server.url, chunk=CHUNK) as crew:
        with suppress(psycopg.OperationalError), stuck(own_server, crew, 1) as [hand]:
            own_server.crash()
        assert hand.alive
        own_server.restart()
        wait_for(lambda: value(own_server.owner_url, _DONE), "all work done")
        with psycopg.connect(own_server.owner_url, autocommit=True) as owner:
            economy.set_clock(owner, 2)
        wait_for(lambda: value(own_server.owner_url, _DONE), "the next day's work done")
        assert crew.hands == [hand]
        crew.stop_all()
    assert right(own_server, 2)

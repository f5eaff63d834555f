"""The limiter in several processes on one database (I2)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import psycopg
import pytest

from bursar.access import Limiter
from bursar.access.window import WINDOW_S
from bursar.platform.database import Database
from bursar.platform.errors import Invalid, Unavailable


@pytest.fixture
async def limiter(pool, clock) -> AsyncIterator[Limiter]:
    made = Limiter(pool, clock=clock)
    yield made
    await made.close()


@pytest.fixture
async def second(pool, clock) -> AsyncIterator[Limiter]:
    """The limiter of another process."""
    made = Limiter(pool, clock=clock)
    yield made
    await made.close()


def let_time_pass(database, clock, seconds: int) -> None:
    """In the database whatever was given was given earlier; in the processes it is later."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("update bursar.rates set second = second - %s", (seconds,))
    clock.at += seconds


def given_in_all(database) -> int:
    with psycopg.connect(database.owner_url) as owner:
        rows = owner.execute("select given from bursar.rates").fetchall()
    return sum(int.from_bytes(row[0][n : n + 4], "big") for row in rows for n in range(0, 244, 4))


async def test_a_limit_is_had_and_no_more(limiter):
    answers = [await limiter.take("holder:ada", 5) for _ in range(7)]
    assert [a.allowed for a in answers] == [True] * 5 + [False] * 2
    assert [a.remaining for a in answers] == [4, 3, 2, 1, 0, 0, 0]
    assert {a.limit for a in answers} == {5}
    assert all(0 < a.reset_s <= WINDOW_S + 1 for a in answers)


async def test_two_processes_share_a_small_limit_exactly(limiter, second):
    asked = [one.take("holder:ada", 50) for _ in range(100) for one in (limiter, second)]
    answers = await asyncio.gather(*asked)
    assert sum(a.allowed for a in answers) == 50


async def test_subjects_do_not_touch_each_other(limiter, second):
    asked = [one.take(f"holder:{n}", 2) for n in range(200) for one in (limiter, second, limiter)]
    answers = await asyncio.gather(*asked)
    assert sum(a.allowed for a in answers) == 400


async def test_after_a_minute_it_may_be_had_again(limiter, database, clock):
    for _ in range(3):
        await limiter.take("key:7", 3)
    assert not (await limiter.take("key:7", 3)).allowed
    let_time_pass(database, clock, WINDOW_S + 1)
    assert (await limiter.take("key:7", 3)).allowed


async def test_who_is_refused_is_not_asked_about_until_there_may_be_more(
    limiter, database, clock, monkeypatch
):
    assert (await limiter.take("key:7", 1)).allowed
    first = await limiter.take("key:7", 1)
    statements = []
    ask = limiter._ask
    monkeypatch.setattr(limiter, "_ask", lambda groups: statements.append(1) or ask(groups))
    clock.at += 10
    later = await limiter.take("key:7", 1)
    assert (later.allowed, statements) == (False, [])
    assert later.reset_s == pytest.approx(first.reset_s - 10)
    clock.at += first.reset_s - 10
    assert not (await limiter.take("key:7", 1)).allowed  # the database's minute is not over
    assert statements == [1]


async def test_a_large_limit_is_taken_in_portions(limiter, database, monkeypatch):
    statements = []
    ask = limiter._ask
    monkeypatch.setattr(limiter, "_ask", lambda groups: statements.append(1) or ask(groups))
    for _ in range(1000):
        assert (await limiter.take("key:1", 600_000)).allowed
    assert len(statements) == 1
    assert given_in_all(database) == 1000
    assert (await limiter.take("key:1", 600_000)).remaining == 600_000 - 1001


async def test_what_is_left_of_a_portion_is_given_back_when_more_is_asked(limiter, database):
    for _ in range(3):
        assert (await limiter.take("key:1", 600_000, 700)).allowed
    assert given_in_all(database) == 2400  # 2100, and the rest of the last portion


async def test_a_portion_does_not_outlive_its_second(limiter, database, clock):
    await limiter.take("key:1", 6000)
    assert given_in_all(database) == 10
    clock.at += 1
    await limiter.take("key:1", 6000)
    assert given_in_all(database) == 11  # nine were given back, ten taken


async def test_processes_share_a_large_limit_up_to_their_portions(limiter, second):
    asked = [one.take("key:1", 6000, 7) for _ in range(600) for one in (limiter, second)]
    allowed = 7 * sum(a.allowed for a in await asyncio.gather(*asked))
    assert 6000 - 2 * 10 < allowed <= 6000


async def test_another_limit_for_the_same_subject_counts_what_was_given(limiter):
    for _ in range(3):
        await limiter.take("key:1", 10)
    assert (await limiter.take("key:1", 4)).remaining == 0
    assert not (await limiter.take("key:1", 4)).allowed
    assert (await limiter.take("key:1", 10)).remaining == 5


@pytest.mark.parametrize(
    ("rate", "cost"), [(5, 6), (5, 0), (5, -1), (0, 1), (100_000_001, 1), (5, True), (1.5, 1)]
)
async def test_what_could_never_be_had_is_invalid(limiter, database, rate, cost):
    with pytest.raises(Invalid) as caught:
        await limiter.take("key:1", rate, cost)
    assert caught.value.code == "rate_cost"
    assert given_in_all(database) == 0


async def test_only_the_hash_of_a_subject_is_kept(limiter, database):
    await limiter.take("holder:ada@example.org", 5)
    with psycopg.connect(database.owner_url) as owner:
        rows = owner.execute("select subject from bursar.rates").fetchall()
    assert rows == [(hashlib.sha256(b"holder:ada@example.org").digest(),)]


async def test_whose_minutes_are_over_is_forgotten(limiter, second, database, clock):
    sweeper = Limiter(limiter._database, clock=clock)
    await sweeper.take("key:1", 5)
    let_time_pass(database, clock, 180)
    await sweeper.take("key:2", 5)
    await sweeper.close()
    with psycopg.connect(database.owner_url) as owner:
        assert owner.execute("select count(*) from bursar.rates").fetchone() == (1,)
    answers = await asyncio.gather(*(one.take("key:1", 5) for one in [limiter, second] * 5))
    assert sum(a.allowed for a in answers) == 5


async def test_who_goes_away_leaves_the_others_their_answers(limiter):
    impatient = asyncio.create_task(limiter.take("key:1", 5))
    await asyncio.sleep(0)
    impatient.cancel()
    answers = await asyncio.gather(*(limiter.take("key:1", 5) for _ in range(10)))
    assert sum(a.allowed for a in answers) in (4, 5)


@pytest.mark.slow
async def test_a_crash_of_the_database_forgets_rates_and_nothing_else(own_server, clock):
    pool = Database(own_server.url, max_connections=4)
    await pool.open()
    limiter = Limiter(pool, clock=clock)
    for _ in range(2):
        await limiter.take("key:1", 2)
    await asyncio.to_thread(own_server.crash)
    with pytest.raises(Unavailable):
        await limiter.take("key:2", 2)
    await asyncio.to_thread(own_server.restart)
    assert (await limiter.take("key:1", 3)).allowed
    await limiter.close()
    await pool.close()

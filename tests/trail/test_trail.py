"""The audit trail: written with the act or not at all, kept for good (I2)."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from bursar.platform.database import Database
from bursar.platform.errors import Invalid
from bursar.platform.voice import person_of
from bursar.trail import Trail, Wanted, record


@pytest.fixture
async def pool(database) -> AsyncIterator[Database]:
    opened = Database(database.url, max_connections=2)
    await opened.open()
    yield opened
    await opened.close()


async def do(pool: Database, act: str, subject: str, actor: str = "cli:ada", **change) -> None:
    async with pool.transaction() as connection:
        await record(connection, actor=actor, act=act, subject=subject, reason="because", **change)


async def test_an_act_is_read_as_it_was_written(pool):
    await do(pool, "run.pause", "run_7", before={"state": "running"}, after={"state": "paused"})
    [act] = (await Trail(pool).acts()).items
    assert (act.actor, act.act, act.subject, act.reason) == (
        "cli:ada", "run.pause", "run_7", "because",
    )  # fmt: skip
    assert (act.before, act.after) == ({"state": "running"}, {"state": "paused"})


async def test_an_act_that_did_not_happen_left_no_trace(pool):
    async def fail_after_it() -> None:
        async with pool.transaction() as connection:
            await record(connection, actor="cli:ada", act="run.pause", subject="run_7", reason="r")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_it()
    assert (await Trail(pool).acts()).items == ()


async def test_acts_come_newest_first_page_by_page(pool):
    for n in range(5):
        await do(pool, "run.pause", f"run_{n}")
    trail = Trail(pool)
    first = await trail.acts(limit=2)
    second = await trail.acts(limit=2, cursor=first.cursor)
    last = await trail.acts(limit=2, cursor=second.cursor)
    shown = [a.subject for page in (first, second, last) for a in page.items]
    assert shown == ["run_4", "run_3", "run_2", "run_1", "run_0"]
    assert last.cursor is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(actor="api:bob"), ["key_1"]),
        (Wanted(act="run.pause"), ["run_1"]),
        (Wanted(act="run.*"), ["run_1", "run_1"]),
        (Wanted(subject="run_1"), ["run_1", "run_1"]),
        (Wanted(act="ru.*"), []),
    ],
)
async def test_acts_are_found_by_who_what_and_whom(pool, wanted, found):
    await do(pool, "run.pause", "run_1")
    await do(pool, "run.resume", "run_1")
    await do(pool, "key.revoke", "key_1", actor="api:bob")
    assert [a.subject for a in (await Trail(pool).acts(wanted)).items] == found


@pytest.mark.parametrize("change", ["update bursar.acts set actor = 'eve'",
                                    "delete from bursar.acts", "truncate bursar.acts"])  # fmt: skip
async def test_the_database_refuses_to_change_what_is_written(pool, database, change):
    await do(pool, "run.pause", "run_1")
    for url in (database.url, database.owner_url):
        with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.Error):
            connection.execute(change)
    assert [a.actor for a in (await Trail(pool).acts()).items] == ["cli:ada"]


async def test_who_or_why_may_not_be_missing(pool):
    async with pool.connection() as connection:
        with pytest.raises(Invalid) as refused:
            await record(connection, actor="", act="run.pause", subject="run_1", reason="r")
    assert refused.value.code == "posting_voice"


async def test_a_cursor_that_no_page_gave_is_refused(pool):
    with pytest.raises(Invalid) as refused:
        await Trail(pool).acts(cursor="x")
    assert refused.value.code == "cursor"


def test_two_doors_do_not_make_two_persons():
    assert person_of("cli:ada") == person_of("api:ada") == person_of("console:ada") == "ada"
    assert person_of("shop:ada") == "shop:ada"
    assert person_of("ada") == "ada"
    assert person_of("api:") == "api:"


@pytest.mark.parametrize(
    "alias",
    [
        "api:Zo\u00eb",
        "api:ZOE\u0308",
        "api:\uff3ao\u00eb",
        "cli:api:zo\u00eb",
        "cli: zo\u00eb",
        "CLI:zo\u00eb",
    ],
)
def test_another_spelling_of_a_name_is_no_second_person(alias: str):
    assert person_of(alias) == person_of("cli:zo\u00eb") == "zo\u00eb"

"""Behind a pooler in transaction mode: what has to be set, and that everything works there (O1)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Credit, Ledger, Posted
from bursar.ledger.commands import Capture, Debit, PlaceHold, Transfer
from bursar.platform.database import Connection, pooled_settings
from bursar.platform.database import Database as Pool
from bursar.platform.errors import Invalid, Rejected
from bursar.platform.migrations import pending, require_schema, schema_version
from bursar.platform.place import find, reach_owner
from bursar.platform.postgres import Server
from bursar.platform.settings import Settings
from tests.conftest import Database
from tests.support.assets import put_asset
from tests.support.pooler import PROGRAM, Pooler, pooler_before
from tests.support.postgres import role_url

ROLE = "pooled_app"
PASSWORD = "pooled"

ECONOMY = """
[economy]
name = "pooled"
time_zone = "UTC"
[assets.coins]
scale = 0
[programs.monthly]
asset = "coins"
starts = 2026-01-01
schedule = { every = "month", day = 1, at = "00:00" }
amount = 100
"""

_SESSION = """
    select current_setting('search_path'), current_setting('work_mem'),
           current_setting('statement_timeout'), current_setting('enable_nestloop'),
           (select count(*) from pg_prepared_statements),
           (select count(*) from pg_locks where locktype = 'advisory')
"""

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer on this machine")


@pytest.fixture
def login(admin: psycopg.Connection, database: Database) -> Iterator[str]:
    """A role of the application's own, which may do what the service may; without settings."""
    admin.execute(f"create role {ROLE} login password '{PASSWORD}' in role bursar_service")
    yield ROLE
    admin.execute(f"drop role {ROLE}")


@pytest.fixture
def pooler(server: Server, login: str) -> Iterator[Pooler]:
    owner, service = urlsplit(server.owner_url), urlsplit(server.service_url)
    users = {str(who.username): str(who.password) for who in (owner, service)}
    with pooler_before(server, users | {login: PASSWORD}) as running:
        yield running


@pytest.fixture
def pooled(pooler: Pooler, login: str, database: Database) -> Settings:
    """Settings that lead through the pooler, with everything the documentation asks for."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(pooled_settings(login, database.name))
    return _settings(pooler.url(login, database.name), database.owner_url)


def _settings(url: str, owner_url: str | None = None) -> Settings:
    return Settings(
        data_dir=Path("/nowhere/data"), database_url=url, database_owner_url=owner_url, pooler=True
    )


async def test_a_role_without_the_settings_is_refused_and_the_error_mends_it(
    database: Database, login: str
) -> None:
    """Looked at without a pooler: it asks for what a session has from the beginning."""
    settings = _settings(role_url(database.url, login, PASSWORD))
    with pytest.raises(Rejected) as caught:
        await Ledger.open(settings=settings)
    assert caught.value.code == "pooler_settings"
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(str(caught.value.fields["sql"]))
    async with await Ledger.open(settings=settings) as ledger:
        assert await ledger.assets() == []
        async with ledger.database.connection() as connection:
            row = await (await connection.execute("select session_user, current_user")).fetchone()
    assert row == (login, "bursar_service")


@pytest.mark.parametrize("setting", ["role", "plan_cache_mode", "lock_timeout", "timezone"])
async def test_each_setting_that_is_missing_is_noticed(
    database: Database, login: str, setting: str
) -> None:
    wrong = {"role": "none", "plan_cache_mode": "auto", "lock_timeout": "0", "timezone": "Japan"}
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(pooled_settings(login, database.name))
        owner.execute(
            f"alter role {login} in database {database.name} set {setting} = '{wrong[setting]}'"
        )
    with pytest.raises(Rejected) as caught:
        await Pool(role_url(database.url, login, PASSWORD), pooled=True).open()
    assert caught.value.code == "pooler_settings"


async def test_an_operator_may_choose_other_timeouts(database: Database, login: str) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(pooled_settings(login, database.name))
        owner.execute(f"alter role {login} in database {database.name} set lock_timeout = '5s'")
    pool = Pool(role_url(database.url, login, PASSWORD), pooled=True)
    await pool.open()
    await pool.close()


def test_only_the_address_of_the_settings_is_the_poolers() -> None:
    settings = _settings("dbname=through", "dbname=direct")
    assert find(None, settings).pooled
    assert find("dbname=through", settings).pooled
    assert not find("dbname=other", settings).pooled


def test_what_needs_a_session_of_its_own_is_refused_without_a_direct_address() -> None:
    with pytest.raises(Invalid, match="BURSAR_DATABASE_OWNER_URL"):
        reach_owner(find(None, _settings("dbname=through")))
    both = reach_owner(find(None, _settings("dbname=through", "dbname=direct")))
    assert ("direct" in both.owner_url, "through" in both.url) == (True, True)


@needs_pgbouncer
async def test_the_ledger_works_through_it_from_two_processes_at_once(pooled: Settings) -> None:
    """Sixteen clients share three sessions: what one left behind another would trip over."""
    people = [f"p{number}" for number in range(20)]
    async with (
        await Ledger.open(settings=pooled) as one,
        await Ledger.open(settings=pooled) as two,
    ):
        put_asset(str(pooled.database_owner_url))

        async def live(name: str, number: int) -> None:
            here, there = (one, two) if number % 2 else (two, one)
            story = [
                Credit(holder=name, asset="coins", amount=1000, reference="in"),
                PlaceHold(holder=name, asset="coins", amount=300, reference="stake"),
                Capture(holder=name, asset="coins", hold="stake", amount=200, reference="lost"),
                Debit(holder=name, asset="coins", amount=50, reference="out"),
            ]
            for command in story:
                (await here.submit(command, actor="a", reason="r")).unwrap()
                again = await there.submit(command, actor="a", reason="r")
                assert again.status == "replayed"
            gift = Transfer(holder=name, asset="coins", amount=10, reference="gift", to="pot")
            (await there.submit(gift, actor="a", reason="r")).unwrap()

        await asyncio.gather(*(live(name, number) for number, name in enumerate(people)))
        assert {(await one.wallet(name, "coins")).balance for name in people} == {740}
        assert (await two.wallet("pot", "coins")).balance == 200
        followed: list[str] = []

        async def note(found: list[Posted], _: Connection) -> None:
            followed.extend(entry.reference for posted in found for entry in posted.entries)

        while await one.follow("notices", note):
            pass
        assert len(followed) == 6 * len(people)
        exported: list[str] = []
        await two.export("csv", exported.append)
        assert sum(part.count("\n") for part in exported) >= 6 * len(people)
        report = await one.verify()
        assert (report.ok, report.entries) == (True, 6 * len(people))


@needs_pgbouncer
async def test_programs_pay_everybody_once_through_it(pooled: Settings, tmp_path: Path) -> None:
    from bursar.economy.service import EconomyService
    from bursar.holders.importing.import_plan import ImportPlan
    from bursar.programs.service import Programs

    file = tmp_path / "people.csv"
    file.write_text("external_id\n" + "".join(f"p{number}\n" for number in range(500)))
    async with (
        await Ledger.open(settings=pooled) as one,
        await Ledger.open(settings=pooled) as two,
    ):
        here, there = Programs(one, chunk=40), Programs(two, chunk=40)
        await EconomyService(one, here).apply(ECONOMY, actor="a", reason="r")
        report = await here.holders.import_file(file, ImportPlan(), actor="a", reason="r")
        assert report.created == 500
        await here.holders.upsert([HolderChange("late")], actor="a", reason="r")
        await asyncio.gather(here.do_all_due(), there.do_all_due())
        await here.do_all_due()
        balances = {(await two.wallet(f"p{number}", "coins")).balance for number in range(500)}
        assert balances == {100}
        assert (await two.verify()).ok


@needs_pgbouncer
async def test_nothing_is_left_on_the_sessions_for_strangers(
    pooler: Pooler, pooled: Settings, database: Database, login: str
) -> None:
    url = pooler.url(login, database.name)
    async with await Ledger.open(settings=pooled) as ledger:
        put_asset(database.owner_url)
        credit = Credit(holder="ada", asset="coins", amount=1, reference="1")
        for _ in range(10):
            await ledger.submit(credit, actor="a", reason="r")
        assert (await ledger.verify()).ok
    assert require_schema(url) == schema_version(url)
    assert pending(url) == []
    direct = role_url(database.url, login, PASSWORD)
    with psycopg.connect(url, autocommit=True) as stranger, psycopg.connect(direct) as fresh:
        left, untouched = stranger.execute(_SESSION).fetchone(), fresh.execute(_SESSION).fetchone()
    assert left == untouched


@needs_pgbouncer
async def test_new_settings_are_seen_when_the_pooler_has_connected_anew(
    pooler: Pooler, database: Database, login: str
) -> None:
    settings = _settings(pooler.url(login, database.name))
    with pytest.raises(Rejected) as caught:
        await Ledger.open(settings=settings)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(str(caught.value.fields["sql"]))
    pooler.reconnect()
    async with await Ledger.open(settings=settings) as ledger:
        assert await ledger.assets() == []

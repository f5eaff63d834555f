"""Backups and restores on real servers (O3)."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bursar.ledger import Credit, Ledger, Posted
from bursar.platform.backup import back_up, dump, inspect, restore
from bursar.platform.database import Connection
from bursar.platform.errors import BursarError, Invalid, Rejected, Unavailable
from bursar.platform.migrations import SHIPPED, migrate
from bursar.platform.postgres import Server, stop
from bursar.platform.postgres import start as start_server
from bursar.platform.postgres.programs import Programs, find_major
from bursar.platform.settings import Settings
from tests.conftest import Database
from tests.support import postgres

SETTINGS = Settings(data_dir=Path("/nowhere/data"))


@pytest.fixture
def other_server() -> Iterator[Server]:
    """A new server, on which transaction numbers begin anew."""
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as server:
        yield server


async def _post(ledger: Ledger, *references: str) -> None:
    for reference in references:
        grant = Credit(holder="maria", asset="coins", reference=reference, amount=1)
        [result] = await ledger.post([grant], actor="a", reason="r")
        result.unwrap()


async def _follow(ledger: Ledger, *, postings: int = 100) -> list[str]:
    """What a follower sees that it had not seen."""
    seen: list[str] = []

    async def note(found: list[Posted], _: Connection) -> None:
        seen.extend(entry.reference for posted in found for entry in posted.entries)

    while await ledger.follow("notices", note, postings=postings):
        pass
    return seen


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def _filled(database: Database, *references: str) -> None:
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        await _post(ledger, *references)


async def test_a_follower_goes_on_where_it_was_when_the_backup_was_made(
    database: Database, other_server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "b"
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        await _post(ledger, "1", "2", "3")
        assert await _follow(ledger) == ["1", "2", "3"]
        await _post(ledger, "4", "5")
        back_up(database.owner_url, file)
        await _post(ledger, "lost")

    restore(file, other_server.owner_url)
    for opening in range(2):
        async with await Ledger.open(other_server.service_url, settings=SETTINGS) as ledger:
            await _post(ledger, f"new {opening}")
            assert await _follow(ledger) == ([["4", "5", "new 0"], ["new 1"]][opening])
            report = await ledger.verify()
            assert report.ok, report.findings


async def test_a_second_restore_on_one_server_keeps_the_order_too(
    database: Database, tmp_path: Path
) -> None:
    await _filled(database, "1", "2")
    back_up(database.owner_url, tmp_path / "b")
    for turn in ("x", "y"):
        restore(tmp_path / "b", database.owner_url, replace=True)
        async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
            await _post(ledger, turn)
            assert await _follow(ledger) == ["1", "2", turn]


async def test_a_backup_says_what_it_is_and_only_its_owner_reads_it(
    database: Database, tmp_path: Path
) -> None:
    await _filled(database, "1")
    file = tmp_path / "b"
    file.write_text("an older one")
    made = back_up(database.owner_url, file)
    assert made == inspect(file)
    assert made.schema_version == SHIPPED.latest
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _names(tmp_path) == ["b"]


async def test_books_that_are_there_are_given_up_only_when_told(
    database: Database, tmp_path: Path
) -> None:
    await _filled(database, "1")
    back_up(database.owner_url, tmp_path / "b")
    await _filled(database, "2")
    with pytest.raises(Rejected) as caught:
        restore(tmp_path / "b", database.owner_url)
    assert caught.value.code == "database_not_empty"
    restore(tmp_path / "b", database.owner_url, replace=True)
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        assert (await ledger.wallet("maria", "coins")).balance == 1


async def test_books_in_use_are_not_pulled_away(database: Database, tmp_path: Path) -> None:
    back_up(database.owner_url, tmp_path / "b")
    with psycopg.connect(database.url), pytest.raises(Rejected) as caught:
        restore(tmp_path / "b", database.owner_url, replace=True)
    assert caught.value.code == "database_in_use"


@pytest.mark.parametrize("kind", ["cut", "text", "nothing", "another", "directory"])
async def test_what_is_no_whole_backup_changes_nothing(
    database: Database, empty_database: Database, tmp_path: Path, kind: str
) -> None:
    await _filled(database, *map(str, range(40)))
    file = tmp_path / "b"
    back_up(database.owner_url, file)
    whole = file.read_bytes()
    if kind == "cut":
        file.write_bytes(whole[: len(whole) - 2_000])
    elif kind == "text":
        file.write_text("create table x ();")
    elif kind == "nothing":
        file.unlink()
    elif kind == "directory":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(whole.replace(b"bursar", b"purser"))
    with pytest.raises(BursarError) as caught:
        restore(file, empty_database.owner_url)
    assert isinstance(caught.value, Invalid | Unavailable)
    with psycopg.connect(empty_database.owner_url) as connection:
        tables = "select count(*) from pg_tables where schemaname = 'bursar' and tablename <> %s"
        assert connection.execute(tables, ("migrations",)).fetchone() == (0,)


async def test_a_restore_that_fails_leaves_the_books_that_were_there(
    database: Database, tmp_path: Path
) -> None:
    await _filled(database, *map(str, range(40)))
    file = tmp_path / "b"
    back_up(database.owner_url, file)
    file.write_bytes(file.read_bytes()[:-2_000])
    await _filled(database, "after")
    with pytest.raises(BursarError):
        restore(file, database.owner_url, replace=True)
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        assert (await ledger.wallet("maria", "coins")).balance == 41


async def test_a_backup_of_a_newer_schema_is_refused_before_anything(
    database: Database, empty_database: Database, tmp_path: Path
) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            "insert into bursar.migrations (number, serves_from, name, checksum)"
            " values (9999, 9999, 'later', '')"
        )
    back_up(database.owner_url, tmp_path / "b")
    with pytest.raises(Rejected) as caught:
        restore(tmp_path / "b", empty_database.owner_url)
    assert caught.value.code == "schema_newer"


async def test_a_service_cannot_back_up_what_only_the_owner_may_read(
    database: Database, tmp_path: Path
) -> None:
    with pytest.raises(Rejected) as caught:
        back_up(database.url, tmp_path / "b")
    assert caught.value.code == "owner_needed"
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    ("said", "code"),
    [("could not write to file: No space left on device", "disk_full"), ("oh", "backup_failed")],
)
def test_a_backup_that_fails_leaves_no_file(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: str
) -> None:
    pg_dump = tmp_path / "pg_dump"
    pg_dump.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    pg_dump.chmod(0o755)
    failing = Programs(tmp_path, "18.0", 18)
    monkeypatch.setattr(dump, "find_clients", lambda *_: failing)
    with pytest.raises(Unavailable) as caught:
        back_up(database.owner_url, tmp_path / "b")
    assert (caught.value.code, _names(tmp_path)) == (code, ["pg_dump"])


@pytest.mark.parametrize("name", ["no/such/directory/b", "."])
def test_a_place_that_takes_no_file_is_refused(
    database: Database, tmp_path: Path, name: str
) -> None:
    with pytest.raises(Invalid) as caught:
        back_up(database.owner_url, tmp_path / name)
    assert caught.value.code == "file_unusable"


@pytest.mark.skipif(find_major(15) is None, reason="no PostgreSQL 15 on this machine")
async def test_a_backup_goes_to_an_older_server_and_back(
    database: Database, tmp_path: Path
) -> None:
    await _filled(database, "1", "2")
    back_up(database.owner_url, tmp_path / "b")
    older = find_major(15)
    assert older is not None
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as unused:
        data_dir = unused.data_dir.with_name("older")
        server = start_server(data_dir, postgres_bin=older.bin, settings=postgres.THROW_AWAY)
        try:
            restore(tmp_path / "b", server.owner_url)
            back_up(server.owner_url, tmp_path / "again")
        finally:
            stop(data_dir)
    restore(tmp_path / "again", database.owner_url, replace=True)
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        assert (await ledger.wallet("maria", "coins")).balance == 2


def test_a_schema_that_nobody_has_used_counts_as_empty(
    database: Database, empty_database: Database, tmp_path: Path
) -> None:
    back_up(database.owner_url, tmp_path / "b")
    migrate(empty_database.owner_url)
    assert restore(tmp_path / "b", empty_database.owner_url).migrated == []

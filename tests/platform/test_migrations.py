"""The runner, on migrations made for the purpose."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from bursar.platform.errors import Broken, Rejected, Unavailable
from bursar.platform.migrations import (
    MigrationSet,
    migrate,
    pending,
    require_schema,
    runner,
    schema_version,
)
from tests.conftest import Database
from tests.support.postgres import database_url, role_url


def known(directory: Path, previous_release: int = 0, **files: str) -> MigrationSet:
    """Write ``_0001_words="sql"`` as a file each and read the directory."""
    for name, text in files.items():
        (directory / f"{name.removeprefix('_')}.sql").write_text(text, "utf-8")
    return MigrationSet.read(directory, previous_release=previous_release)


def query(database: Database, text: str) -> list[tuple]:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        return conn.execute(text).fetchall()


WORDS = {"_0001_words": "create table bursar.words (word text not null);\n"}
MORE = {"_0002_more": "insert into bursar.words values ('one');\n"}


def test_an_empty_database_gets_every_file_in_order(
    empty_database: Database, tmp_path: Path
) -> None:
    files = known(tmp_path, **WORDS, **MORE)
    assert [m.file for m in pending(empty_database.owner_url, known=files)] == [
        "0001_words.sql",
        "0002_more.sql",
    ]
    assert schema_version(empty_database.owner_url) == 0
    assert [m.number for m in migrate(empty_database.owner_url, known=files)] == [1, 2]
    assert schema_version(empty_database.owner_url) == 2
    assert query(empty_database, "select word from bursar.words") == [("one",)]
    assert query(empty_database, "select number, name from bursar.migrations order by 1") == [
        (1, "words"),
        (2, "more"),
    ]


def test_a_second_time_there_is_nothing_to_do(empty_database: Database, tmp_path: Path) -> None:
    files = known(tmp_path, **WORDS)
    migrate(empty_database.owner_url, known=files)
    assert migrate(empty_database.owner_url, known=files) == []


def test_a_target_stops_before_later_files(empty_database: Database, tmp_path: Path) -> None:
    files = known(tmp_path, **WORDS, **MORE)
    assert [m.number for m in migrate(empty_database.owner_url, target=1, known=files)] == [1]
    assert [m.number for m in pending(empty_database.owner_url, known=files)] == [2]


def test_a_failing_file_leaves_nothing_and_is_named_with_its_line(
    empty_database: Database, tmp_path: Path
) -> None:
    files = known(
        tmp_path,
        **WORDS,
        _0002_fails=(
            "-- what comes first; is undone\n"
            "insert into bursar.words values ('half');\n"
            "\n"
            "-- the line below is to blame\n"
            "insert into bursar.words\n"
            "select nothing\n"
            "  from bursar.words;\n"
            "insert into bursar.words values ('rest');\n"
        ),
    )
    with pytest.raises(Broken, match=r"^0002_fails\.sql, line 6: ") as caught:
        migrate(empty_database.owner_url, known=files)
    assert caught.value.code == "migration_failed"
    assert caught.value.fields == {"file": "0002_fails.sql", "line": 6, "sqlstate": "42703"}
    assert query(empty_database, "select * from bursar.words") == []
    assert schema_version(empty_database.owner_url) == 1


def test_a_failure_that_has_no_position_is_named_with_its_statement(
    empty_database: Database, tmp_path: Path
) -> None:
    files = known(tmp_path, _0001_fails="select 1;\n\n\nselect 1\n  / 0;\n")
    with pytest.raises(Broken, match=r"^0001_fails\.sql, line 4: division by zero"):
        migrate(empty_database.owner_url, known=files)


def test_a_mended_file_is_applied_after_a_failure(empty_database: Database, tmp_path: Path) -> None:
    with pytest.raises(Broken):
        migrate(empty_database.owner_url, known=known(tmp_path, _0001_words="create tabel;"))
    assert len(migrate(empty_database.owner_url, known=known(tmp_path, **WORDS))) == 1


CONCURRENT = {
    "_0002_index": (
        "-- no-transaction\n"
        "drop index concurrently if exists bursar.words_word_key;\n"
        "create unique index concurrently words_word_key on bursar.words (word);\n"
    )
}


def test_a_file_may_ask_to_run_outside_a_transaction(
    empty_database: Database, tmp_path: Path
) -> None:
    migrate(empty_database.owner_url, known=known(tmp_path, **WORDS, **CONCURRENT))
    assert query(
        empty_database, "select indisvalid from pg_index where indexrelid::regclass::text ~ 'words'"
    ) == [(True,)]


def test_what_was_left_half_built_outside_a_transaction_is_built_on_the_next_run(
    empty_database: Database, tmp_path: Path
) -> None:
    files = known(tmp_path, **WORDS, **CONCURRENT)
    migrate(empty_database.owner_url, target=1, known=files)
    query(empty_database, "insert into bursar.words values ('twice'), ('twice') returning 1")
    with pytest.raises(Broken, match=r"0002_index\.sql, line 3: .*unique"):
        migrate(empty_database.owner_url, known=files)
    invalid = "select count(*) from pg_index where not indisvalid"
    assert query(empty_database, invalid) == [(1,)]
    assert schema_version(empty_database.owner_url) == 1

    query(empty_database, "delete from bursar.words returning 1")
    assert [m.number for m in migrate(empty_database.owner_url, known=files)] == [2]
    assert query(empty_database, invalid) == [(0,)]


def test_an_index_that_stayed_invalid_is_not_called_done(
    empty_database: Database, tmp_path: Path
) -> None:
    careless = CONCURRENT["_0002_index"].replace("drop index", "-- drop index")
    careless = careless.replace("concurrently words", "concurrently if not exists words")
    files = known(tmp_path, **WORDS, _0002_index=careless)
    migrate(empty_database.owner_url, target=1, known=files)
    query(empty_database, "insert into bursar.words values ('twice'), ('twice') returning 1")
    with pytest.raises(Broken):
        migrate(empty_database.owner_url, known=files)
    with pytest.raises(Broken, match="words_word_key") as caught:
        migrate(empty_database.owner_url, known=files)
    assert caught.value.code == "index_invalid"
    assert schema_version(empty_database.owner_url) == 1


@pytest.mark.parametrize("head", ["", "-- no-transaction\n"], ids=["transaction", "none"])
def test_of_two_migrators_one_waits_and_finds_nothing_to_do(
    head: str, empty_database: Database, tmp_path: Path
) -> None:
    """The first is stopped in its middle by a row lock that the test holds."""
    gate = head + "update bursar.words set word = 'through';\n"
    if head:  # what a waiting statement of the second would dead-lock with
        gate += "create index concurrently words_word on bursar.words (word);\n"
    files = known(tmp_path, **WORDS, **MORE, _0003_gate=gate)
    migrate(empty_database.owner_url, target=2, known=files)
    results: list[list[int]] = []

    def work() -> None:
        results.append([m.number for m in migrate(empty_database.owner_url, known=files)])

    workers = [threading.Thread(target=work) for _ in range(2)]
    with psycopg.connect(empty_database.owner_url) as holder:
        holder.execute("update bursar.words set word = 'held'")
        for worker in workers:
            worker.start()
        _wait_for_sessions(empty_database, 2)
        assert results == []
        holder.rollback()
    for worker in workers:
        worker.join(30)
    assert sorted(results) == [[], [3]]


def _wait_for_sessions(database: Database, number: int) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        seen = 0
        while seen < number:
            [(seen,)] = conn.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and application_name = 'bursar migrate'"
            )


def test_a_file_that_changed_after_it_was_applied_is_refused(
    empty_database: Database, tmp_path: Path
) -> None:
    migrate(empty_database.owner_url, known=known(tmp_path, **WORDS))
    changed = known(tmp_path, _0001_words=WORDS["_0001_words"] + "-- a second thought\n", **MORE)
    for act in (migrate, pending):
        with pytest.raises(Broken, match=r"0001_words\.sql") as caught:
            act(empty_database.owner_url, known=changed)
        assert caught.value.code == "migration_changed"
    assert schema_version(empty_database.owner_url) == 1


def test_a_database_newer_than_the_program_is_not_migrated(
    empty_database: Database, tmp_path: Path
) -> None:
    old = known(tmp_path, **WORDS)
    migrate(empty_database.owner_url, known=known(tmp_path, **MORE))
    with pytest.raises(Rejected) as caught:
        migrate(empty_database.owner_url, known=old)
    assert caught.value.code == "schema_newer"
    assert caught.value.fields == {"version": 2, "known": 1, "serves_from": 0}


def test_opening_asks_for_bursar_migrate_when_the_schema_is_missing_or_behind(
    empty_database: Database, tmp_path: Path
) -> None:
    files = known(tmp_path, **WORDS, **MORE)
    with pytest.raises(Unavailable, match="run `bursar migrate`") as caught:
        require_schema(empty_database.owner_url, known=files)
    assert caught.value.code == "schema_missing"
    migrate(empty_database.owner_url, target=1, known=files)
    with pytest.raises(Unavailable, match="run `bursar migrate`") as caught:
        require_schema(empty_database.owner_url, known=files)
    assert caught.value.code == "schema_behind"
    migrate(empty_database.owner_url, known=files)
    assert require_schema(empty_database.owner_url, known=files) == 2


def test_opening_tolerates_a_schema_of_the_next_release_and_no_later(
    empty_database: Database, tmp_path: Path
) -> None:
    first = known(tmp_path, **WORDS)
    second = known(tmp_path, previous_release=1, **MORE, _0003_x="select 1;", _0004_y="select 1;")
    third = known(tmp_path, previous_release=4, _0005_z="select 1;")

    migrate(empty_database.owner_url, known=first)
    migrate(empty_database.owner_url, known=second)
    assert require_schema(empty_database.owner_url, known=first) == 4

    migrate(empty_database.owner_url, known=third)
    assert require_schema(empty_database.owner_url, known=second) == 5
    with pytest.raises(Rejected) as caught:
        require_schema(empty_database.owner_url, known=first)
    assert caught.value.code == "schema_newer"


def test_the_check_leaves_a_connection_it_was_lent_open(database: Database) -> None:
    with psycopg.connect(database.url, row_factory=dict_row) as conn:
        assert require_schema(conn) >= 1
        assert conn.execute("select 1 as one").fetchone() == {"one": 1}


def test_a_table_that_stays_locked_makes_the_migrator_give_up(
    empty_database: Database, tmp_path: Path
) -> None:
    files = known(
        tmp_path,
        **WORDS,
        _0002_column=(
            "select set_config('lock_timeout', '1ms', true);\n"
            "alter table bursar.words add column length integer;\n"
        ),
    )
    migrate(empty_database.owner_url, target=1, known=files)
    with psycopg.connect(empty_database.owner_url) as reader:
        reader.execute("select * from bursar.words")
        with pytest.raises(Unavailable) as caught:
            migrate(empty_database.owner_url, known=files)
    assert caught.value.code == "schema_busy"


def test_an_unreachable_database_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        migrate(f"postgresql:///bursar?host={tmp_path}")
    assert caught.value.code == "database_unavailable"


def test_a_server_older_than_the_oldest_supported_is_refused(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "OLDEST_SERVER", 99)
    with pytest.raises(Rejected) as caught:
        migrate(empty_database.owner_url)
    assert caught.value.code == "server_too_old"
    assert schema_version(empty_database.owner_url) == 0


def test_a_database_in_another_encoding_is_refused(
    admin: psycopg.Connection, empty_database: Database
) -> None:
    name = f"{empty_database.name}_latin"
    admin.execute(f"create database {name} encoding 'LATIN1' template template0")
    try:
        with pytest.raises(Rejected) as caught:
            migrate(database_url(empty_database.owner_url, name))
        assert caught.value.code == "database_not_utf8"
    finally:
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def plain_owner(admin: psycopg.Connection, empty_database: Database) -> Iterator[str]:
    """The URL of a role that may neither create roles nor schemas."""
    role = f"{empty_database.name}_owner"
    admin.execute(f"create role {role} login password 'plain'")
    yield role_url(empty_database.owner_url, role, "plain")
    with psycopg.connect(empty_database.owner_url, autocommit=True) as conn:
        conn.execute(f"drop owned by {role} cascade")
    admin.execute(f"drop role {role}")


def test_a_missing_schema_that_may_not_be_created_names_the_sql_for_an_administrator(
    empty_database: Database, plain_owner: str
) -> None:
    with pytest.raises(Rejected) as caught:
        migrate(plain_owner)
    assert caught.value.code == "schema_denied"
    with psycopg.connect(empty_database.owner_url, autocommit=True) as conn:
        conn.execute(caught.value.fields["sql"])
    assert migrate(plain_owner)


def test_a_role_that_does_not_own_the_schema_may_not_migrate(
    empty_database: Database, plain_owner: str
) -> None:
    migrate(empty_database.owner_url)
    with pytest.raises(Rejected) as caught:
        migrate(plain_owner)
    assert caught.value.code == "owner_needed"


def test_a_missing_role_that_may_not_be_created_names_the_sql_for_an_administrator(
    empty_database: Database, plain_owner: str, admin: psycopg.Connection
) -> None:
    """The role is renamed away, for it belongs to the whole server."""
    admin.execute("alter role bursar_service rename to bursar_service_away")
    try:
        with pytest.raises(Rejected) as caught:
            migrate(plain_owner)
        assert caught.value.code == "role_missing"
        assert caught.value.fields == {"sql": "create role bursar_service;"}
        migrate(empty_database.owner_url)  # who may, creates it
        assert query(
            empty_database, "select rolcanlogin from pg_roles where rolname = 'bursar_service'"
        ) == [(False,)]
        with psycopg.connect(empty_database.owner_url, autocommit=True) as conn:
            conn.execute("drop owned by bursar_service cascade")
        admin.execute("drop role bursar_service")
    finally:
        admin.execute("alter role bursar_service_away rename to bursar_service")

"""The two proofs about the shipped migrations: they make the schema, and they upgrade it."""

import re

import psycopg
import pytest

from bursar.platform.migrations import SHIPPED, migrate, pending, require_schema, schema_version
from bursar.platform.migrations.files import PREVIOUS_RELEASE
from tests.conftest import Database
from tests.support import rows, schema

NUMBERS = range(1, SHIPPED.latest + 1)


def test_all_migrations_make_the_committed_schema(database: Database) -> None:
    made = schema.dump(database.owner_url)
    assert made == schema.COMMITTED.read_text("utf-8"), "run `make schema` and read the difference"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_database_of_the_schema_before_upgrades_with_its_rows(
    number: int, empty_database: Database
) -> None:
    migrate(empty_database.owner_url, target=number - 1)
    with psycopg.connect(empty_database.owner_url, autocommit=True) as conn:
        rows.fill(conn)
        before = rows.counts(conn)
        assert all(before.values())
        assert [m.number for m in migrate(empty_database.owner_url, target=number)] == [number]
        after = rows.counts(conn)
    assert {name: after[name] for name in before if name in after} == {
        name: before[name] for name in before if name in after
    }
    assert schema_version(empty_database.owner_url) == number


def test_upgrading_one_by_one_with_rows_ends_at_the_same_schema(empty_database: Database) -> None:
    for number in NUMBERS:
        migrate(empty_database.owner_url, target=number)
        with psycopg.connect(empty_database.owner_url, autocommit=True) as conn:
            rows.fill(conn)
    made = schema.dump(empty_database.owner_url)
    assert made == schema.COMMITTED.read_text("utf-8")


def test_every_table_of_the_schema_can_be_filled(database: Database) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        rows.fill(conn)
        assert all(rows.counts(conn).values())


def test_the_service_may_read_what_is_applied(database: Database) -> None:
    assert require_schema(database.url) == SHIPPED.latest
    assert pending(database.url) == []


def test_the_previous_release_is_one_of_the_numbers() -> None:
    assert 0 <= PREVIOUS_RELEASE <= SHIPPED.latest


@pytest.mark.parametrize("migration", SHIPPED.migrations, ids=lambda m: m.file)
def test_an_index_built_concurrently_is_dropped_first(migration) -> None:
    """A crash leaves such an index invalid; only dropping it makes the file safe to run again."""
    dropped: set[str] = set()
    for _, sql in migration.statements():
        if match := re.search(r"drop index concurrently if exists (\S+?);?$", sql.strip()):
            dropped.add(match[1].removeprefix("bursar."))
        if match := re.search(r"create (?:unique )?index concurrently (.+?)\s+on ", sql):
            assert match[1] in dropped, f"{migration.file}: drop index … if exists {match[1]} first"

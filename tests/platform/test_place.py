"""Where the database is, and what is done before anybody works on it (O1)."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bursar.platform.errors import Invalid, Unavailable
from bursar.platform.migrations import schema_version
from bursar.platform.place import find, reach, ready
from bursar.platform.settings import Settings
from tests.conftest import Database
from tests.support import postgres

SETTINGS = Settings(data_dir=Path("/nowhere/data"))


@pytest.mark.parametrize(
    "text", ["postgresql://h/d", "postgres://h/d", "host=h dbname=d", "dbname=d"]
)
def test_an_address_is_what_postgresql_reads_as_one(text: str) -> None:
    assert find(text, SETTINGS).url == text


@pytest.mark.parametrize("text", ["./data", "data", "/srv/a=b", "~/data", "a b"])
def test_everything_else_is_a_directory(text: str) -> None:
    assert find(text, SETTINGS).data_dir == Path(text).expanduser()


def test_a_path_is_a_directory_whatever_it_looks_like() -> None:
    assert find(Path("dbname=d"), SETTINGS).data_dir == Path("dbname=d")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:hidden@h:port/d",
        "postgresql://u:hid%zzden@h/d",
        "postgresql://u:hidden@[::1/d",
        "postgresql://u:hidden@h:99999/d",
        "mysql://u:hidden@h/d",
        "",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        find(text, SETTINGS)
    assert caught.value.code == "database_url"
    assert "hid" not in caught.value.message


def test_the_settings_choose_a_server_before_a_directory() -> None:
    both = Settings(data_dir=Path("/d"), database_url="dbname=a", database_owner_url="dbname=b")
    assert find(None, SETTINGS).data_dir == Path("/nowhere/data")
    assert (find(None, both).url, find(None, both).owner_url) == ("dbname=a", "dbname=b")
    assert find("dbname=c", both).owner_url is None
    with pytest.raises(Invalid):
        find(None, Settings(data_dir=Path("/d"), database_owner_url="dbname=b"))


def test_what_holds_a_password_is_not_shown() -> None:
    place = find("postgresql://u:hidden@h/d", SETTINGS)
    assert "hidden" not in f"{place!r} {reach(place)!r}"


def test_a_server_by_address_is_never_migrated_by_who_opens_it(empty_database: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        ready(find(empty_database.owner_url, SETTINGS))
    assert caught.value.code == "schema_missing"


@pytest.fixture
def new_directory() -> Iterator[Path]:
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as server:
        yield server.data_dir


def test_a_data_directory_is_made_ready_by_who_opens_it(new_directory: Path) -> None:
    place = find(str(new_directory), SETTINGS)
    assert schema_version(reach(place).url) == 0
    address = ready(place)
    assert schema_version(address.url) > 0
    assert ready(place).url == address.url


def test_a_newer_release_that_serves_this_one_does_not_keep_it_out(new_directory: Path) -> None:
    place = find(str(new_directory), SETTINGS)
    address = ready(place)
    with psycopg.connect(address.owner_url) as connection:
        connection.execute(
            "insert into bursar.migrations (number, serves_from, name, checksum)"
            " values (9999, 1, 'later', '')"
        )
    assert ready(place).url == address.url

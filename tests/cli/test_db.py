"""``bursar db`` and ``bursar migrate``: a data directory's life, and a server by address."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bursar.cli.db import without_secret
from bursar.platform.migrations import SHIPPED
from bursar.platform.postgres import stop
from tests.cli.conftest import Run, credit, run
from tests.conftest import Database
from tests.support import postgres


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Room for a data directory that isn't there yet, with the tests' own programs."""
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as server:
        fresh = server.data_dir.with_name("fresh")
        if postgres.chosen_bin():
            monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(postgres.chosen_bin()))
        monkeypatch.setenv("BURSAR_DATA_DIR", str(fresh))
        try:
            yield fresh
        finally:
            stop(fresh, mode="immediate")


def test_the_life_of_a_data_directory(data_dir: Path, tmp_path: Path) -> None:
    assert run("db", "status", "--json").json["state"] == "absent"
    assert run("db", "stop", "--json").json["stopped"] is False
    assert run("db", "url").code == 3
    assert not data_dir.exists()

    started = run("db", "start", "--json").json
    assert (started["started"], started["schema"]) == (True, SHIPPED.latest)
    assert "running already" in run("db", "start").out
    status = run("db", "status", "--json")
    assert (status.code, status.json["state"], status.json["pid"]) == (0, "running", started["pid"])

    run("asset", "add", "coins")
    run("post", "--reason", "r", stdin=credit("maria", "1", 5))
    backup = tmp_path / "b"
    assert run("db", "backup", backup, "--json").json["schema"] == SHIPPED.latest

    assert run("db", "stop").code == 0
    stopped = run("db", "status")
    assert (stopped.code, "stopped" in stopped.out) == (6, True)
    assert run("wallet", "show", "maria", "coins", "--json").json["balance"] == 5
    assert run("db", "upgrade", "--json").error["code"] == "server_running"
    run("db", "stop")
    assert run("db", "upgrade", "--json").error["code"] == "upgrade_not_needed"

    refused = run("db", "restore", backup, "--json")
    assert (refused.code, refused.error["code"]) == (4, "database_not_empty")
    assert run("db", "restore", backup, "--replace", "--json").error["code"] == "option_invalid"
    assert run("db", "restore", backup, "--replace", "--yes").code == 0

    run("webhook", "add", "https://app.example.org/hook")
    run("backup", tmp_path / "c")
    again = ("restore", tmp_path / "c", "--replace", "--yes")
    assert "secrets.key" not in run(*again).err, "it is there"
    key = (data_dir / "secrets.key").rename(data_dir / "key.kept")
    assert f"put the secrets.key of the books into {data_dir}" in run(*again).err
    assert (
        run("webhook", "reseal", "--reason", "r", "--json").error["code"] == "secrets_key_awaited"
    )
    assert run("notices", "send", "--json").error["code"] == "secrets_key_awaited"
    assert run("notices", "settings", "--json").json["process"]["secrets_key"] is None
    [danger] = [f for f in run("doctor", "--json").json["findings"] if f["check"] == "secrets_key"]
    assert "bring secrets.key back" in danger["todo"]
    key.replace(data_dir / "secrets.key")
    assert run("webhook", "reseal", "--reason", "r", "--json").json == {"resealed": 1}


def test_a_backup_is_restored_into_another_database_and_checked(
    bursar: Run, empty_database: Database, tmp_path: Path
) -> None:
    bursar("post", "--reason", "r", stdin=credit("maria", "1", 5))
    assert "schema" in bursar("backup", tmp_path / "b").out
    done = bursar("restore", tmp_path / "b", "--into", empty_database.owner_url, "--json")
    assert (done.code, done.json["ok"], done.json["verify"]["entries"]) == (0, True, 1)
    told = bursar("wallet", "show", "maria", "coins", "--db", empty_database.url, "--json").json
    assert told["balance"] == 5


def test_a_restore_of_damaged_books_says_so(
    bursar: Run, database: Database, empty_database: Database, tmp_path: Path
) -> None:
    bursar("post", "--reason", "r", stdin=credit("maria", "1", 5))
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("update bursar.wallets set balance = 7")
    bursar("backup", tmp_path / "b")
    done = bursar("restore", tmp_path / "b", "--into", empty_database.owner_url)
    assert done.code == 70
    assert "wallet_balance" in done.out


def test_a_server_by_address_is_migrated_when_told(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSAR_DATABASE_URL", empty_database.url)
    monkeypatch.setenv("BURSAR_DATABASE_OWNER_URL", empty_database.owner_url)
    missing = run("journal", "--json")
    assert (missing.code, missing.error["code"]) == (6, "schema_missing")
    assert run("db", "status", "--json").json["schema"] == 0
    planned = run("migrate", "--dry-run", "--json").json
    assert (planned["schema"], len(planned["migrations"])) == (0, SHIPPED.latest)
    assert run("migrate").out.startswith("applied 0001_")
    assert run("migrate").out.startswith("nothing to do")
    assert run("journal").out == "no entries\n"


def test_passwords_are_shown_only_when_asked_for(bursar: Run, database: Database) -> None:
    assert bursar("db", "url", "--show-secrets", "--json").json["url"] == database.url
    hidden = bursar("db", "url").out
    assert "bursar_service:***@" in hidden
    password = database.url.partition("bursar_service:")[2].partition("@")[0]
    assert password not in hidden
    assert "bursar_owner:***@" in bursar("db", "url", "--owner").out


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://u:p@h:5/d?sslmode=require", "postgresql://u:***@h:5/d?sslmode=require"),
        ("postgresql://u@h/d?password=p", "postgresql://u@h/d?password=***"),
        ("postgresql:///d", "postgresql:///d"),
        ("postgresql://u:p%40x@a,b/d", "postgresql://u:***@a,b/d"),
        ("host=h password=p dbname=d", "password=*** dbname=d host=h"),
    ],
)
def test_a_password_is_blotted_out_wherever_it_stands(given: str, shown: str) -> None:
    assert without_secret(given) == shown


@pytest.mark.parametrize("name", ["backup", "restore"])
def test_what_db_calls_a_backup_is_the_command_of_that_name(name: str) -> None:
    """Two names, one command: they cannot come to differ."""
    from bursar.cli import backup, db, restore

    alone = {"backup": backup, "restore": restore}[name].app.registered_commands[0].callback
    below = {c.callback.__name__: c.callback for c in db.app.registered_commands if c.callback}
    assert below[name] is alone

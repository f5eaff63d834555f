"""The way up from an older PostgreSQL, and what keeps the old data safe on it."""

import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bursar.platform.errors import BursarError, Missing, Rejected
from bursar.platform.postgres import status, stop, upgrade
from bursar.platform.postgres.programs import Programs, find, find_major


@pytest.fixture
def older() -> Programs:
    newest = find()
    for major in range(newest.major - 1, 14, -1):
        found = find_major(major)
        if found is not None:
            return found
    pytest.skip(f"no PostgreSQL older than {newest.version} is installed here")


@pytest.fixture
def old_data(yard: Any, older: Programs) -> Path:
    """A ledger of the older version, not closed in order."""
    data_dir: Path = yard.fresh()
    server = yard.start(data_dir, postgres_bin=older.bin)
    assert server.version == older.version
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
        connection.execute("grant select on kept to bursar_service")
    stop(data_dir, mode="immediate")
    return data_dir


def test_data_of_another_version_is_refused_with_the_way_out(
    yard: Any, old_data: Path, older: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Rejected) as caught:
        yard.start(old_data)
    error = caught.value
    assert error.code == "postgres_version_mismatch"
    assert error.fields["data_major"] == older.major
    assert error.fields["program_major"] == find().major
    assert f"BURSAR_POSTGRES_BIN={older.bin}" in error.message
    assert "bursar db upgrade" in error.message
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(older.bin))
    assert yard.start(old_data).version == older.version


def test_programs_older_than_the_data_are_refused(yard: Any, older: Programs) -> None:
    data_dir = yard.made()
    with pytest.raises(Rejected) as caught:
        yard.start(data_dir, postgres_bin=older.bin)
    assert caught.value.code == "postgres_version_mismatch"
    assert "upgrade" not in caught.value.message
    assert yard.start(data_dir).started


def test_a_running_server_is_attached_to_whatever_the_programs(
    yard: Any, old_data: Path, older: Programs
) -> None:
    first = yard.start(old_data, postgres_bin=older.bin)
    second = yard.start(old_data)
    assert (second.pid, second.version) == (first.pid, older.version)


@pytest.mark.slow
def test_an_upgrade_keeps_every_row_role_and_password(
    yard: Any, old_data: Path, older: Programs
) -> None:
    done = upgrade(old_data)
    assert done.old_version == older.version
    assert done.server.version == find().version
    assert yard.value(done.server.service_url, "select count(*) from kept") == 1000
    assert yard.value(done.server.owner_url, "show data_checksums") == "on"
    assert (done.old_data / "PG_VERSION").read_text().strip() == str(older.major)
    assert not list(old_data.rglob("delete_old_cluster*"))
    stop(old_data)
    assert yard.start(old_data).version == find().version
    with pytest.raises(Rejected) as caught:
        upgrade(old_data)
    assert caught.value.code == "server_running"
    stop(old_data)
    with pytest.raises(Rejected) as caught:
        upgrade(old_data)
    assert caught.value.code == "upgrade_not_needed"


# Each ends an upgrade at one point; what the data is when it starts again.
ENDS = {
    "before pg_upgrade": ("up._pg_upgrade = die", "old"),
    "after pg_upgrade": ("run = up._pg_upgrade\nup._pg_upgrade = lambda *a: die(run(*a))", "old"),
    "between the names": (
        (
            "name = directory.Layout.rename\n"
            "directory.Layout.rename = lambda self, a, b: die(name(self, a, b))"
        ),
        "old",
    ),
    "before the verification": ("up._verify = die", "new"),
}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_an_upgrade_killed_anywhere_leaves_old_or_new_data_that_starts(
    yard: Any, old_data: Path, older: Programs, end: str
) -> None:
    patch, left = ENDS[end]
    script = (
        "import bursar.platform.postgres.upgrade\n"
        "up = sys.modules['bursar.platform.postgres.upgrade']\n"
        "def die(*_, **__):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{patch}\nup.upgrade(Path(sys.argv[1]))\n"
    )
    assert yard.client(script, old_data).wait(120) == -signal.SIGKILL
    programs = older if left == "old" else find()
    server = yard.start(old_data, postgres_bin=programs.bin)
    assert server.version == programs.version
    assert yard.value(server.service_url, "select count(*) from kept") == 1000
    kept = old_data / f"pgdata.old-{older.major}"
    assert kept.exists() is (left == "new")


@pytest.mark.slow
def test_an_upgrade_that_fails_leaves_the_old_data_as_it_was(
    yard: Any, old_data: Path, older: Programs
) -> None:
    (old_data / "operator.conf").write_text("wal_compression = 'no such method'\n")
    (old_data / "operator.conf").chmod(0o644)
    with pytest.raises(BursarError) as caught:
        upgrade(old_data)
    assert caught.value.code in {"server_settings_invalid", "upgrade_failed"}
    assert "wal_compression" in caught.value.message
    (old_data / "operator.conf").unlink()
    assert status(old_data).state == "stopped"
    server = yard.start(old_data, postgres_bin=older.bin)
    assert yard.value(server.service_url, "select count(*) from kept") == 1000


def test_an_upgrade_says_which_programs_it_lacks(yard: Any, old_data: Path) -> None:
    with pytest.raises(Missing) as caught:
        upgrade(old_data, old_bin=yard.root)
    assert caught.value.code == "postgres_programs_missing"
    with pytest.raises(Missing) as caught:
        upgrade(yard.root / "empty")
    assert caught.value.code == "data_missing"

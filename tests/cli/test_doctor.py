"""``bursar doctor``: what it tells, and how it exits (O2)."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, run
from tests.conftest import Database, OwnServer


def test_dangers_are_told_with_what_to_do_and_exit_with_1(bursar: Run) -> None:
    """The tests' own server is fast because it is not durable."""
    told = bursar("doctor")
    assert told.code == 1
    assert "danger: fsync is off" in told.out
    assert told.out.splitlines()[-1].endswith("see the dangers above")
    shape = bursar("doctor", "--json")
    assert (shape.code, shape.json["sound"]) == (1, False)
    found = {finding["check"]: finding for finding in shape.json["findings"]}
    assert found["fsync"]["level"] == "danger"
    assert found["fsync"]["todo"]


def test_no_secret_is_told(bursar: Run, database: Database, monkeypatch) -> None:
    password = database.url.partition("bursar_service:")[2].partition("@")[0]
    monkeypatch.setenv("BURSAR_CHECKSUM_KEY", "ab" * 32)
    told = bursar("doctor", "--json")
    assert told.json["facts"]["keyed"] is True
    assert password not in told.out
    assert "ab" * 32 not in told.out


@pytest.mark.slow
def test_a_sound_server_exits_with_0(own_server: OwnServer) -> None:
    told = run("doctor", "--db", own_server.url)
    assert (told.code, "nothing endangers" in told.out) == (0, True), told.out


def test_a_directory_without_a_ledger_is_missing_and_stays_so(tmp_path: Path) -> None:
    assert run("doctor", "--db", tmp_path / "typo").code == 3
    assert not (tmp_path / "typo").exists()


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    told = run("doctor", "--json", "--db", "postgresql://nobody@127.0.0.1:1/none")
    assert (told.code, told.error["code"]) == (6, "database_unavailable")


def test_a_schema_that_is_behind_is_a_finding_and_no_failure(empty_database: Database) -> None:
    told = run("doctor", "--db", empty_database.url)
    assert told.code == 1
    assert "bursar migrate" in told.out

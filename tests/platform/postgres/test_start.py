"""Cold, warm and concurrent starts, and what a fresh server is like."""

import os
import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from bursar.platform.errors import Broken, Invalid, Unavailable
from bursar.platform.postgres import start, status, stop


def test_a_cold_start_gives_a_database_that_both_roles_may_use(yard: Any) -> None:
    data_dir = yard.fresh()
    assert status(data_dir).state == "absent"
    server = yard.start(data_dir)
    assert server.started
    assert yard.value(server.service_url, "select current_user || '@' || current_database()") == (
        "bursar_service@bursar"
    )
    assert yard.value(server.owner_url, "select current_user") == "bursar_owner"
    seen = status(data_dir)
    assert (seen.state, seen.pid, seen.version) == ("running", server.pid, server.version)
    assert seen.major == int(server.version.split(".")[0])
    assert (data_dir / "ready").exists()


def test_the_service_owns_nothing_and_creates_nothing(yard: Any) -> None:
    server = yard.start(yard.made())
    with psycopg.connect(server.service_url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create table public.mine ()")
        connection.rollback()
        row = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()
    assert row == (False, False, False)


def test_a_second_start_attaches_and_a_start_after_stop_starts(yard: Any) -> None:
    data_dir = yard.made()
    first = yard.start(data_dir)
    second = yard.start(data_dir)
    assert (second.pid, second.started) == (first.pid, False)
    assert second.service_url == first.service_url
    assert stop(data_dir) is True
    assert status(data_dir).state == "stopped"
    third = yard.start(data_dir)
    assert third.started
    assert third.pid != first.pid


def test_the_server_survives_the_process_that_started_it(yard: Any) -> None:
    data_dir = yard.made()
    got = yard.answer(yard.starter(data_dir))
    assert got["started"]
    assert yard.start(data_dir).pid == got["pid"]


@pytest.mark.parametrize("kind", ["fresh", "stopped", "killed"])
def test_processes_that_start_at_once_share_one_server(yard: Any, kind: str) -> None:
    data_dir = yard.fresh() if kind == "fresh" else yard.made()
    if kind == "killed":
        yard.kill(yard.start(data_dir).pid)
    answers = [yard.answer(child) for child in [yard.starter(data_dir) for _ in range(3)]]
    assert len({answer["pid"] for answer in answers}) == 1
    assert [answer["started"] for answer in answers].count(True) == 1


def test_a_start_does_not_wait_longer_than_it_was_told(yard: Any) -> None:
    data_dir = yard.made()
    go = yard.slow_recovery(data_dir)
    first = yard.starter(data_dir)
    yard.wait_for(lambda: status(data_dir).state == "starting")
    with pytest.raises(Unavailable) as caught:
        yard.start(data_dir, wait_s=0.2)
    assert caught.value.code == "data_dir_busy", caught.value.message
    go.touch()
    assert yard.answer(first)["started"]


def test_nothing_listens_on_tcp_and_nobody_enters_without_a_password(yard: Any) -> None:
    data_dir = yard.made()
    server = yard.start(data_dir)
    assert yard.value(server.owner_url, "show listen_addresses") == ""
    for password in ("", "guess"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host=str(server.socket_dir),
                port=server.port,
                user="bursar_owner",
                dbname="bursar",
                password=password,
                passfile="/nonexistent",
            )
    methods = [
        line.split()[-1]
        for line in (data_dir / "pgdata" / "pg_hba.conf").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert set(methods) == {"scram-sha-256"}


def test_what_is_private_is_private(yard: Any) -> None:
    data_dir = yard.fresh()
    old = os.umask(0)
    try:
        server = yard.start(data_dir)
    finally:
        os.umask(old)
    for path in (data_dir, data_dir / "run", data_dir / "log", data_dir / "pgdata"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in [*data_dir.iterdir(), *(data_dir / "log").iterdir()]:
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert server.socket_dir == data_dir / "run"


def test_passwords_show_nowhere(yard: Any) -> None:
    data_dir = yard.fresh()
    server = yard.start(data_dir)
    secrets = [part.split(":")[2].split("@")[0] for part in (server.owner_url, server.service_url)]
    console = Console(width=2000)
    with console.capture() as shown:
        console.print(server)
    logs = "".join(path.read_text() for path in (data_dir / "log").iterdir())
    for secret in secrets:
        assert len(secret) > 40
        for text in (repr(server), str(server), shown.get(), logs):
            assert secret not in text


def test_the_server_knows_nothing_of_our_environment(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSAR_CHECKSUM_KEY", "ab" * 32)
    monkeypatch.setenv("PGOPTIONS", "-c jit=on")
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    server = yard.start(yard.made())
    try:
        environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    except OSError:
        environment = b""
    if not environment:
        pytest.skip("the environment of other processes cannot be read here")
    assert b"LC_ALL=C" in environment
    assert b"BURSAR" not in environment
    assert b"PGOPTIONS" not in environment


def test_settings_are_durable_and_the_operator_has_the_last_word(yard: Any) -> None:
    data_dir = yard.made()
    operator = data_dir / "operator.conf"
    operator.write_text("work_mem = '3MB'\n")
    operator.chmod(0o644)
    server = start(data_dir)
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "server_encoding": "UTF8",
        "lc_collate": "C",
        "timezone": "UTC",
        "checkpoint_timeout": "15min",
        "jit": "off",
        "random_page_cost": "1.1",
        "max_connections": "200",
        "work_mem": "3MB",
    }
    with psycopg.connect(server.owner_url) as connection:
        for name, value in expected.items():
            row = connection.execute("select current_setting(%s, true)", [name]).fetchone()
            assert row is not None
            if name == "lc_collate":
                row = connection.execute(
                    "select datcollate from pg_database where datname = 'bursar'"
                ).fetchone()
            assert row == (value,), name
    stop(data_dir)
    (data_dir / "bursar.conf").write_text("nonsense")
    yard.start(data_dir)
    assert operator.read_text() == "work_mem = '3MB'\n"


def test_a_setting_the_server_does_not_know_fails_at_once_with_its_words(yard: Any) -> None:
    data_dir = yard.made()
    (data_dir / "operator.conf").write_text("no_such_setting = 1\n")
    (data_dir / "operator.conf").chmod(0o644)
    with pytest.raises(Invalid) as caught:
        yard.start(data_dir)
    assert caught.value.code == "server_settings_invalid"
    assert "no_such_setting" in caught.value.message
    (data_dir / "operator.conf").unlink()
    assert yard.start(data_dir).started


@pytest.mark.parametrize("setting", ["a b", "x'", "X"])
def test_what_is_no_setting_is_refused(yard: Any, setting: str) -> None:
    with pytest.raises(Invalid) as caught:
        start(yard.made(), settings={setting: "1"})
    assert caught.value.code == "server_settings_invalid"


def test_a_ledger_that_is_gone_is_not_replaced_by_an_empty_one(yard: Any) -> None:
    data_dir = yard.made()
    (data_dir / "pgdata").rename(yard.root / "elsewhere")
    with pytest.raises(Broken) as caught:
        yard.start(data_dir)
    assert caught.value.code == "data_missing"
    (yard.root / "elsewhere").rename(data_dir / "pgdata")
    assert yard.start(data_dir).started


def test_lost_passwords_are_named(yard: Any) -> None:
    data_dir = yard.made()
    (data_dir / "credentials.json").unlink()
    with pytest.raises(Invalid) as caught:
        yard.start(data_dir)
    assert caught.value.code == "credentials_missing"


def test_wrong_passwords_are_named(yard: Any) -> None:
    data_dir = yard.made()
    (data_dir / "credentials.json").write_text('{"owner": "guess", "service": "guess"}')
    with pytest.raises(Invalid) as caught:
        yard.start(data_dir)
    assert caught.value.code == "credentials_mismatch"
    assert "guess" not in caught.value.message

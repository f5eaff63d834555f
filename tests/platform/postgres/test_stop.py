"""Stopping ends the verified server of one directory, and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bursar.platform.errors import Unavailable
from bursar.platform.postgres import process, status, stop


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_stop_ends_every_process_of_the_server(yard: Any, mode: Any) -> None:
    data_dir = yard.made()
    server = yard.start(data_dir)
    with psycopg.connect(server.service_url) as connection:
        backend = connection.info.backend_pid
        assert stop(data_dir, mode=mode) is True
    assert not process.is_alive(server.pid)
    assert not process.is_alive(backend)
    assert stop(data_dir) is False


def test_stop_of_nothing_is_false(yard: Any) -> None:
    assert stop(yard.root / "nowhere") is False
    assert stop(yard.made()) is False


def test_stop_says_when_the_server_does_not_end_in_time(yard: Any) -> None:
    data_dir = yard.made()
    server = yard.start(data_dir)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable) as caught:
            stop(data_dir, wait_s=0.3)
        assert caught.value.code == "server_stop_timeout"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    yard.wait_for(lambda: status(data_dir).state == "stopped")


def test_stop_leaves_the_servers_of_other_directories_alone(yard: Any) -> None:
    one, other = yard.made("one"), yard.made("other")
    kept = yard.start(one)
    (other / "pgdata" / "postmaster.pid").write_text(
        (one / "pgdata" / "postmaster.pid").read_text()
    )
    assert status(other).state == "stopped"
    assert stop(other) is False
    assert process.is_postmaster(kept.pid, one / "pgdata")
    second = yard.start(other)
    assert second.started
    assert second.pid != kept.pid


def test_the_number_of_another_process_is_no_server(yard: Any) -> None:
    data_dir = yard.made()
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        pid_file = data_dir / "pgdata" / "postmaster.pid"
        pid_file.write_text(f"{sleeper.pid}\n{data_dir / 'pgdata'}\n1\n5432\n/nowhere\n\n\nready\n")
        assert status(data_dir).state == "stopped"
        assert stop(data_dir) is False
        server = yard.start(data_dir)
        assert server.started
        assert server.pid != sleeper.pid
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.communicate()


def test_a_corpse_with_the_number_does_not_hinder(yard: Any) -> None:
    data_dir = yard.made()
    corpse = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, corpse.pid, os.WEXITED | os.WNOWAIT)
    (data_dir / "pgdata" / "postmaster.pid").write_text(f"{corpse.pid}\n")
    assert yard.start(data_dir).started
    corpse.wait()


def test_a_garbled_pid_file_does_not_hinder(yard: Any) -> None:
    data_dir = yard.made()
    pid_file = data_dir / "pgdata" / "postmaster.pid"
    for text in ("", "nonsense\n"):
        pid_file.write_text(text)
        os.utime(pid_file, (1, 1))
        assert yard.start(data_dir).started
        stop(data_dir)


def test_without_proc_the_server_is_known_by_its_command_line(yard: Any) -> None:
    data_dir, other = yard.made("data"), yard.made("data2")
    server = yard.start(data_dir)
    nowhere = Path("/nonexistent")
    assert process.is_postmaster(server.pid, data_dir / "pgdata", proc=nowhere)
    assert not process.is_postmaster(server.pid, other / "pgdata", proc=nowhere)
    assert not process.is_postmaster(os.getpid(), data_dir / "pgdata", proc=nowhere)
    assert process.running_pid(data_dir / "pgdata", proc=nowhere) == server.pid


def test_where_root_may_not_look_the_command_line_tells(yard: Any, tmp_path: Path) -> None:
    data_dir = yard.made()
    server = yard.start(data_dir)
    real = Path("/proc") / str(server.pid)
    if not real.is_dir():
        pytest.skip("there is no /proc here")
    assert process._started_as_postmaster(real, data_dir / "pgdata")
    assert not process._started_as_postmaster(real, tmp_path)
    assert not process._started_as_postmaster(Path("/proc/self"), data_dir / "pgdata")


def test_a_removed_socket_is_named(yard: Any) -> None:
    data_dir = yard.made()
    server = yard.start(data_dir)
    (server.socket_dir / f".s.PGSQL.{server.port}").unlink()
    with pytest.raises(Unavailable) as caught:
        yard.start(data_dir)
    assert caught.value.code == "server_socket_missing"
    assert stop(data_dir) is True
    assert yard.start(data_dir).started

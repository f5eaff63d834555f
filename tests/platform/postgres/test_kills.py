"""Kill -9 of whoever starts, of the server, of both; and recovery that takes its time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bursar.platform.errors import Unavailable
from bursar.platform.postgres import cluster, process, status, stop
from bursar.platform.postgres.account import server_account
from bursar.platform.postgres.programs import find, reachable

# Each kills its own process at one exact point of a start.
POINTS = {
    "before initdb": "cluster.initdb = die",
    "before the new cluster has its name": "directory.Layout.rename = die",
    "before the launch": "boot.launch = die",
    "after the launch": "launch = boot.launch\nboot.launch = lambda *a: die(launch(*a))",
    "before the roles": "cluster.complete = die",
    "between the roles and the database": (
        "import psycopg\n"
        "execute = psycopg.Connection.execute\n"
        "psycopg.Connection.execute = lambda self, query, *a, **k: (\n"
        "    die() if 'create database' in repr(query) else execute(self, query, *a, **k))"
    ),
    "before the marker": (
        "write = directory.Layout.write_file\n"
        "directory.Layout.write_file = lambda self, path, text: (\n"
        "    die() if path.name == 'ready' else write(self, path, text))"
    ),
}
DIE = "def die(*_, **__):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
START = "\nstart(Path(sys.argv[1]), settings=QUICK)\n"


@pytest.mark.parametrize("point", POINTS)
def test_a_cold_start_killed_anywhere_is_completed_by_the_next(yard: Any, point: str) -> None:
    data_dir = yard.fresh()
    child = yard.client(DIE + POINTS[point] + START, data_dir)
    assert child.wait(60) == -signal.SIGKILL
    assert not (data_dir / "ready").exists()
    server = yard.start(data_dir)
    assert yard.value(server.service_url, "select current_user") == "bursar_service"
    left = {path.name for path in data_dir.iterdir() if path.name.startswith((".", "pgdata"))}
    assert left == {"pgdata"}


def test_initdb_outlives_its_starter_and_the_next_start_waits_for_it(yard: Any) -> None:
    data_dir = yard.fresh()
    child = yard.client(START, data_dir)
    yard.wait_for((data_dir / "pgdata.new" / "PG_VERSION").exists)
    child.kill()
    child.wait()
    assert not (data_dir / "pgdata").exists()
    assert yard.start(data_dir).started
    assert not (data_dir / "pgdata.new").exists()


def test_a_warm_start_killed_after_the_launch_leaves_a_server_to_attach_to(yard: Any) -> None:
    data_dir = yard.made()
    child = yard.client(DIE + POINTS["after the launch"] + START, data_dir)
    assert child.wait(60) == -signal.SIGKILL
    server = yard.start(data_dir)
    assert not server.started
    assert yard.value(server.service_url, "select 1") == 1


def test_a_killed_server_recovers_what_was_committed(yard: Any) -> None:
    data_dir = yard.made()
    first = yard.start(data_dir)
    with psycopg.connect(first.owner_url) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
    yard.kill(first.pid)
    second = yard.start(data_dir)
    assert second.started
    assert yard.value(second.owner_url, "select count(*) from kept") == 1000


def test_server_and_starter_killed_together_start_again(yard: Any) -> None:
    data_dir = yard.made()
    script = START + "os.kill(int(status(Path(sys.argv[1])).pid), signal.SIGKILL)\n"
    script += DIE + "die()"
    assert yard.client(script, data_dir).wait(60) == -signal.SIGKILL
    assert yard.start(data_dir).started


def _stopped_backend(yard: Any, url: str) -> tuple[psycopg.Connection[Any], int]:
    connection = psycopg.connect(url)
    pid = connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    return connection, pid


def test_a_start_waits_for_the_backends_of_a_killed_server(yard: Any) -> None:
    data_dir = yard.made()
    first = yard.start(data_dir)
    connection, backend = _stopped_backend(yard, first.owner_url)
    try:
        yard.kill(first.pid)
        with pytest.raises(Unavailable) as caught:
            yard.start(data_dir, wait_s=0.5)
        assert caught.value.code == "server_start_timeout"
        assert status(data_dir).state == "stopped"
        waiting = yard.starter(data_dir)
        yard.wait_for(lambda: status(data_dir).state == "starting")
    finally:
        os.kill(backend, signal.SIGCONT)
    assert yard.answer(waiting)["started"]
    connection.close()


def test_shared_memory_in_use_is_waited_for_when_the_server_was_not_ours(yard: Any) -> None:
    data_dir = yard.made()
    foreign = _launch_by_hand(yard, data_dir)
    attached = yard.start(data_dir)
    assert (attached.pid, attached.started) == (foreign, False)
    connection, backend = _stopped_backend(yard, attached.owner_url)
    try:
        yard.kill(foreign)
        for wait_s in (0.5, 5, 50):  # on a busy machine the launch itself may take longer
            with pytest.raises(Unavailable) as caught:
                yard.start(data_dir, wait_s=wait_s)
            assert caught.value.code == "server_start_timeout"
            if "shared memory block" in caught.value.message:
                break
        assert "shared memory block" in caught.value.message
    finally:
        os.kill(backend, signal.SIGCONT)
    # the start that gave up may have left a launch behind that now succeeds: a new one either way
    assert yard.start(data_dir).pid != foreign
    connection.close()


def _launch_by_hand(yard: Any, data_dir: Path) -> int:
    """Start the server as an operator would, without our locks."""
    layout_dir = data_dir / "pgdata"
    account = server_account(layout_dir)
    programs = reachable(find(), cluster.Layout(data_dir, account))
    child = subprocess.Popen(
        [programs.path("postgres"), "-D", str(layout_dir), "-k", str(data_dir / "run")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=cluster.environment(),
        **account.popen(),
    )
    yard.wait_for(lambda: status(data_dir).state == "running")
    return child.pid


def test_a_recovering_server_is_starting_and_can_be_stopped(yard: Any) -> None:
    data_dir = yard.made()
    yard.slow_recovery(data_dir)
    waiting = yard.starter(data_dir)
    pid = yard.wait_for(lambda: status(data_dir).pid)
    yard.wait_for(lambda: status(data_dir).state == "starting")
    assert stop(data_dir, mode="immediate") is True
    assert not process.is_alive(pid)
    assert yard.answer(waiting)["code"] == "server_died"


def test_a_start_fails_at_once_when_the_recovering_server_dies(yard: Any) -> None:
    data_dir = yard.made()
    go = yard.slow_recovery(data_dir)
    waiting = yard.starter(data_dir)
    pid = yard.wait_for(lambda: status(data_dir).pid)
    yard.kill(pid)
    answer = yard.answer(waiting)
    assert answer["code"] == "server_died"
    assert "PostgreSQL ended while it was starting" in answer["message"]
    go.touch()
    assert yard.start(data_dir).started


def test_from_another_process_namespace_the_server_is_attached_to_and_not_signalled(
    yard: Any,
) -> None:
    unshare = shutil.which("unshare")
    inside = [str(unshare), "--pid", "--fork", "--mount-proc"]
    if unshare is None or subprocess.run([*inside, "true"], check=False).returncode != 0:
        pytest.skip("a process namespace of one's own needs root and unshare")
    data_dir = yard.made()
    server = yard.start(data_dir)
    script = (
        "import sys; from pathlib import Path\n"
        "from bursar.platform.errors import Unavailable\n"
        "from bursar.platform.postgres import start, status, stop\n"
        "d = Path(sys.argv[1]); s = start(d, wait_s=60); print(s.started, status(d).state)\n"
        "try:\n    stop(d, wait_s=0.2)\n"
        "except Unavailable as error:\n    print(error.code)\n"
    )
    done = subprocess.run(
        [*inside, sys.executable, "-c", script, str(data_dir)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.split() == ["False", "running", "server_stop_timeout"]
    assert process.is_postmaster(server.pid, data_dir / "pgdata")


@pytest.mark.slow
def test_recovery_longer_than_ten_seconds_is_waited_for(yard: Any) -> None:
    data_dir = yard.made()
    go = yard.slow_recovery(data_dir)
    waiting = yard.starter(data_dir)
    pid = yard.wait_for(lambda: status(data_dir).pid)
    until = time.monotonic() + 11
    while time.monotonic() < until:
        assert waiting.poll() is None
        assert status(data_dir).state == "starting"
        time.sleep(0.5)
    go.touch()
    assert yard.answer(waiting) == {"pid": pid, "started": True}

"""The embedded server: start or attach, stop, status (O1)."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec
import psycopg
from psycopg.pq import Ping

from bursar.platform.errors import BursarError, Unavailable
from bursar.platform.postgres import boot, cluster, logs
from bursar.platform.postgres.directory import (
    Layout,
    disk_errors,
    disk_full,
    layout_of,
    prepare,
    server_lock_held,
    start_lock,
    start_lock_held,
)
from bursar.platform.postgres.process import (
    PidFile,
    is_alive,
    read_pid_file,
    running_pid,
    signal_postmaster,
)
from bursar.platform.postgres.programs import Programs, find, reachable

_NONE: Mapping[str, str] = MappingProxyType({})
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Server(msgspec.Struct, frozen=True):
    """A running server we may use; the addresses hold passwords and are not shown."""

    data_dir: Path
    pid: int
    version: str
    socket_dir: Path
    port: int
    service_url: str
    owner_url: str
    started: bool

    def __repr__(self) -> str:
        how = "started" if self.started else "attached"
        return f"Server({self.data_dir}, PostgreSQL {self.version}, pid {self.pid}, {how})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        shown = ("data_dir", "pid", "version", "started")
        return [(name, getattr(self, name)) for name in shown]


class Status(msgspec.Struct, frozen=True):
    """What is known about a directory without changing it.

    ``absent``: no data. ``starting``: alive or being set up, but taking no connections: starting,
    recovering, upgrading or on its way down. ``pid`` is None while it is not known; ``version`` is
    known of a running server, ``major`` of any data.
    """

    state: Literal["absent", "stopped", "starting", "running"]
    pid: int | None = None
    version: str | None = None
    major: int | None = None


def start(
    data_dir: Path,
    *,
    postgres_bin: Path | None = None,
    settings: Mapping[str, str] = _NONE,
    wait_s: float = 3600,
) -> Server:
    """Start the directory's server, or attach to it if it runs; make the directory if need be.

    The server outlives us and runs until `stop`. At most one process starts at a time, the others
    wait and attach; ``settings`` (PostgreSQL's) count for whoever starts it. A start that was
    killed anywhere is completed by the next. Crash recovery is waited for, up to ``wait_s`` in all.

    Raises `Invalid`, `Missing` (no programs), `Rejected` ``postgres_version_mismatch``,
    `Unavailable` (``disk_full``, ``server_died``, ...) or `Broken` ``data_missing``.
    """
    deadline = time.monotonic() + wait_s
    layout = prepare(data_dir)

    def arm() -> Programs:
        programs = reachable(find(postgres_bin), layout)
        cluster.check_major(layout, programs)
        boot.write_settings(layout, programs, settings)
        return programs

    with start_lock(layout, deadline) as lock, disk_errors(layout.root):
        if running_pid(layout.pgdata) is None and not server_lock_held(layout):
            cluster.recover_names(layout)
            if cluster.data_major(layout.pgdata) is None:
                cluster.create(layout, reachable(find(postgres_bin), layout), lock)
        credentials = cluster.load_credentials(layout)
        up = boot.bring_up(layout, credentials, arm, deadline)
        return finish(layout, credentials, up)


def stop(
    data_dir: Path, *, mode: Literal["fast", "immediate"] = "fast", wait_s: float = 60
) -> bool:
    """Stop the server and wait until its last process is gone; false if there was none.

    Only a process proven to be PostgreSQL in this directory is ever signalled. ``fast`` ends the
    sessions and writes a checkpoint; ``immediate`` leaves recovery to the next start. Raises
    `Unavailable` ``server_stop_timeout``.
    """
    deadline = time.monotonic() + wait_s
    layout = layout_of(data_dir)
    stopped: int | None = None
    with disk_errors(layout.root):
        while True:
            pid, held = running_pid(layout.pgdata), server_lock_held(layout)
            if stopped is None and pid is not None:
                if signal_postmaster(pid, layout.pgdata, _SIGNALS[mode]):
                    stopped = pid
            elif stopped is None and not held:
                return False
            elif stopped is not None and not is_alive(stopped) and (pid is not None or not held):
                return True  # gone, or gone and another has been started since
            if time.monotonic() > deadline:
                raise Unavailable(
                    "server_stop_timeout",
                    f"processes of the server in {layout.root} have not ended within {wait_s} s",
                    path=str(layout.root),
                    pid=pid,
                )
            time.sleep(0.02)


def status(data_dir: Path) -> Status:
    """Look at the directory and change nothing."""
    layout = layout_of(data_dir)
    with disk_errors(layout.root):
        major = cluster.data_major(layout.pgdata)
        busy = start_lock_held(layout)
        if major is None:
            return Status("starting" if busy else "absent")
        pid, held = running_pid(layout.pgdata), server_lock_held(layout)
        seen = read_pid_file(layout.pgdata)
        answer = boot.knock(seen) if pid is not None or held else Ping.NO_RESPONSE
        if seen is not None and answer == Ping.OK:
            return Status("running", seen.pid, _version(layout, seen), major)
        if pid is not None or busy or answer == Ping.REJECT or (held and seen is None):
            return Status("starting", pid, None, major)
        return Status("stopped", None, None, major)


def _version(layout: Layout, seen: PidFile) -> str | None:
    """Ask a running server; None when it is too busy to say."""
    try:
        credentials = cluster.load_credentials(layout)
        return boot.enter(layout, seen, credentials, started=False).version
    except (BursarError, psycopg.OperationalError):
        return None


def finish(layout: Layout, credentials: cluster.Credentials, up: boot.Up) -> Server:
    """Complete a cold start and say where the server is."""
    if not layout.ready.exists():
        try:
            cluster.complete(layout, credentials, up.socket_dir, up.port)
        except psycopg.Error as error:
            if error.sqlstate == "53100":
                raise disk_full(layout.root, logs.clean(str(error))) from error
            raise logs.explain(
                "roles and database could not be made", layout, logs.clean(str(error))
            ) from error
    cluster.close_upgrade(layout)
    return Server(
        data_dir=layout.root,
        pid=up.pid,
        version=up.version,
        socket_dir=up.socket_dir,
        port=up.port,
        service_url=cluster.url(cluster.SERVICE, credentials.service, up.socket_dir, up.port),
        owner_url=cluster.url(cluster.OWNER, credentials.owner, up.socket_dir, up.port),
        started=up.started,
    )

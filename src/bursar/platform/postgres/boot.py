"""Launching the server and waiting until it takes connections (O1)."""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from bursar.platform.errors import Broken, Invalid, Unavailable
from bursar.platform.postgres import cluster, logs, tuning
from bursar.platform.postgres.directory import (
    Layout,
    disk_errors,
    server_lock_held,
    take_server_lock,
)
from bursar.platform.postgres.process import (
    PidFile,
    is_alive,
    read_pid_file,
    remove_stale_pid_file,
    running_pid,
)
from bursar.platform.postgres.programs import Programs, supports_lz4

# The longest socket path a kernel takes; upgrades use a port of five digits.
_SUN_PATH = 103 if sys.platform == "darwin" else 107
_PATIENCE_S = 10.0
_STILL_IN_USE = "pre-existing shared memory block"
_LAUNCH = '{ exec "$@" 1>&2; } & echo $!'


class Up(msgspec.Struct, frozen=True):
    """A server that takes connections."""

    pid: int
    version: str
    socket_dir: Path
    port: int
    started: bool


def write_settings(
    layout: Layout, programs: Programs, extra: Mapping[str, str], *, lz4: bool = True
) -> None:
    """Rewrite ``bursar.conf`` for this machine; ``extra`` wins over what we choose."""
    chosen = tuning.server_settings(
        memory=tuning.machine_memory(),
        disk=tuning.disk_size(layout.root),
        lz4=lz4 and supports_lz4(programs),
    )
    with disk_errors(layout.root):
        layout.write_file(layout.conf, tuning.render(chosen | dict(extra)))


def bring_up(
    layout: Layout,
    credentials: cluster.Credentials,
    arm: Callable[[], Programs],
    deadline: float,
) -> Up:
    """Launch the server unless it runs, and wait for it however long recovery takes.

    ``arm`` is called before a launch and gives the programs. The caller holds the start lock. Waits
    while the server's process lives (recovering) or processes of a dead one remain; fails at
    once when the server it launched ends. Raises `Unavailable` ``server_died``, ``disk_full``,
    ``server_start_timeout`` or ``server_socket_missing``, `Invalid` ``server_settings_invalid`` or
    ``credentials_mismatch``, each with the last lines of the log.
    """
    written = logs.sizes(layout)
    launched: int | None = None
    refused: list[str] = []
    for now in _pulse():
        pid, held = running_pid(layout.pgdata), server_lock_held(layout)
        if pid is not None or held:
            up = _reach(layout, credentials, launched)
            if up is not None:
                return up
        if launched is not None and not is_alive(launched):
            refused = logs.last_lines(layout, written)
            if not any(_STILL_IN_USE in line for line in refused):
                raise logs.explain("PostgreSQL ended while it was starting", layout, refused)
            launched = None
        elif launched is None and pid is None and not held:
            written = logs.sizes(layout)
            launched = launch(layout, arm())
        if now > deadline:
            log = refused or logs.last_lines(layout, written)
            raise _too_late(layout, pid or launched, log)
    raise AssertionError("the pulse does not end")


def launch(layout: Layout, programs: Programs) -> int | None:
    """Start the server as a daemon and return its process id; None when one is there after all.

    It belongs to no process of ours (a shell in between has gone), so that nobody need collect it,
    and it inherits the server lock, which therefore lasts as long as any of its processes.
    """
    with disk_errors(layout.root):
        lock = take_server_lock(layout)
        if lock is None:
            return None
        try:
            remove_stale_pid_file(layout.pgdata)
            where = socket_dir(layout)
            for left in where.glob(".s.PGSQL.*"):
                left.unlink(missing_ok=True)
            log = layout.open_file(layout.log / "start.log", os.O_WRONLY | os.O_APPEND)
            try:
                os.ftruncate(log, 0)
                quoted = str(where).replace('"', '""')
                done = subprocess.run(
                    [
                        *("/bin/sh", "-c", _LAUNCH, "sh", programs.path("postgres")),
                        *("-D", str(layout.pgdata)),
                        *("-c", f'unix_socket_directories="{quoted}"'),
                    ],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=layout.run,
                    env=cluster.environment(),
                    umask=0o077,
                    start_new_session=True,
                    pass_fds=(lock,),
                    **layout.account.popen(),
                )
            finally:
                os.close(log)
            return int(done.stdout)
        finally:
            os.close(lock)


def knock(seen: PidFile | None) -> Ping:
    """Ask whether a server takes connections: OK, REJECT (starting, stopping) or NO_RESPONSE.

    No password is sent: that the server asks for one is the answer.
    """
    if seen is None or seen.socket_dir is None or seen.port is None:
        return Ping.NO_RESPONSE
    asked = make_conninfo(
        host=str(seen.socket_dir),
        hostaddr="",
        port=seen.port,
        user=cluster.OWNER,
        dbname="postgres",
        connect_timeout=5,
    )
    return Ping(PGconn.ping(os.fsencode(asked)))


def socket_dir(layout: Layout) -> Path:
    """Choose the directory of the socket: ours, or a short private one when ours does not do.

    The short one lies under /tmp and not in the session's runtime directory, because the server
    outlives the session. Its name is derived from the data directory and recorded there; whatever
    stands under that name and is not a private directory of the server's account is not used.
    """
    fits = len(os.fsencode(layout.run / ".s.PGSQL.50432")) <= _SUN_PATH
    if fits and "," not in str(layout.run):  # clients take a comma for a list of hosts
        return layout.run
    digest = hashlib.sha256(os.fsencode(layout.root)).hexdigest()[:12]
    derived = Path("/tmp") / f"bursar-{layout.account.uid}-{digest}"  # noqa: S108 - checked below
    record = layout.root / "socket_dir"
    with suppress(FileNotFoundError):
        recorded = Path(record.read_text().strip())
        if recorded.name.startswith(derived.name) and _private(recorded, layout):
            return recorded
    with suppress(FileExistsError):
        derived.mkdir(mode=0o700)
        layout.give(derived)
    if not _private(derived, layout):
        derived = Path(tempfile.mkdtemp(prefix=f"{derived.name}-", dir=derived.parent))
        layout.give(derived)
    layout.write_file(record, f"{derived}\n")
    return derived


def enter(layout: Layout, seen: PidFile, credentials: cluster.Credentials, *, started: bool) -> Up:
    """Connect once and make sure that this is the server of our directory.

    Raises psycopg's error when the connection fails, `Broken` ``server_of_another_directory``.
    """
    with psycopg.connect(
        host=str(seen.socket_dir),
        hostaddr="",
        port=seen.port,
        user=cluster.OWNER,
        password=credentials.owner,
        dbname="postgres",
        autocommit=True,
        connect_timeout=5,
    ) as connection:
        row = connection.execute("show data_directory").fetchone()
        number = connection.info.server_version
    if row is None or not Path(str(row[0])).samefile(layout.pgdata):
        raise Broken(
            "server_of_another_directory",
            f"the server at {seen.socket_dir} serves {row and row[0]}, not {layout.pgdata}",
            path=str(layout.pgdata),
        )
    version = f"{number // 10000}.{number % 10000}"
    return Up(seen.pid, version, seen.socket_dir or layout.run, seen.port or 0, started)


def _let_in(
    layout: Layout, seen: PidFile, credentials: cluster.Credentials, *, started: bool
) -> Up | None:
    """Enter a server that answers; None when it stops answering before it lets us in."""
    began = time.monotonic()
    for now in _pulse():
        try:
            return enter(layout, seen, credentials, started=started)
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise Invalid(
                    "credentials_mismatch",
                    f"the server does not accept the passwords in {layout.credentials}",
                    path=str(layout.credentials),
                ) from error
            if knock(seen) != Ping.OK:
                return None
            if now - began > _PATIENCE_S:
                raise Unavailable(
                    "server_too_busy",
                    f"the server in {layout.root} runs but lets nobody in: {error}",
                    path=str(layout.root),
                    pid=seen.pid,
                ) from error
    raise AssertionError("the pulse does not end")


def _pulse() -> Iterator[float]:
    """Yield the time again and again, quickly at first, then twice a second."""
    pause = 0.01
    while True:
        yield time.monotonic()
        time.sleep(pause)
        pause = min(pause * 1.3, 0.5)


def _private(path: Path, layout: Layout) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    is_directory = (found.st_mode & 0o170000) == 0o040000
    return is_directory and found.st_uid == layout.account.uid and not found.st_mode & 0o077


def _reach(layout: Layout, credentials: cluster.Credentials, launched: int | None) -> Up | None:
    """Try the server that is there; None while it takes no connections."""
    seen = read_pid_file(layout.pgdata)
    answer = knock(seen)
    if seen is not None and answer == Ping.OK:
        return _let_in(layout, seen, credentials, started=seen.pid == launched)
    if answer == Ping.NO_RESPONSE and _socket_gone(layout):
        raise Unavailable(
            "server_socket_missing",
            f"the server in {layout.root} runs, but its socket in "
            f"{seen and seen.socket_dir} was removed; stop it and start it again",
            path=str(layout.root),
        )
    return None


def _socket_gone(layout: Layout) -> bool:
    """Tell whether a live server that calls itself ready has no socket (any more)."""
    seen = read_pid_file(layout.pgdata)
    if seen is None or seen.socket_dir is None or seen.status != "ready":
        return False
    if (seen.socket_dir / f".s.PGSQL.{seen.port}").exists():
        return False
    # It may be ending this moment: then the file says so, or the process is gone.
    return read_pid_file(layout.pgdata) == seen and running_pid(layout.pgdata) == seen.pid


def _too_late(layout: Layout, pid: int | None, log: list[str]) -> Unavailable:
    what = "is not up yet" if pid else "has processes left that do not end"
    shown = "".join(f"\n  {line}" for line in log)
    return Unavailable(
        "server_start_timeout",
        f"the server in {layout.root} {what}{shown}",
        path=str(layout.root),
        pid=pid,
        log=log,
    )

"""Which process is the server of a directory, and signals that reach no other (O1).

A number in ``postmaster.pid`` proves nothing: the process may be long dead and the number given to
someone else. A process counts only if it is PostgreSQL and works in that very directory.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import msgspec

PROC = Path("/proc")
_NAMES = ("postgres", "postmaster")
_UNFINISHED_S = 5.0


class PidFile(msgspec.Struct, frozen=True):
    """What ``postmaster.pid`` says; the later lines appear while the server comes up."""

    pid: int
    port: int | None
    socket_dir: Path | None
    status: str | None


def read_pid_file(pgdata: Path) -> PidFile | None:
    """Read the file; None when it is absent or holds no number (yet)."""
    try:
        lines = (pgdata / "postmaster.pid").read_text(errors="replace").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines += [""] * (8 - len(lines))
    try:
        pid = abs(int(lines[0]))  # a stand-alone backend writes its number negated
    except ValueError:
        return None
    return PidFile(
        pid=pid,
        port=int(lines[3]) if lines[3].strip().isdigit() else None,
        socket_dir=Path(lines[4]) if lines[4].strip() else None,
        status=lines[7].strip() or None,
    )


def remove_stale_pid_file(pgdata: Path) -> None:
    """Remove a file whose process is not a server here, so that PostgreSQL starts.

    PostgreSQL itself gives up when the number belongs to any process of its account, a corpse that
    nobody collected included. The caller holds the start lock and knows that no server process is
    left. A number of nobody stays: with it PostgreSQL looks for shared memory still in use. A file
    without a number may be one that is being written, and stays for a few seconds.
    """
    path = pgdata / "postmaster.pid"
    found = read_pid_file(pgdata)
    with suppress(FileNotFoundError):
        if found is None and time.time() - path.stat().st_mtime < _UNFINISHED_S:
            return
        if found is None or (_exists(found.pid) and not is_postmaster(found.pid, pgdata)):
            path.unlink()


def running_pid(pgdata: Path, proc: Path = PROC) -> int | None:
    """Find the process that serves this directory."""
    found = read_pid_file(pgdata)
    return found.pid if found and is_postmaster(found.pid, pgdata, proc) else None


def is_postmaster(pid: int, pgdata: Path, proc: Path = PROC) -> bool:
    """Tell whether the process is PostgreSQL in this directory."""
    if not is_alive(pid, proc):
        return False
    here = proc / str(pid)
    if not here.is_dir():
        return _listed_as_postmaster(pid, pgdata)
    try:
        program = (here / "exe").readlink().name.removesuffix(" (deleted)")
        return program in _NAMES and (here / "cwd").samefile(pgdata)
    except FileNotFoundError:
        return False
    except PermissionError:  # root in a container may not look into another account's process
        return _started_as_postmaster(here, pgdata)


def is_alive(pid: int, proc: Path = PROC) -> bool:
    """Tell whether the process exists and is not a corpse that nobody collected."""
    if not _exists(pid):
        return False
    try:
        state = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        state = _ps(pid, "state=")[:1]
    return state not in {"Z", "X"} and _exists(pid)


def signal_postmaster(pid: int, pgdata: Path, number: signal.Signals) -> bool:
    """Signal the process if it is this directory's server; false when it is not (any more).

    Where the kernel has process descriptors the check and the signal concern the same process even
    if the number changes hands in between.
    """
    handle: int | None = None
    opener = getattr(os, "pidfd_open", None)
    try:
        if opener is not None:
            with suppress(OSError):
                handle = opener(pid)
        if not is_postmaster(pid, pgdata):
            return False
        if handle is not None:
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    finally:
        if handle is not None:
            os.close(handle)
    return True


def _exists(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _started_as_postmaster(here: Path, pgdata: Path) -> bool:
    """Judge by the command line, which everyone may read."""
    try:
        arguments = [os.fsdecode(part) for part in (here / "cmdline").read_bytes().split(b"\0")]
    except OSError:
        return False
    if Path(arguments[0]).name not in _NAMES or "-D" not in arguments[:-1]:
        return False
    return _same(Path(arguments[arguments.index("-D") + 1]), pgdata)


def _listed_as_postmaster(pid: int, pgdata: Path) -> bool:
    """Judge by what ``ps`` shows, where there is no ``/proc``: program, then ``-D directory``."""
    command = _ps(pid, "command=")
    program, found, rest = command.partition(" -D ")
    if not found or Path(program).name not in _NAMES:
        return False
    return any(rest == str(path) or rest.startswith(f"{path} ") for path in {pgdata, _real(pgdata)})


def _ps(pid: int, column: str) -> str:
    try:
        answer = subprocess.run(
            ["ps", "-ww", "-o", column, "-p", str(pid)],  # noqa: S607 - wherever the system has it
            check=False,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))

"""The data directory: what lies where, who may touch it, and the two locks (O1).

<data_dir>/
  pgdata/             PostgreSQL's own directory
  pgdata.new/         one that is being made; whatever a dead process left there is removed
  pgdata.before/      the old one while an upgrade is not yet verified
  bursar.conf         our settings, rewritten at each start
  operator.conf       the operator's settings, read last, never written by us
  credentials.json    the passwords of the two roles, 0600
  ready               written once roles and database exist
  start.lock          held (flock) by whoever starts, sets up or upgrades
  server.lock         held (flock) by the server's processes, inherited from their start
  run/                the socket, 0700
  log/                start.log and the server's own logs
  programs/           copies of programs that the server's account could not reach
"""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.postgres.account import Account, first_blocked, server_account

TEMPORARY = ".bursar-"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class Layout(msgspec.Struct, frozen=True):
    """Paths inside one data directory, and the account that owns what is in it."""

    root: Path
    account: Account

    @property
    def pgdata(self) -> Path:
        return self.root / "pgdata"

    @property
    def new(self) -> Path:
        return self.root / "pgdata.new"

    @property
    def before(self) -> Path:
        return self.root / "pgdata.before"

    @property
    def conf(self) -> Path:
        return self.root / "bursar.conf"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def ready(self) -> Path:
        return self.root / "ready"

    @property
    def start_lock(self) -> Path:
        return self.root / "start.lock"

    @property
    def server_lock(self) -> Path:
        return self.root / "server.lock"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    def make_dir(self, path: Path) -> None:
        """Make a directory of ours, 0700, unless it is there."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            return
        self.give(path)

    def give(self, path: Path) -> None:
        """Hand something we made to the server's account."""
        if self.account.dropped:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def open_file(self, path: Path, flags: int) -> int:
        """Open a file of ours, making it 0600; a link to another file in its place is refused.

        We may be root in a directory of an account that we do not trust.
        """
        fd = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        found = os.fstat(fd)
        if found.st_nlink > 1:
            os.close(fd)
            raise OSError(errno.EPERM, "has another name", str(path))
        if self.account.dropped and found.st_uid == 0:
            os.fchown(fd, self.account.uid, self.account.gid)
        return fd

    def write_file(self, path: Path, text: str) -> None:
        """Replace a file of ours durably: readers see the old text or the new one."""
        fd, name = tempfile.mkstemp(prefix=TEMPORARY, dir=self.root)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            self.give(Path(name))
            Path(name).rename(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self.sync()

    def rename(self, source: Path, target: Path) -> None:
        """Rename within the directory, durably."""
        source.rename(target)
        self.sync()

    def sync(self) -> None:
        """Make renames and new names of the directory durable."""
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def layout_of(data_dir: Path) -> Layout:
    """Look at a directory without making anything."""
    root = Path(os.path.realpath(data_dir.expanduser()))
    with disk_errors(root):
        return Layout(root, server_account(root / "pgdata", root))


def prepare(data_dir: Path) -> Layout:
    """Make the directory if need be and check that the server's account can get there.

    Only what is made here is given to that account; parents keep their owner and mode. Raises
    `Invalid` ``data_dir_unreachable``, ``data_dir_not_writable`` or ``data_dir_invalid``.
    """
    layout = layout_of(data_dir)
    root = layout.root
    with disk_errors(root):
        if not root.exists():
            _make_root(layout)
        if not root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(root))
        if layout.account.dropped:
            blocked = first_blocked(layout.account, [*reversed(root.parents), root])
            if blocked is not None:
                raise Invalid(
                    "data_dir_unreachable",
                    f"PostgreSQL runs as {layout.account.name}, which may not enter {blocked}; "
                    "set BURSAR_DATA_DIR to a directory it can reach",
                    path=str(blocked),
                    account=layout.account.name,
                )
        elif layout.pgdata.exists() and layout.pgdata.stat().st_uid != layout.account.uid:
            raise Invalid(
                "data_dir_not_writable",
                f"{layout.pgdata} belongs to another account than {layout.account.name}",
                path=str(layout.pgdata),
            )
        for path in (layout.log, layout.run):
            layout.make_dir(path)
    return layout


def _make_root(layout: Layout) -> None:
    """Make the root complete with owner, then name it: nobody sees it half made."""
    for parent in reversed(layout.root.parents):
        if not parent.exists():
            with suppress(FileExistsError):
                parent.mkdir()
                if layout.account.dropped:
                    parent.chmod(0o755)
    made = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=layout.root.parent))
    layout.give(made)
    try:
        made.rename(layout.root)
    except OSError:
        made.rmdir()
        if not layout.root.is_dir():
            raise


@contextmanager
def start_lock(layout: Layout, deadline: float) -> Iterator[int]:
    """Hold the directory alone; yields the descriptor, which children may inherit.

    A program that inherits it (initdb, pg_upgrade) keeps the lock when its starter is killed, so
    the next start waits for it to end. Raises `Unavailable` ``data_dir_busy`` at the deadline.
    """
    with disk_errors(layout.root):
        fd = layout.open_file(layout.start_lock, os.O_RDWR)
    try:
        while not _flock(fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise Unavailable(
                    "data_dir_busy",
                    f"another process is starting or upgrading the server in {layout.root}",
                    path=str(layout.root),
                )
            time.sleep(0.05)
        yield fd
    finally:
        os.close(fd)


def take_server_lock(layout: Layout) -> int | None:
    """Take the lock that the server will inherit; None while processes of a server hold it."""
    fd = layout.open_file(layout.server_lock, os.O_RDWR)
    if _flock(fd, fcntl.LOCK_EX):
        return fd
    os.close(fd)
    return None


def server_lock_held(layout: Layout) -> bool:
    """Tell whether any process of a server that we started is alive, orphans included."""
    return _held(layout.server_lock)


def start_lock_held(layout: Layout) -> bool:
    """Tell whether someone is starting, setting up or upgrading right now."""
    return _held(layout.start_lock)


def remove_tree(path: Path) -> None:
    """Remove a directory that is ours, if it is there."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the file system says into errors with a code and the path."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> BursarError:
    """Name one file-system error."""
    where = str(error.filename or path)
    if error.errno in _FULL:
        return disk_full(path, [])
    if error.errno in _FORBIDDEN:
        return Invalid("data_dir_not_writable", f"may not read or write {where}", path=where)
    return Invalid("data_dir_invalid", f"{where}: {error.strerror or error}", path=where)


def disk_full(path: Path, log: list[str]) -> Unavailable:
    """Say that the file system of ``path`` is full, and how much it has left."""
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        free = 0
    lines = "".join(f"\n  {line}" for line in log)
    message = f"no space left on the file system of {path} ({free // 2**20} MB free){lines}"
    return Unavailable("disk_full", message, path=str(path), free_bytes=free, log=log)


def _held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _flock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

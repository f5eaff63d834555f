"""Making a backup: one consistent picture of the books, named only when it is whole (O3)."""

import os
import subprocess
import tempfile
from pathlib import Path

from bursar.platform.backup.archive import Manifest, inspect
from bursar.platform.backup.client import known_error, without_password, words
from bursar.platform.backup.server import server_major
from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.migrations import schema_version
from bursar.platform.postgres.directory import disk_full
from bursar.platform.postgres.programs import find_clients


def back_up(owner_url: str, file: Path, *, postgres_bin: Path | None = None) -> Manifest:
    """Write a backup while everybody goes on working; ``file`` is readable by its owner only.

    A file of that name is replaced when the new one is complete and on disk, not before. Raises
    `Invalid` ``file_unusable``, `Unavailable` ``disk_full``, ``backup_failed`` or
    ``database_unavailable``, `Rejected` ``owner_needed``, `Missing` for programs.
    """
    if file.exists() and not file.is_file():
        raise Invalid("file_unusable", f"{file} is not a file", path=str(file))
    if not schema_version(owner_url):
        raise Unavailable("schema_missing", "the database has no schema yet: run `bursar migrate`")
    programs = find_clients(server_major(owner_url), postgres_bin)
    try:
        fd, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
    except OSError as error:
        raise _file_error(error, file) from error
    part = Path(name)
    try:
        _dump(programs.path("pg_dump"), owner_url, part)
        manifest = inspect(part, programs)
        os.fsync(fd)
        part.rename(file)
        _sync(file.parent)
    except OSError as error:
        raise _file_error(error, file) from error
    finally:
        os.close(fd)
        part.unlink(missing_ok=True)
    return manifest


def _dump(pg_dump: str, owner_url: str, part: Path) -> None:
    conninfo, environment = without_password(owner_url)
    done = subprocess.run(
        [
            *(pg_dump, "--format=custom", "--schema=bursar", "--no-password"),
            *("--lock-wait-timeout=60s", f"--file={part}", f"--dbname={conninfo}"),
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )
    if done.returncode:
        what = "the backup was not made"
        raise known_error(done.stderr, what) or Unavailable(
            "backup_failed", f"{what}\n{words(done.stderr)}"
        )


def _file_error(error: OSError, file: Path) -> BursarError:
    if error.errno in {28, 122}:  # ENOSPC, EDQUOT
        return disk_full(file.parent, [])
    return Invalid("file_unusable", f"{file}: {error.strerror or error}", path=str(file))


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

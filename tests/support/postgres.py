"""Throw-away servers for the tests, run by Bursar's own manager."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bursar.platform import postgres
from bursar.platform.postgres import Server

SMALL = {"shared_buffers": "64MB", "max_connections": "60", "max_wal_size": "256MB"}

# A test loses nothing when the machine dies.
THROW_AWAY = SMALL | {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_ENOUGH = 2 * 2**30


def chosen_bin() -> Path | None:
    """Return the programs that ``BURSAR_TEST_POSTGRES_BIN`` names; None for the wheel's."""
    chosen = os.environ.get("BURSAR_TEST_POSTGRES_BIN")
    return Path(chosen) if chosen else None


def start(data_dir: Path, settings: dict[str, str]) -> Server:
    """Start, or restart, the server of a directory on the chosen programs."""
    return postgres.start(data_dir, postgres_bin=chosen_bin(), settings=settings, wait_s=120)


@contextmanager
def server_in_temporary_directory(settings: dict[str, str]) -> Iterator[Server]:
    """Run a server that is gone afterwards, data and all."""
    base = Path(tempfile.mkdtemp(prefix="bursar-", dir=roomy()))
    base.chmod(0o711)  # the server's account must be able to enter
    try:
        yield start(base / "data", settings)
    finally:
        postgres.stop(base / "data")
        shutil.rmtree(base, ignore_errors=True)


def database_url(url: str, name: str) -> str:
    """Lead the same role to another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def role_url(url: str, role: str, password: str) -> str:
    """Lead another role to the same database."""
    return urlsplit(url)._replace(netloc=f"{role}:{password}@").geturl()


def roomy() -> Path:
    """Memory where there is plenty of it; a short path in any case, for the socket's sake."""
    memory = Path("/dev/shm")  # noqa: S108
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ENOUGH:
        return memory
    return Path("/tmp")  # noqa: S108

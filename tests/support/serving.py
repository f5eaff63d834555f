"""A real `bursar serve` on a test's database, and keys for it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bursar.access import Access
from bursar.client import Client, Patience
from bursar.platform.database import Database
from tests.support.running import PATIENCE_S, kept_port

_READY: Final = Patience(deadline_s=60, longest_wait_s=0.1)


async def add_key(url: str, scope: str, **terms: Any) -> str:
    """Make a key of one scope in a database; returns its secret."""
    database = Database(url, max_connections=2)
    await database.open()
    try:
        access = Access(database, key_per_minute=600_000, holder_per_minute=120)
        made = await access.add_key(
            f"a {scope}", "tests", [scope], actor="test", reason="for a test", **terms
        )
        await access.close()
    finally:
        await database.close()
    return made.secret


@contextmanager
def serving(database_url: str, key: str, log: Path) -> Iterator[int]:
    """Run the server until the block ends; gives its port once it is ready."""
    environ = os.environ | {"BURSAR_DATABASE_URL": database_url}
    with kept_port() as port:
        command = [sys.executable, "-m", "bursar", "serve", "--port", str(port), "--json"]
        with log.open("wb") as told:
            process = subprocess.Popen(command, env=environ, stdout=told, stderr=told)
        try:
            with Client(f"http://127.0.0.1:{port}", key, patience=_READY) as client:
                client.operation.ready()
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_S)

"""The product's month, from start to end, on a real `bursar serve` and books of its own.

python examples/api_product/run.py
"""

import asyncio
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx

from bursar.client import AsyncClient, Patience

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from app import application  # noqa: E402 - it stands beside this file

LINE = "the quick brown fox jumps over the lazy dog"


class Ending:
    """SIGTERM ends the story, but never between a thing and its name: nothing is left behind."""

    def __init__(self) -> None:
        self._held = self._asked = False
        signal.signal(signal.SIGTERM, self._ask)

    @contextmanager
    def later(self) -> Iterator[None]:
        """Put the end off until something is made and its maker knows it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._asked:
            self._end()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if not self._held:
            self._end()

    def _end(self) -> None:
        sys.exit(128 + signal.SIGTERM)


class Books:
    """Books in a directory, and `bursar` on them."""

    def __init__(self, where: Path, ending: Ending) -> None:
        self._ending = ending
        # nothing that is set for other books may lead there
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("BURSAR_DATABASE")}
        self._environ["BURSAR_DATA_DIR"] = str(where)
        self._python = [sys.executable, "-m", "bursar"]

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """Show a command, run it, and show what it prints."""
        say(f"$ bursar {shlex.join(arguments)}")
        done = subprocess.run(
            [*self._python, *arguments],
            cwd=HERE,
            env=self._environ,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        if not quiet:
            say(done.stdout.rstrip())
        return done.stdout.strip()

    def stop(self) -> None:
        """Stop the database's server, if it was ever started."""
        say("$ bursar db stop")
        stop = [*self._python, "db", "stop"]
        subprocess.run(stop, env=self._environ, stdout=subprocess.DEVNULL, check=False)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the API until the block ends; gives its address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        say(f"$ bursar serve --port {port} &")
        process: subprocess.Popen[bytes] | None = None
        try:
            with self._ending.later():
                process = subprocess.Popen(
                    [*self._python, "serve", "--port", str(port), "--json"],
                    env=self._environ,
                    stderr=subprocess.DEVNULL,
                )
            yield f"http://127.0.0.1:{port}"
        finally:
            if process is not None:
                process.terminate()
                process.wait()


async def play(books: Books) -> None:
    """Tell the story."""
    say("1. The economy, the accounts, the credits of the month\n")
    books.run("economy", "apply", "economy.toml", "--reason", "first version")
    books.run("holders", "import", "customers.csv", "--plan", "import.toml")
    books.run("run", "start", "monthly", "--reason", "credits of the month")

    say("\n2. A key for the product's server, and the API\n")
    new_key = ("key", "add", "--name", "product", "--owner", "product", "--scope", "ingest")
    key = books.run(*new_key, quiet=True)
    with books.served() as url:
        async with AsyncClient(url, key, patience=Patience(longest_wait_s=0.2)) as bursar:
            await bursar.operation.ready()
            await _calls(bursar)
            say("\n5. A month later: what was left has expired, the next credits are there\n")
            books.run("clock", "move", "+31d")
            async with _product(bursar) as product:
                await call(product, "bolt", "c7", LINE)
    say("\n6. Why bolt has what it has; and are the books sound?\n")
    books.run("wallet", "explain", "bolt", "credits")
    books.run("verify")


async def _calls(bursar: AsyncClient) -> None:
    async with _product(bursar) as product:
        say("\n3. Calls: 50 credits are set aside for each, and what it read is paid\n")
        await call(product, "acme", "c1", LINE)
        say("  the same call, sent twice by mistake:")
        await call(product, "acme", "c1", LINE)
        say("  work that fails costs nothing:")
        await call(product, "acme", "c2", "word " * 51)
        await left(product, "acme")

        say("\n4. The free plan has 60 credits: enough for two calls\n")
        await call(product, "bolt", "c3", LINE)
        await call(product, "bolt", "c4", LINE)
        await left(product, "bolt")
        say("  a third might cost more than there is:")
        await call(product, "bolt", "c5", LINE)
        say("  who has left has no credits:")
        await call(product, "gone", "c6", LINE)


def _product(bursar: AsyncClient) -> httpx.AsyncClient:
    """Reach the product's own API."""
    transport = httpx.ASGITransport(application(bursar))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://product")


async def call(product: httpx.AsyncClient, customer: str, call_id: str, text: str) -> None:
    """Make a call as a customer, and show what comes of it."""
    headers = {"x-customer": customer, "idempotency-key": call_id}
    answer = await product.post("/shorten", json={"text": text}, headers=headers)
    say(f"  {customer} {call_id}: {answer.status_code} {answer.text}")


async def left(product: httpx.AsyncClient, customer: str) -> None:
    """Show what a customer has."""
    answer = await product.get("/credits", headers={"x-customer": customer})
    say(f"  {customer} has: {answer.text}")


def say(text: str) -> None:
    """Print a line now."""
    print(text, flush=True)


def main() -> None:
    """Make a place, play, and leave nothing behind."""
    ending = Ending()
    base = Path(tempfile.mkdtemp(prefix="bursar-product-")).resolve()
    base.chmod(0o711)  # the server's account must be able to enter
    books = Books(base / "books", ending)
    try:
        asyncio.run(play(books))
    finally:
        books.stop()
        remove(base)


def remove(base: Path) -> None:
    """Remove the books; what was being written while the first try went on, with the next."""
    for _ in range(50):
        shutil.rmtree(base, ignore_errors=True)
        if not base.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()

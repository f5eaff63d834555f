"""`bursar serve` and `bursar up` as processes of their own: started, watched, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from bursar.platform.postgres.process import is_alive

T = TypeVar("T")

PATIENCE_S: Final = 60.0


def wait_for(what: Callable[[], T], why: str, timeout_s: float = PATIENCE_S) -> T:
    """Return the first truth that ``what`` tells."""
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"it did not come to pass: {why}"
        time.sleep(0.02)
    return found


@contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port until the block ends, for a server that is started in it.

    It is bound and not listened on: the system gives it to nobody, neither to another test nor to
    a connection that goes out, and lets a server have it that says that it may reuse it.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])


def children(pid: int) -> set[int]:
    """Find the processes that descend from one, by what the system knows of parents."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # gone meanwhile
        parents[int(text.split(" ", 1)[0])] = int(text.rsplit(")", 1)[1].split()[1])
    found = {pid}
    while more := {child for child, of in parents.items() if of in found} - found:
        found |= more
    return found - {pid}


class Running:
    """A server that runs; its log is read as what it must be, a JSON object a line."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def pid(self) -> int:
        """The number of the process that was started."""
        return self.process.pid

    def events(self, event: str) -> list[dict[str, Any]]:
        """List what was logged under a name, up to the last whole line."""
        text = self._log.read_text("utf-8")
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [line for line in lines if line["event"] == event]

    def log(self) -> str:
        """Return all that was logged."""
        return self._log.read_text("utf-8")

    def until(self, event: str, number: int = 1) -> list[dict[str, Any]]:
        """Wait until something has been logged so often."""

        def enough() -> list[dict[str, Any]]:
            found = self.events(event)
            assert self.process.poll() is None, f"it has ended: {self.log()}"
            return found if len(found) >= number else []

        return wait_for(enough, f"{event} x {number}")

    def status(self, path: str = "/health/ready") -> int:
        """Ask over a connection of its own; 0 is no answer."""
        try:
            return httpx.get(self.url + path, timeout=PATIENCE_S).status_code
        except httpx.HTTPError:
            return 0

    def until_ready(self) -> None:
        """Wait until it says that it is ready."""
        wait_for(lambda: self.status() == 200, "ready")

    def serving(self) -> set[int]:
        """Tell which processes serve, of those that have said so."""
        return {e["pid"] for e in self.events("serving") if is_alive(e["pid"])}

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(
    log: Path, *arguments: object, environ: dict[str, str] | None = None, port: int | None = None
) -> Iterator[Running]:
    """Start ``bursar …`` on a port, else on one that is kept for it; what is left is killed."""
    if port is None:
        with kept_port() as kept, running(log, *arguments, environ=environ, port=kept) as made:
            yield made
        return
    command = [sys.executable, "-m", "bursar", *map(str, arguments), "--port", str(port), "--json"]
    with log.open("wb") as told:
        process = subprocess.Popen(
            command, env=os.environ | (environ or {}), stdin=subprocess.DEVNULL, stderr=told
        )
    made = Running(process, port, log)
    try:
        yield made
    finally:
        if process.poll() is None:
            for pid in children(process.pid) | {process.pid}:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait(PATIENCE_S)

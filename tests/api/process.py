"""A real ``bursar serve`` on a database of its own, to be treated badly."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx

from tests.support.running import PATIENCE_S, kept_port

_PATIENCE: Final = """
import sys
from bursar.api.protocol import BoundedProtocol
BoundedProtocol.head_s, BoundedProtocol.body_s = 4.0, 4.0
BoundedProtocol.most_connections = 300
from bursar.cli import main
sys.argv = ["bursar", *sys.argv[1:]]
main()
"""
"""Waits less and keeps fewer connections than in earnest, so that nobody waits for a test; but for
longer than a test that means no abuse may stand still on a busy machine.
"""

MOST_CONNECTIONS: Final = 300


class Process:
    """The server, its address and what it logs."""

    def __init__(self, url: str, log: Path, **settings: str) -> None:
        self._port = ExitStack()
        self.port = self._port.enter_context(kept_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._file = log.open("wb")
        named = {f"BURSAR_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-c", _PATIENCE, "serve", "--db", url, "--json"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            env=os.environ | named,
            stdout=self._file,
            stderr=self._file,
        )

    def wait(self) -> None:
        """Wait until it is ready."""
        until = time.monotonic() + PATIENCE_S
        while not self.answers("/health/ready"):
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()

    def answers(self, path: str = "/health/live") -> bool:
        """Say whether it answers; patient."""
        try:
            return httpx.get(self.url + path, timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def memory_kb(self) -> int:
        """Tell how much memory it has in use."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
        return int(status.partition("VmRSS:")[2].split()[0])

    def log(self) -> str:
        """Tell what it has logged so far."""
        return self._log.read_text("utf-8", errors="replace")

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def say(self, *parts: bytes) -> bytes:
        """Send bytes on a new connection, and read all that is answered until it is closed."""
        with self.connect() as opened:
            try:
                for part in parts:
                    opened.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has heard enough
            return read_all(opened)

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._file.close()
            self._port.close()


def read_all(opened: socket.socket) -> bytes:
    """Read until the other side has closed."""
    parts = []
    try:
        while part := opened.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)

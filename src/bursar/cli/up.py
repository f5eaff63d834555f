"""``bursar up``: the database, the API and a worker, in one command (O1)."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Annotated, Final

import typer

from bursar.cli.serve import Host, Port, Processes, settings_with
from bursar.cli.session import Where, place, single_command
from bursar.platform.place import ready

app = single_command()

_LONGEST_WAIT_S: Final = 30.0
_WORKER_ENDS_S: Final = 60.0


@app.command()
def up(
    host: Host = None,
    port: Port = None,
    processes: Processes = None,
    where: Where = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Log JSON on a terminal, too.", rich_help_panel="Everywhere"),
    ] = False,
) -> None:
    """Make the books if there are none, serve the API and do what is due, until SIGTERM or Ctrl-C.

    The worker is a process of its own, so that a large run does not hold up requests; if it dies,
    it is started again. A second signal ends both at once, which loses nothing. The embedded
    database goes on running afterwards: `bursar db stop` ends it.
    """
    from bursar.api.server import serve  # noqa: PLC0415 - the web's libraries are slow

    signal.signal(signal.SIGTERM, _end)  # before it serves and after; between, it is the server's
    settings = settings_with(host, port, processes)
    ready(place(where))
    worker = _Worker(where, as_json=as_json)
    with worker:
        serve(where, settings, log_json=as_json, at_once=worker.kill)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


class _Worker:
    """A worker beside the API, started again if it dies."""

    def __init__(self, where: str | None, *, as_json: bool) -> None:
        self._command = [sys.executable, "-m", "bursar.cli.beside", "worker"]
        self._command += ["--db", where] if where is not None else []
        self._command += ["--json"] if as_json else []
        self._ending = threading.Event()
        self._starting = threading.Lock()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name="worker-keeper", daemon=True)

    def __enter__(self) -> None:
        self._keeper.start()

    def __exit__(self, *_error: object) -> None:
        with self._starting:
            self._ending.set()
            self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_WORKER_ENDS_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it where it stands, for good."""
        self._ending.set()
        self._process.kill()
        self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        # a Ctrl-C of the terminal is for this process alone, which then ends the worker
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)

    def _keep(self) -> None:
        wait_s = 1.0
        while True:
            began = time.monotonic()
            self._process.wait()
            if time.monotonic() - began > _LONGEST_WAIT_S:
                wait_s = 1.0
            if self._ending.wait(wait_s):
                return
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            with self._starting:
                if self._ending.is_set():
                    return
                self._process = self._start()

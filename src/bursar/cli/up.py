"""``bursar up``: the database, the API and a worker, in one command (O1)."""

import subprocess
import sys
import threading
from contextlib import suppress
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
    it is started again. The embedded database goes on running afterwards: `bursar db stop` ends it.
    """
    from bursar.api.server import serve  # noqa: PLC0415 - the web's libraries are slow

    settings = settings_with(host, port, processes)
    ready(place(where))
    with _Worker(where, as_json=as_json):
        serve(where, settings, log_json=as_json)


class _Worker:
    """A worker beside the API, started again if it dies."""

    def __init__(self, where: str | None, *, as_json: bool) -> None:
        self._command = [sys.executable, "-m", "bursar", "worker"]
        self._command += ["--db", where] if where is not None else []
        self._command += ["--json"] if as_json else []
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="worker-keeper")

    def __enter__(self) -> None:
        self._process = self._start()
        self._keeper.start()

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        if self._process is not None:
            self._process.terminate()
        self._keeper.join()

    def _start(self) -> subprocess.Popen[bytes]:
        # a Ctrl-C of the terminal is for this process alone, which then ends the worker
        return subprocess.Popen(self._command, start_new_session=True)

    def _keep(self) -> None:
        wait_s = 1.0
        while self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LONGEST_WAIT_S if not self._ending.is_set() else _WORKER_ENDS_S)
                if self._ending.is_set() or self._ending.wait(wait_s):
                    return
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                self._process = self._start()

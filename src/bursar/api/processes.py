"""The processes of a server: how one begins and ends, and how several stand in for each other.

Several share one socket, which the process that starts them holds. That one serves nothing itself:
it puts a new one where one dies, and ends them. One whose starter is gone ends by itself.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

import structlog
import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE

from bursar.platform.errors import Unavailable
from bursar.platform.logs import log_libraries, log_to_stderr

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_LONGEST_WAIT_S: Final = 30.0
_STEADY_S: Final = 10.0
"""Whoever has lived so long is replaced without waiting."""

_spawn: Final = multiprocessing.get_context("spawn")
_log: Final = structlog.get_logger("bursar.api")


class OneProcess(uvicorn.Server):
    """A process that serves until the first of its signals; each further one calls ``again``."""

    def __init__(
        self,
        config: uvicorn.Config,
        signals: Sequence[signal.Signals],
        *,
        again: Callable[[int], None],
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._signals = signals
        self._again = again
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open what is needed, then take requests; raises `Unavailable` ``api_not_started``."""
        try:
            await super().startup(sockets)
        except SystemExit:
            raise not_started() from None
        _log.info("serving", pid=os.getpid(), host=self.config.host, port=self.config.port)
        self._begun()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, answer what was accepted, close what was opened."""
        await super().shutdown(sockets)
        _log.info("stopped", pid=os.getpid())

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Be ended by signals with an exit code of 0, which uvicorn would not."""
        before = {number: signal.signal(number, self.handle_exit) for number in self._signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at the second time, do what is to be done then."""
        if self.should_exit:
            self._again(sig)
        self.should_exit = True


def start_logging(*, as_json: bool) -> None:
    """Log to standard error, the libraries' warnings too."""
    log_to_stderr(logging.INFO, as_json=as_json)
    log_libraries(logging.WARNING)
    # the pool would tell of each attempt while the database is away; each request does
    logging.getLogger("psycopg").setLevel(logging.ERROR)


class Supervisor:
    """Runs several processes on one socket until a signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        listening: socket.socket,
        processes: int,
        *,
        as_json: bool,
        at_once: Callable[[], None],
    ) -> None:
        self._listening = listening
        self._places = [_Place(config, listening, as_json=as_json) for _ in range(processes)]
        self._at_once = at_once
        self._signals: list[int] = []
        self._woken, self._wake = socket.socketpair()

    def run(self) -> None:
        """Serve; raises `Unavailable` ``api_not_started`` if none ever could."""
        self._wake.setblocking(False)
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            while not self._signals:
                for place in self._places:
                    place.start_if_due()
                self._sleep()
                self._look()
            self._stop()
        finally:
            for place in self._places:
                place.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
            self._woken.close()
            self._wake.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)
        with suppress(BlockingIOError):
            self._wake.send(b".")

    def _look(self) -> None:
        """See who has begun to serve, and who has ended."""
        for place in self._places:
            place.hear()
        for place in self._places:
            code = place.ended()
            if code is not None:
                # its streams are open no more
                mark_process_dead(place.pid)  # type: ignore[no-untyped-call]
            if code is None or self._signals:
                continue
            _log.warning("process_died", pid=place.pid, code=code)
            if code == STARTUP_FAILURE and not any(one.has_served for one in self._places):
                raise not_started()

    def _stop(self) -> None:
        """End all in peace; a further signal ends them at once."""
        self._listening.close()
        for place in self._places:
            place.terminate()
        while any(place.runs for place in self._places):
            if len(self._signals) > 1:
                self._at_once()
                raise SystemExit(128 + self._signals[-1])
            self._sleep()
            self._look()

    def _sleep(self) -> None:
        """Wait for a signal, for the word or the end of a process, or until one is due."""
        things = [thing for place in self._places for thing in place.things()]
        longest_s = min(place.due_in_s() for place in self._places)
        ready = wait([self._woken, *things], None if longest_s == inf else longest_s)
        if self._woken in ready:
            self._woken.recv(16)


class _Place:
    """A process; or none, and when the next one is due."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, *, as_json: bool) -> None:
        self.pid: int | None = None
        self.has_served = False
        self._arguments = (config, listening, as_json)
        self._process: SpawnProcess | None = None
        self._told: Connection | None = None
        self._began = 0.0
        self._wait_s = 0.0
        self._due = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is a process, as far as it has been looked at."""
        return self._process is not None

    def things(self) -> list[int | Connection]:
        """What becomes ready when there is something to see."""
        things: list[int | Connection] = [] if self._told is None else [self._told]
        return things if self._process is None else [*things, self._process.sentinel]

    def due_in_s(self) -> float:
        """Tell when to start one; never while one runs."""
        return inf if self.runs else max(0.0, self._due - time.monotonic())

    def start_if_due(self) -> None:
        """Begin a process where there is none, unless the last one's end was just now."""
        if self.due_in_s() > 0:
            return
        self._told, tell = _spawn.Pipe(duplex=False)
        process = _spawn.Process(target=_serve, args=(*self._arguments, tell), daemon=True)
        process.start()
        tell.close()
        self._process, self.pid, self._began = process, process.pid, time.monotonic()

    def hear(self) -> None:
        """Hear that the process serves, or that it will never say so."""
        if self._told is not None and self._told.poll():
            with suppress(EOFError, OSError):
                self.has_served = self._told.recv()
            self._told.close()
            self._told = None

    def ended(self) -> int | None:
        """Tell once with which code the process has ended; whoever ends young has to wait."""
        if self._process is None or self._process.is_alive():
            return None
        code, now = self._process.exitcode, time.monotonic()
        self._process.close()
        self._process = None
        steady = now - self._began >= _STEADY_S
        self._wait_s = 0.0 if steady else min(max(self._wait_s * 2, 0.5), _LONGEST_WAIT_S)
        self._due = now + self._wait_s
        return code

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End what is left of it."""
        if self._process is not None:
            self._process.kill()
            self._process.join()


def end_with_starter() -> None:
    """Have this process told to stop when the one that started it is gone."""
    starter = multiprocessing.parent_process()
    assert starter is not None  # noqa: S101 - only a started process asks

    def watch() -> None:
        wait([starter.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="starter-watch", daemon=True).start()


def not_started() -> Unavailable:
    """Say that what an application needs could not be opened."""
    return Unavailable("api_not_started", "the API could not start; its log says why")


def _serve(
    config: uvicorn.Config, listening: socket.socket, as_json: bool, told: Connection
) -> None:
    """Be one of several: a terminal's Ctrl-C is for the starter, which then ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_logging(as_json=as_json)
    end_with_starter()

    def tell() -> None:
        with suppress(OSError):  # the starter is gone, and so is this process soon
            told.send(True)
        told.close()

    try:
        OneProcess(config, [signal.SIGTERM], again=lambda _: None, begun=tell).run([listening])
    except Unavailable:
        raise SystemExit(STARTUP_FAILURE) from None

"""Worker processes of a test: begun, killed, stopped, and none left behind."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from bursar.ledger import Ledger
from bursar.notices.duties import duties_of
from bursar.notices.service import Notices
from bursar.platform.database import Database
from bursar.platform.settings import Settings
from bursar.programs.service import Programs
from bursar.programs.worker import Worker

PATIENCE_S = 60


def wait_for(what: Callable[[], Any], why: str, timeout_s: float = PATIENCE_S) -> Any:
    """Poll until something is so, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"it did not come to pass: {why}"
        time.sleep(0.01)
    return found


class Hand:
    """One worker: a process of its own, that tells of every chunk it has done."""

    def __init__(self, process: Any, told: Connection) -> None:
        self._process = process
        self._told = told
        self._chunks = 0

    @property
    def pid(self) -> int:
        """The process's number."""
        return int(self._process.pid)

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return bool(self._process.is_alive())

    def chunks(self) -> int:
        """How many chunks it has done, as far as it has told."""
        with suppress(EOFError, OSError):
            while self._told.poll():
                self._chunks += len(self._told.recv_bytes())
        return self._chunks

    def kill(self) -> None:
        """End it where it stands; it must have been alive."""
        self._signal(signal.SIGKILL)
        assert self.ended() == -signal.SIGKILL

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def ended(self) -> int | None:
        """Wait for its end, and tell how it was."""
        self._process.join(PATIENCE_S)
        answer: int | None = self._process.exitcode
        return answer

    def _signal(self, number: signal.Signals) -> None:
        assert self.alive, f"a worker ended by itself: {self._process.exitcode}"
        os.kill(self.pid, number)

    def give_up(self) -> None:
        """End it whatever became of it."""
        if self.alive:
            self._process.kill()
        self._process.join(PATIENCE_S)
        self.chunks()
        self._told.close()


class Crew:
    """The workers of one database; ``with`` it, so that none is left.

    With ``settings`` they do what ``bursar worker`` does for notices, too.
    """

    def __init__(
        self, url: str, *, chunk: int, lanes: int = 2, settings: Settings | None = None
    ) -> None:
        self.hands: list[Hand] = []
        self._url = url
        self._chunk = chunk
        self.lanes = lanes
        self._settings = settings
        # Forked from one that has imported everything: a kill costs a fork, not an import.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self.hands:
            hand.give_up()

    def start(self) -> Hand:
        """Begin a worker."""
        told, tell = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_serve,
            args=(self._url, self._chunk, self.lanes, self._settings, tell),
            daemon=True,
        )
        process.start()
        tell.close()
        hand = Hand(process, told)
        self.hands.append(hand)
        return hand

    def kill(self, hand: Hand) -> None:
        """Kill one of them."""
        hand.kill()
        self._forget(hand)

    def stop_all(self) -> None:
        """Stop every one; each finishes what it has under way and ends in peace."""
        for hand in list(self.hands):
            hand.terminate()
        for hand in list(self.hands):
            assert hand.ended() == 0
            self._forget(hand)

    def _forget(self, hand: Hand) -> None:
        self.hands.remove(hand)
        hand.give_up()


def _serve(url: str, chunk: int, lanes: int, settings: Settings | None, tell: Connection) -> None:
    asyncio.run(_work(url, chunk, lanes, settings, tell))


async def _work(
    url: str, chunk: int, lanes: int, settings: Settings | None, tell: Connection
) -> None:
    database = Database(url, max_connections=lanes + (2 if settings is None else 8))
    await database.open()
    async with Ledger(database) as ledger:
        notices = None if settings is None else Notices(ledger, settings)
        worker = Worker(
            Programs(ledger, chunk=chunk),
            lanes=lanes,
            tick_s=0.2,
            duties=() if notices is None else duties_of(notices),
            after_chunk=lambda: tell.send_bytes(b"."),
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()
        if notices is not None:
            await notices.close()

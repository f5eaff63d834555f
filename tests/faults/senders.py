"""Processes that send webhooks: begun, killed, stopped, and none left behind."""

import asyncio
import multiprocessing
import os
import signal
from contextlib import suppress
from typing import Any, Final

from bursar.ledger import Ledger
from bursar.notices.sending.sender import Sender
from bursar.notices.webhooks.carrier import WebhookCarrier
from bursar.platform.database import Database
from bursar.platform.sealing import Seal

LANES: Final = 8
NETWORKS: Final = ("127.0.0.1/32",)
_PATIENCE_S: Final = 60
_LOOK_S: Final = 0.02


class Senders:
    """The senders of one database; ``with`` them."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        self._processes: list[Any] = []
        # Forked from one that has imported everything: a kill costs a fork, not an import.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def __enter__(self) -> "Senders":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join(_PATIENCE_S)

    def start(self) -> None:
        """Begin one."""
        process = self._context.Process(target=_serve, args=(self._url, self._key), daemon=True)
        process.start()
        self._processes.append(process)

    def kill(self, number: int) -> None:
        """Kill one where it stands."""
        self._end(number, signal.SIGKILL, -signal.SIGKILL)

    def stop_all(self) -> None:
        """Stop every one; each lets what is under way end, and ends in peace."""
        while self._processes:
            self._end(0, signal.SIGTERM, 0)

    def _end(self, number: int, how: signal.Signals, code: int) -> None:
        process = self._processes[number]
        assert process.is_alive(), f"a sender ended by itself: {process.exitcode}"
        os.kill(process.pid, how)
        process.join(_PATIENCE_S)
        assert process.exitcode == code
        self._processes.remove(process)


def _serve(url: str, key: str) -> None:
    with suppress(asyncio.CancelledError):
        asyncio.run(_send(url, key))


async def _send(url: str, key: str) -> None:
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    database = Database(url, max_connections=LANES + 2)
    await database.open()
    async with Ledger(database) as ledger:
        carrier = WebhookCarrier(ledger, Seal([key]), NETWORKS)
        try:
            sender = Sender(database, carrier, lanes=LANES)
            while True:
                await sender.send_due()
                await asyncio.sleep(_LOOK_S)
        finally:
            await carrier.close()

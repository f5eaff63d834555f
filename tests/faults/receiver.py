"""A machine that webhooks are sent to: it counts what it has got, and is now and then too busy."""

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Final

from tests.support.running import wait_for

_BUSY_ONE_IN: Final = 20
_PAUSE_S: Final = 0.002


class Receiver:
    """Listens on ``port`` of the loopback; ``with`` it.

    ``got`` counts every request by its `webhook-id`, ``took`` those that it said yes to.
    """

    def __init__(self) -> None:
        self.port = 0
        self.got: Counter[str] = Counter()
        self.took: Counter[str] = Counter()
        self.requests = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "Receiver":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(60)
        return self

    def __exit__(
        self, _type: object, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def until(self, requests: int) -> None:
        """Wait until so many more have come."""
        goal = self.requests + requests
        wait_for(lambda: self.requests >= goal, f"{requests} more requests")

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(_field(head, "content-length")))
                await asyncio.sleep(_PAUSE_S)
                said = self._note(_field(head, "webhook-id"))
                writer.write(f"HTTP/1.1 {said}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever sent it was killed
        finally:
            writer.close()

    def _note(self, webhook_id: str) -> str:
        self.requests += 1
        self.got[webhook_id] += 1
        if self.got[webhook_id] == 1 and self.requests % _BUSY_ONE_IN == 0:
            return "503 Busy"
        self.took[webhook_id] += 1
        return "200 OK"


def _field(head: str, name: str) -> str:
    return head.split(f"\r\n{name}: ")[1].split("\r\n", maxsplit=1)[0]

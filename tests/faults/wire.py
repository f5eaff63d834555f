"""The wire between the API and its database: on the loopback, to be cut and mended.

A wire that is *cut* tells both ends so and takes no more. One that is *silent* tells nobody: what
is sent is held, as a network does that has lost its way, and arrives when it is mended.
"""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit


class Wire:
    """Leads from ``port`` to a server's socket; ``with`` it."""

    def __init__(self, socket: Path) -> None:
        self.port = 0
        self._socket = socket
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._whole = asyncio.Event()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "Wire":
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(
        self, _type: object, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self._do(self._cut())

    def silence(self) -> None:
        """Let nothing through, and tell nobody."""
        self._do(self._hush())

    def mend(self) -> None:
        """Let everything through again."""
        self._do(self._mend())

    def lead(self, url: str) -> str:
        """Write an address of the server so that it leads over the wire."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@127.0.0.1:{self.port}", query="").geturl()

    def _do(self, work: "asyncio.Future[None] | object") -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)  # type: ignore[arg-type]

    async def _open(self) -> None:
        self._whole.set()
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._cut()
        self._whole.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    async def _cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    async def _hush(self) -> None:
        self._whole.clear()

    async def _mend(self) -> None:
        self._is_cut = False
        self._whole.set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

"""A proxy that loses answers: between a client and a server, on the loopback.

Each request meets a fate that a seeded generator chooses. What is held back is held until the
client has hung up, so that nothing waits on a clock.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal, get_args

Fate = Literal["pass", "lost", "refused", "dropped", "cut", "held", "late"]
"""What becomes of a request and its answer.

| fate    | the server does the work | the client                                                |
|---------|--------------------------|-----------------------------------------------------------|
| pass    | yes                      | hears of it                                               |
| refused | no                       | is hung up on before a word is read                       |
| lost    | no                       | is hung up on after its request                           |
| dropped | yes                      | is hung up on                                             |
| cut     | yes                      | gets half an answer                                       |
| held    | yes                      | waits in vain until it hangs up                           |
| late    | after the client hung up | waits in vain; the request comes after others of its kind |
"""

UNHEARD: Final[tuple[Fate, ...]] = ("dropped", "cut", "held", "late")
"""The fates in which the work was done and nobody told."""

_HEAD: Final = b"\r\n\r\n"


class Proxy:
    """Counts what it did by fate; ``port`` is where it listens."""

    def __init__(self, host: str, port: int, weights: Mapping[Fate, int], seed: int) -> None:
        self.port = 0
        self.fates: Counter[Fate] = Counter()
        self._target = (host, port)
        self._fates = [*weights]
        self._weights = [*weights.values()]
        self._chance = random.Random(seed)
        self._conversations: set[asyncio.Task[None]] = set()

    @property
    def unheard(self) -> int:
        """How often the work was done and the client was not told."""
        return sum(self.fates[fate] for fate in UNHEARD)

    async def settled(self) -> None:
        """Wait until every conversation has ended, the late ones too."""
        while self._conversations:
            await asyncio.gather(*self._conversations)

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            writer.close()
            self._conversations.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        try:
            while await self._exchange(reader, writer, up_reader, up_writer):
                pass
        finally:
            up_writer.close()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> bool:
        """Pass one request on, and its answer or what fate makes of it; go on after a `pass`."""
        head = await reader.readuntil(_HEAD)
        [fate] = self._chance.choices(self._fates, self._weights)
        if fate == "refused":
            self.fates[fate] += 1
            return False
        request = await _whole(head, reader)
        if fate == "lost":
            self.fates[fate] += 1
            return False
        if fate == "late":
            await reader.read()
        up_writer.write(request)
        answer = await _whole(await up_reader.readuntil(_HEAD), up_reader)
        self.fates[fate] += 1
        match fate:
            case "pass":
                writer.write(answer)
            case "cut":
                writer.write(answer[: self._chance.randrange(1, len(answer))])
            case "held":
                await reader.read()
        await writer.drain()
        return fate == "pass"


@asynccontextmanager
async def proxy(port: int, weights: Mapping[Fate, int], seed: int) -> AsyncIterator[Proxy]:
    """Stand before a server of this machine; ends with every conversation ended."""
    assert set(weights) <= set(get_args(Fate))
    made = Proxy("127.0.0.1", port, weights, seed)
    listening = await asyncio.start_server(made.meet, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made
        listening.close()
        await made.settled()


async def _whole(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """Read the body that belongs to a head; everything here says its length."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head

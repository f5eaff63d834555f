"""Those outside to whom notices are sent, none of whom can be relied on.

A mail server that greylists, refuses, breaks off and dawdles; machines that fail in every way that
HTTP knows. Each fails a delivery a few times at most, and notes what it has taken: that is when it
means to say so, whether or not anybody is left to hear it.
"""

import asyncio
import threading
from collections import Counter, defaultdict
from contextlib import suppress
from email import message_from_bytes
from random import Random
from types import TracebackType
from typing import Any, Final

import msgspec
from standardwebhooks import Webhook

from tests.notices.mail.servers import Office

NOBODY: Final = "nobody"
"""How the addresses begin that there are not."""

PICKY: Final = "picky"
"""How the addresses begin to which the first letter is refused for good."""

_LONGEST_S: Final = 0.15
_FAILURES: Final = 3
_HANGS: Final = 2
_HANG_S: Final = 30.0


class PostOffice(Office):
    """A mail server; ``taken`` are the Message-IDs it has accepted, with how often, by address."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.taken: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.did: Counter[str] = Counter()
        self._random = Random(seed)
        self._failed: Counter[str] = Counter()
        self.rcpt = self._answer

    @property
    def drop(self) -> bool:
        """Whether it breaks off in the middle of the letter that begins now."""
        breaks = self._random.random() < 0.03
        self.did["dropped"] += breaks
        return breaks

    @drop.setter
    def drop(self, _: bool) -> None:
        """It is as it is."""

    def _answer(self, address: str) -> str | None:
        if address.startswith(NOBODY):
            self.did["no such address"] += 1
            return "550 5.1.1 no such mailbox"
        if self._failed[address] < _FAILURES and self._random.random() < 0.2:
            self._failed[address] += 1
            self.did["greylisted"] += 1
            return "451 4.7.1 come back later"
        return None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a letter, slowly."""
        [address] = envelope.rcpt_tos
        await asyncio.sleep(self._random.uniform(0, _LONGEST_S))
        if address.startswith(PICKY) and not self._failed[f"content:{address}"]:
            self._failed[f"content:{address}"] += 1
            self.did["refused"] += 1
            return "554 5.6.0 not in this form"
        name = message_from_bytes(envelope.content)["Message-ID"].strip("<>").partition("@")[0]
        self.taken[address][name] += 1
        await asyncio.sleep(self._random.uniform(0, _LONGEST_S))
        return "250 OK"


class Machines:
    """Machines that listen, in a thread of their own; ``with`` them, then `add` some."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="machines", daemon=True)
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> "Machines":
        self._thread.start()
        return self

    def __exit__(
        self, _type: object, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, name: str) -> "Machine":
        """Have one more listen."""
        made = Machine(name, Random(self._random.random()))
        opening = asyncio.start_server(made.serve, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(_only(opening), self._loop).result(60)
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{name}"
        self._servers.append(server)
        return made

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Machine:
    """One of them; ``taken`` are the webhook ids it has accepted, with how often.

    ``told`` is what each of them said.
    """

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.url = ""
        self.secret = ""
        self.taken: Counter[str] = Counter()
        self.told: dict[str, Any] = {}
        self.changed: list[str] = []
        self.did: Counter[str] = Counter()
        self._random = random
        self._failed: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, for as long as it is there."""
        with suppress(OSError, EOFError):
            while (head := await reader.readuntil(b"\r\n\r\n")) and not writer.is_closing():
                lines = head.decode().split("\r\n")[1:]
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in lines)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                answer = await self._answer(headers, body)
                if answer is None:
                    break
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    async def _answer(self, headers: dict[str, str], body: bytes) -> str | None:
        """Take what was sent, or find a reason not to; None is the end of the connection."""
        Webhook(self.secret).verify(body, headers)
        webhook_id = headers["webhook-id"]
        await asyncio.sleep(self._random.uniform(0, _LONGEST_S))
        if self._failed[webhook_id] < _FAILURES and self._random.random() < 0.25:
            self._failed[webhook_id] += 1
            return await self._fail()
        said = msgspec.json.decode(body)
        if self.told.setdefault(webhook_id, said) != said:
            self.changed.append(webhook_id)
        self.taken[webhook_id] += 1
        await asyncio.sleep(self._random.uniform(0, _LONGEST_S))
        return "204 No Content"

    async def _fail(self) -> str | None:
        way = self._random.choice(("500 Oh", "503 Busy", "302 Elsewhere", "hangs up", "is silent"))
        if way == "is silent" and self.did[way] >= _HANGS:
            way = "hangs up"
        self.did[way] += 1
        match way:
            case "hangs up":
                return None
            case "is silent":
                await asyncio.sleep(_HANG_S)
                return None
            case "302 Elsewhere":
                return f"{way}\r\nlocation: http://127.0.0.1:1/"
            case _:
                return way


async def _only(opening: Any) -> Any:
    return await opening

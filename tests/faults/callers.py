"""Clients of the API that keep a ledger of their own: what they asked, and what they were told.

Each sends one posting at a time over a connection of its own, and the same one again until it has
an answer. They live in a thread, so that a test may kill things meanwhile.
"""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Final

import msgspec

from tests.support.running import wait_for

ASSET: Final = "coins"
MISSING: Final = 0
"""The status of a request to which no answer came."""

REFUSALS: Final = {"insufficient_funds", "wallet_unknown"}

_HOLDERS: Final = 200
_TOO_MUCH: Final = 10**12
_PATIENCE_S: Final = 15.0
_PAUSE_S: Final = 0.05
_OFTEN: Final = 50
"""A connection is for so many requests, so that the next one may lead to another process."""
_LATER: Final = {408, 429, 503}


@dataclass(slots=True)
class Asked:
    """A posting, and the last answer to it."""

    holder: str
    amount: int
    status: int = MISSING
    code: str = ""
    attempts: int = 0


class Callers:
    """``with`` them; with ``retry`` off each ends at the first answer that is missing."""

    def __init__(
        self, port: int, key: str, seed: int, *, number: int = 16, retry: bool = True
    ) -> None:
        self.asked: dict[str, Asked] = {}
        self.told: Counter[str] = Counter()
        """Attempts by what came of them: a status with its code, or `missing`."""
        self.in_flight = 0
        self.answered = 0
        self._port = port
        self._key = key
        self._seed = seed
        self._number = number
        self._retry = retry
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="callers", daemon=True)

    def __enter__(self) -> "Callers":
        self._thread.start()
        return self

    def __exit__(
        self, _type: object, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(60)

    def finish(self) -> None:
        """Begin no more; wait until what was begun is answered."""
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "somebody still waits for an answer"
        self._tell()

    def wait_until_done(self) -> None:
        """Wait until every caller has ended by itself."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "a caller that heard nothing goes on"
        self._tell()

    def until_answered(self, number: int) -> None:
        """Wait for so many more answers that settle a posting."""
        goal = self.answered + number
        wait_for(lambda: self._errors or self.answered >= goal, f"{number} answers")
        self._tell()

    def _tell(self) -> None:
        """Raise what went wrong among them."""
        if self._errors:
            raise self._errors[0]

    @property
    def applied(self) -> dict[str, tuple[str, int]]:
        """What they were told is in the books: holder and amount by reference."""
        return {
            reference: (one.holder, one.amount)
            for reference, one in self.asked.items()
            if one.status in (200, 201)
        }

    @property
    def missing(self) -> set[str]:
        """The references to which no answer ever came."""
        return {name for name, one in self.asked.items() if one.status == MISSING}

    def send_again(self, references: set[str]) -> None:
        """Ask what is given once more, each once."""
        asyncio.run(self._send_again(references))

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:  # told to the test, which runs elsewhere
            self._errors.append(error)

    async def _all(self) -> None:
        await asyncio.gather(*(self._call(number) for number in range(self._number)))

    async def _call(self, number: int) -> None:
        random = Random(self._seed * 1_000 + number)
        line = _Line(self._port, self._key)
        count = 0
        while not self._stopping.is_set():
            count += 1
            reference = f"{number}:{count}"
            self.asked[reference] = Asked(
                holder=f"h{random.randrange(_HOLDERS)}",
                amount=random.choices((random.randint(1, 99), -1, -_TOO_MUCH), (6, 3, 1))[0],
            )
            while not await self._attempt(line, reference):
                if not self._retry:
                    return
                await asyncio.sleep(_PAUSE_S)
        line.close()

    async def _send_again(self, references: set[str]) -> None:
        line = _Line(self._port, self._key)
        for reference in sorted(references):
            assert await self._attempt(line, reference)
        line.close()

    async def _attempt(self, line: "_Line", reference: str) -> bool:
        """Send a posting; tell whether the answer settles it."""
        one = self.asked[reference]
        shape = {"op": "credit" if one.amount > 0 else "debit", "holder": one.holder}
        shape |= {"asset": ASSET, "amount": abs(one.amount), "reference": reference}
        one.attempts += 1
        self.in_flight += 1
        try:
            status, answer = await line.ask(msgspec.json.encode(shape))
        finally:
            self.in_flight -= 1
        code = str(answer.get("code", ""))
        self.told[f"{status} {code}".strip() if status else "missing"] += 1
        if status == MISSING or status in _LATER:
            return False
        assert status in (200, 201) or code in REFUSALS, answer
        one.status, one.code = status, code
        self.answered += 1
        return True


class _Line:
    """A connection, opened when it is needed."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = (
            f"POST /v1/postings HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\n"
            "content-type: application/json\r\ncontent-length: %d\r\n\r\n"
        )
        self._asked = 0
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Send, and read the answer; `MISSING` where none comes."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                if self._ends is None:
                    self._ends = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._ends
                writer.write((self._head % len(body)).encode() + body)
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                answer = await reader.readexactly(length)
        except (OSError, EOFError, TimeoutError):
            self.close()
            return MISSING, {}
        self._asked += 1
        if "\r\nconnection: close\r\n" in head or self._asked % _OFTEN == 0:
            self.close()
        return int(head[9:12]), msgspec.json.decode(answer)

    def close(self) -> None:
        """Hang up."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None

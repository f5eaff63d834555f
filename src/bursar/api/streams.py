"""An inbox as it fills: server-sent events to one holder, until one of the two sides ends it (N1).

The first event says where the stream stands and how much is unread; then come notices, each once
and in order, and what is unread whenever that changes. A notice's id is its number, the first
event's the number from which the stream goes on: who connects again with the last one seen as
`Last-Event-ID` misses nothing and gets nothing twice.

A reader fetches when there is news, a writer sends, others watch the client, the server's end and
the token's: the first that is done ends the stream.
"""

import asyncio
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec
from litestar.types import Receive, Scope, Send

from bursar.access import Access
from bursar.api.hub import PER_READ, Hub, Listener, LiveInbox
from bursar.api.patience import gone
from bursar.api.problems import known
from bursar.notices.model import InboxNotice
from bursar.platform.database import CONTENTION
from bursar.platform.ending import end
from bursar.platform.errors import Denied, Invalid, Unavailable
from bursar.platform.pages import place_of

MEDIA_TYPE: Final = "text/event-stream"
_HEADERS: Final = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"x-accel-buffering", b"no"),
    (b"connection", b"close"),
]
_RETRY: Final = b"retry: 3000\n"
_BEAT: Final = b": still here\n\n"
_LAST_WORD_S: Final = 1.0


class Pace(msgspec.Struct, frozen=True):
    """How often is looked for news, a sign given in silence, and the listener known again.

    ``blocked_s`` is how long a client may take nothing of what is sent.
    """

    look_s: float = 1.0
    beat_s: float = 15.0
    check_s: float = 30.0
    blocked_s: float = 30.0


class Line(Protocol):
    """What a stream may ask of its connection; see `BoundedProtocol`."""

    def begin_stream(self, ended: Callable[[], None]) -> None: ...

    def abort(self) -> None: ...


ItemsOf = Callable[[str, Sequence[InboxNotice]], Awaitable[Sequence[object]]]
"""Makes of a holder's notices what an inbox's page shows of each."""


class Streams:
    """The streams of one process."""

    def __init__(
        self,
        inbox: LiveInbox,
        items_of: ItemsOf,
        access: Access,
        *,
        pace: Pace | None = None,
    ) -> None:
        self._items_of = items_of
        self._access = access
        self._pace = pace or Pace()
        self._hub = Hub(inbox, every_s=self._pace.look_s)

    def stream(self, holder: str, token: str, last_event_id: str | None) -> "Stream":
        """Make the answer to who wants to listen, and may; raises `Invalid` ``last_event_id``."""
        last = None if not last_event_id else _number(last_event_id)
        return Stream(self._hub, self._items_of, self._access, self._pace, holder, token, last)

    async def close(self) -> None:
        """Look at inboxes no more."""
        await self._hub.close()


class Stream:
    """One stream, as an answer; see the module."""

    def __init__(
        self,
        hub: Hub,
        items_of: ItemsOf,
        access: Access,
        pace: Pace,
        holder: str,
        token: str,
        last: int | None,
    ) -> None:
        self._hub = hub
        self._items_of = items_of
        self._access = access
        self._pace = pace
        self._holder = holder
        self._token = token
        self._given = last
        self._last = 0
        self._unread = 0
        self._news = asyncio.Event()
        self._parts: asyncio.Queue[bytes] = asyncio.Queue(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is raised before the first event is a problem as anywhere.

        Raises `Missing` ``holder_unknown``, and what `Hub.join` raises.
        """
        listener = self._hub.join(await self._hub.find(self._holder), self._news.set)
        try:
            await self._begin(listener)
            await self._flow(listener, scope, receive, send)
        finally:
            self._hub.leave(listener)

    async def _begin(self, listener: Listener) -> None:
        """Find out where to begin: nowhere beyond what there is, for a restore sets numbers back.

        With all that is missed first, news would wait: it is read as news is.
        """
        newest, self._unread = await self._hub.begin(listener)
        self._last = newest if self._given is None else min(self._given, newest)
        if self._last < newest:
            self._news.set()
        self._parts.put_nowait(_RETRY + b"id: %d\n" % self._last + self._said_unread())

    async def _flow(self, listener: Listener, scope: Scope, receive: Receive, send: Send) -> None:
        notes: Any = scope
        notes["stream"] = True
        line: Line | None = notes.get("line")
        stopped = asyncio.Event()
        if line is not None:
            line.begin_stream(stopped.set)
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        reader = asyncio.create_task(self._read(listener))
        writer = asyncio.create_task(self._write(send))
        left = asyncio.create_task(gone(receive))
        tasks = [reader, writer, left, asyncio.create_task(stopped.wait())]
        try:
            left_s = max(0.0, _end_of(self._token) - time.time())
            done, _ = await asyncio.wait(tasks, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(tasks)
        if left in done:
            return
        why = None if done else "token_expired"
        if reader in done:
            why = _why(reader, notes["request_id"])
        if writer in done or not await self._ended(send, why):
            await _cut(line, receive)

    async def _read(self, listener: Listener) -> str:
        """Fetch what is new, for who may still know; returns the code of why they no longer may."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.check_s):
                    await self._news.wait()
            fresh = self._news.is_set()
            self._news.clear()
            try:
                await self._access.authenticate(self._token)
                if fresh:
                    await self._fetch(listener)
            except Denied as denied:
                return denied.code
            except (Unavailable, *CONTENTION):
                listener.missed()

    async def _fetch(self, listener: Listener) -> None:
        more = True
        while more:
            notices, unread = await self._hub.read(listener, self._last)
            more = len(notices) >= PER_READ
            items = await self._items_of(self._holder, notices)
            parts = [
                b"id: %d\n" % notice.number + _event(b"notice", item)
                for notice, item in zip(notices, items, strict=True)
            ]
            if not more and unread != self._unread:
                self._unread = unread
                parts.append(self._said_unread())
            if notices:
                self._last = notices[-1].number
            if parts:
                await self._parts.put(b"".join(parts))

    async def _write(self, send: Send) -> None:
        """Send what comes, and a sign of life in silence.

        Raises `TimeoutError` for a client that takes nothing any more.
        """
        while True:
            part = _BEAT
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.beat_s):
                    part = await self._parts.get()
            async with asyncio.timeout(self._pace.blocked_s):
                await send({"type": "http.response.body", "body": part, "more_body": True})

    async def _ended(self, send: Send, why: str | None) -> bool:
        """Say the last word; tell whether it could be said."""
        word = b"" if why is None else _event(b"end", {"code": why})
        try:
            async with asyncio.timeout(_LAST_WORD_S):
                await send({"type": "http.response.body", "body": word, "more_body": False})
        except TimeoutError:
            return False
        return True

    def _said_unread(self) -> bytes:
        return _event(b"unread", {"unread": self._unread})


def _event(name: bytes, data: object) -> bytes:
    """Write an event; JSON has no line breaks of its own."""
    return b"event: %s\ndata: %s\n\n" % (name, msgspec.json.encode(data))


def _number(last_event_id: str) -> int:
    try:
        return place_of(last_event_id)
    except Invalid:
        raise Invalid(
            "last_event_id",
            "Last-Event-ID is the id of an event of this stream",
            field="Last-Event-ID",
        ) from None


class _Until(msgspec.Struct):
    exp: int


def _end_of(token: str) -> int:
    """Read when a token ends, which was found to be good."""
    payload = token.split(".")[1]
    return msgspec.json.decode(urlsafe_b64decode(payload + "=="), type=_Until).exp


def _why(reader: "asyncio.Task[str]", request_id: str) -> str | None:
    """Say why a reader has ended; what nobody foresaw is for the log: the client tries again."""
    error = reader.exception()
    if error is None:
        return reader.result()
    known(error, request_id)  # type: ignore[arg-type]  # a task's own cancellation is not asked for
    return None


async def _cut(line: Line | None, receive: Receive) -> None:
    """Let go of a client that takes nothing, whatever is on its way to it."""
    if line is not None:
        line.abort()
        await gone(receive)

"""HTTP's lower half, bounded: how much a client may send before the application sees it.

uvicorn's parser takes headers without end, as slowly as they come. Here a request's head has a size
and a number of headers, and the whole request a time; whoever exceeds them is told so, and the
connection is closed. One look every second at each connection costs its requests nothing.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from bursar.api.problems import MEDIA_TYPE, encode, problem_of
from bursar.platform.errors import BursarError, Invalid, Unavailable

MAX_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100
_LOOK_S: Final = 1.0


class _OneWrite:
    """A transport that sends what is written within one turn of the loop at once.

    uvicorn writes an answer's head and its body apart: two system calls, which cost a small answer
    more than it does itself.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send with whatever else is written in this turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what was written, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose requests are bounded in size and time.

    ``head_s`` and ``body_s`` are how long a head, and what follows it, may take to arrive.
    """

    head_s = 10.0
    body_s = 30.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head_bytes = 0
        self._refused = False
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(_OneWrite(transport, self.loop))  # type: ignore[arg-type]
        self._head_since = self.loop.time()
        self._look = self.loop.call_later(_LOOK_S, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes, unless it was refused already."""
        if not self._refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = 0
        self._head_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        super().on_url(url)
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        super().on_header(name, value)
        self._grow(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._body_since, self._head_since = self._head_since, None
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Leave what follows a refused head."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._body_since = None
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell in our own words what was no HTTP."""
        self._refuse(Invalid("request_invalid", "this is no HTTP request"))

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_BYTES or len(self.headers) > MAX_HEADERS:
            self._refuse(
                Invalid(
                    "headers_too_large",
                    f"a request's head has at most {MAX_BYTES} bytes and {MAX_HEADERS} headers",
                )
            )

    def _watch(self) -> None:
        """Refuse what has been arriving for too long; a body that we do not read is not late."""
        now = self.loop.time()
        head, body = self._head_since, self._body_since
        late_head = head is not None and now - head > self.head_s
        late_body = body is not None and now - body > self.body_s and not self.flow.read_paused
        if late_head or late_body:
            self._refuse(Unavailable("request_timeout", "the request did not arrive in time"))
        elif not self.transport.is_closing():
            self._look = self.loop.call_later(_LOOK_S, self._watch)

    def _refuse(self, error: BursarError) -> None:
        if self._refused:
            return
        self._refused = True
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            problem = problem_of(error)
            body = encode(problem)
            head = b"content-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(
                STATUS_LINE[problem.status] + head % (MEDIA_TYPE.encode(), len(body)) + body
            )
        self.transport.close()

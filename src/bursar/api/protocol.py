"""HTTP's lower half, bounded: what a client may send before the application sees it.

uvicorn's parser takes headers without end, as slowly as they come. Here they have a size, a number
and a time; whoever exceeds them is told so and the connection is closed.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bursar.api.problems import MEDIA_TYPE, encode, problem_of
from bursar.platform.errors import BursarError, Invalid, Unavailable

_MAX_BYTES: Final = 32 * 1024
_MAX_HEADERS: Final = 100
_HEADERS_S: Final = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose request line and headers are bounded in size and time."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head_bytes = 0
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._hurry(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes, as long as the head is not too large."""
        if self._refused:
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins: its head has a time."""
        super().on_message_begin()
        self._head_bytes = 0
        self._wait()

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
        self._hurry(None)
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Leave what follows a refused head."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Leave what follows a refused head."""
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell in our own words what was no HTTP."""
        self._refuse(Invalid("request_invalid", "this is no HTTP request"))

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_BYTES or len(self.headers) > _MAX_HEADERS:
            self._refuse(
                Invalid(
                    "headers_too_large",
                    f"a request's head has at most {_MAX_BYTES} bytes and {_MAX_HEADERS} headers",
                )
            )

    def _wait(self) -> None:
        self._hurry(self.loop.call_later(_HEADERS_S, self._too_slow))

    def _hurry(self, deadline: asyncio.TimerHandle | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = deadline

    def _too_slow(self) -> None:
        self._refuse(Unavailable("request_timeout", "the request did not arrive in time"))

    def _refuse(self, error: BursarError) -> None:
        if self._refused:
            return
        self._refused = True
        self._hurry(None)
        problem = problem_of(error)
        body = encode(problem)
        self.transport.write(
            b"HTTP/1.1 %d \r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (problem.status, MEDIA_TYPE.encode(), len(body), body)
        )
        self.transport.close()

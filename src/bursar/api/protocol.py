"""HTTP's lower half, bounded: how much a client may send before the application sees it.

uvicorn's parser takes headers without end, as slowly as they come. Here a request's head has a size
and a number of headers, and the whole request a time; whoever exceeds them is told so, and the
connection is closed. One look every second at each connection costs its requests nothing.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from bursar.api.problems import MEDIA_TYPE, encode, problem_of
from bursar.platform.errors import BursarError, Invalid, Unavailable

MAX_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100
_LOOK_S: Final = 1.0
_LINGER_S: Final = 2.0
_SILENT_MS: Final = 30_000


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose requests are bounded in size and time.

    ``head_s`` and ``body_s`` are how long a head, and what follows it, may take to arrive;
    ``most_connections`` is how many one process keeps open.
    """

    head_s = 10.0
    body_s = 30.0
    most_connections = 5_000

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head_bytes = 0
        self._unparsed_bytes = 0
        self._part = 0
        self._in_fields = False
        self._in_trailers = False
        self._refused = False
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._look: asyncio.TimerHandle | None = None
        self._stops = False
        self._ended: Callable[[], None] | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        answering: Any = _Answering(transport, self)
        super().connection_made(answering)
        self._head_since = self.loop.time()
        self._look = self.loop.call_later(_LOOK_S, self._watch)
        if len(self.connections) > self.most_connections:
            self._refuse(Unavailable("too_many_connections", "too many connections are open"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._look is not None:
            self._look.cancel()
        if self.scope is not None:
            notes: Any = self.scope
            del notes["line"]  # or they would hold each other
        super().connection_lost(exc)

    def begin_stream(self, ended: Callable[[], None]) -> None:
        """Prepare for an answer that does not end by itself; ``ended`` is called when it must.

        What the client does not take stops the sending at once, not after so many bytes; and a
        client from whose side nothing comes back for 30 s is no longer there.
        """
        self.transport.set_write_buffer_limits(high=0)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            opened = self.transport.get_extra_info("socket")
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
        self._ended = ended
        if self._stops:
            ended()

    def abort(self) -> None:
        """Close now, whatever is still to be sent."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Answer what was accepted, then close; a stream is ended."""
        super().shutdown()
        self._stops = True
        if self._ended is not None:
            self._ended()

    def data_received(self, data: bytes) -> None:
        """Take what comes, unless it was refused already.

        The parser gathers a header until its end is there, and tells only then: what has come of
        one that does not end is counted here.
        """
        if self._refused:
            return
        part, began = self._part, self._in_fields
        super().data_received(data)
        if began and self._in_fields and part == self._part:
            self._unparsed_bytes += len(data)
            if self._unparsed_bytes > MAX_BYTES:
                self._refuse(_too_large())

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        notes: Any = self.scope
        notes["line"] = self  # for answers that do not end by themselves
        self._head_bytes = 0
        self._in_trailers = False
        self._head_since = self.loop.time()
        self._begin_fields()

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        super().on_url(url)
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; what follows a chunked body is none, and is left."""
        if not self._in_trailers:
            super().on_header(name, value)
        self._grow(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_fields = False
        self._body_since, self._head_since = self._head_since, None
        if not self._refused:
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A chunk begins, or after the last one trailers do."""
        self._in_trailers = True
        self._begin_fields()

    def on_body(self, body: bytes) -> None:
        """Leave what follows a refused head."""
        self._in_fields = False
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._in_fields = False
        self._body_since = None
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell in our own words what was no HTTP."""
        self._refuse(Invalid("request_invalid", "this is no HTTP request"))

    @property
    def arriving(self) -> bool:
        """Whether more of a request is on its way."""
        return self._refused or self._body_since is not None

    def _begin_fields(self) -> None:
        self._part += 1
        self._in_fields = True
        self._unparsed_bytes = 0

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_BYTES or len(self.headers) > MAX_HEADERS:
            self._refuse(_too_large())

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
        if self._may_answer():
            problem = problem_of(error)
            body = encode(problem)
            head = b"content-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(
                STATUS_LINE[problem.status] + head % (MEDIA_TYPE.encode(), len(body)) + body
            )
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _may_answer(self) -> bool:
        """Say whether an answer now would be taken for that of the request that is refused."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return True
        return cycle.response_complete if self._body_since is None else not cycle.response_started


class _Answering:
    """A transport for answers: one write for each, and none is lost when it is closed.

    uvicorn writes an answer's head and its body apart: two system calls, which cost a small answer
    more than it does itself. So what is written within one turn of the loop is sent at once.

    To close at once while a request arrives would reset the connection: the client, still sending,
    might lose the answer. So only our side is closed; what still comes is thrown away, for a
    moment.
    """

    def __init__(self, transport: asyncio.Transport, protocol: BoundedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._closing = False
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send with whatever else is written in this turn."""
        if not self._parts:
            self._protocol.loop.call_soon(self._flush)
        self._parts.append(data)

    def is_closing(self) -> bool:
        """Say whether it will be closed."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Close, at once if nothing is on its way."""
        if self.is_closing():
            return
        self._closing = True
        self._flush()
        if not self._protocol.arriving or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._protocol._refused = True
        self._transport.write_eof()
        self._protocol.flow.resume_reading()
        self._protocol.loop.call_later(_LINGER_S, self._transport.close)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():  # nobody is there to read it, else
            self._transport.write(b"".join(parts))


def _too_large() -> Invalid:
    return Invalid(
        "headers_too_large",
        f"a request's head has at most {MAX_BYTES} bytes and {MAX_HEADERS} headers",
    )

"""Server-sent events, as they are read (the HTML standard, what Bursar sends of it)."""

from typing import Final

import msgspec

from bursar.client.errors import Broken

MEDIA_TYPE: Final = "text/event-stream"
MOST: Final = 8 * 1024 * 1024
"""No event of a Bursar's is longer by far."""


class Event(msgspec.Struct, frozen=True):
    """An event with a name; ``id`` is that of the last that had one, this one included."""

    name: str
    id: str | None
    data: bytes


class Reader:
    """Makes events of what comes, however it is cut; ``retry_s`` is what the server asks for."""

    def __init__(self) -> None:
        self.retry_s = 0.0
        self._rest = b""
        self._name = ""
        self._id: str | None = None
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Take a piece, and give the events that it completes.

        Raises `Broken` ``answer_unreadable`` for what is no end of an event for too long.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found = [event for line in lines if (event := self._line(line.removesuffix(b"\r")))]
        if len(self._rest) + sum(map(len, self._data)) > MOST:
            raise Broken("answer_unreadable", "an event has no end")
        return found

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._ended()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"event":
                self._name = value.decode("utf-8", "replace")
            case b"data":
                self._data.append(value)
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 8:
                self.retry_s = int(value) / 1000
        return None

    def _ended(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return Event(name, self._id, b"\n".join(data)) if name and data else None

"""One holder's inbox, and what they wish of notices; the credentials are a holder token."""

import time
from collections.abc import Iterator
from typing import Final, TypeVar

import httpx
import msgspec
from msgspec import UNSET, UnsetType

from bursar.client.answers.notices import Notice, Preferences, Quiet, Unread, WasRead
from bursar.client.asking import Ask, at, said
from bursar.client.errors import Broken, Denied
from bursar.client.events import MEDIA_TYPE, Event, Reader
from bursar.client.synchronous.connection import Connection
from bursar.client.synchronous.pages import PAGE_SIZE, Pages
from bursar.client.wishes import Choices, wishes

T = TypeVar("T")

_SILENCE_S: Final = 45.0
"""A server says something every 15 seconds; who hears nothing for so long connects again."""


class InboxCalls:
    """What the holder of the token was told."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(
        self, *, unread: bool = False, page_size: int = PAGE_SIZE, cursor: str | None = None
    ) -> Pages[Notice]:
        """List notices, the newest first; with ``unread`` only those that were not read."""
        return Pages(
            self._connection,
            Notice,
            *("me", "inbox"),
            query={"unread": unread},
            page_size=page_size,
            cursor=cursor,
        )

    def unread(self) -> int:
        """Count what was not read, up to 1,000."""
        return (self._connection.get(Unread, "me", "inbox", "unread")).unread

    def read(self, notice: str) -> Notice:
        """Note that a notice was read, by its id; raises `Missing`."""
        return self._connection.post(Notice, "me", "inbox", notice, "read", body={})

    def read_all(self, *, up_to: int | None = None) -> int:
        """Note that all was read, or all up to a place; how many were not before.

        With the ``place`` of the newest that was shown, what came meanwhile stays unread.
        """
        path = ("me", "inbox", "read")
        return (self._connection.post(WasRead, *path, body=said(up_to=up_to))).read

    def dismiss(self, notice: str) -> None:
        """Put a notice away for good, by its id."""
        self._connection.delete(type(None), "me", "inbox", notice)

    def preferences(self) -> Preferences:
        """Show which notices come by which way, and when e-mail waits."""
        return self._connection.get(Preferences, "me", "notice-preferences")

    def change_preferences(
        self,
        *,
        choices: Choices | None = None,
        quiet: Quiet | UnsetType | None = UNSET,
        if_match: str | None = None,
    ) -> Preferences:
        """Choose; what is not named stays, None is the economy's default again.

        With ``if_match``, an ``etag`` of preferences, only if nobody has changed them since.
        """
        return self._connection.patch(
            Preferences,
            *("me", "notice-preferences"),
            body=wishes(choices, quiet),
            if_match=if_match,
            safe=if_match is None,
        )

    def events(self, *, after: int | None = None) -> "Events":
        """Listen: notices as they come, and how much is unread when that changes.

        ``after`` is the place of the last notice that is known: what has come since is told first.
        """
        return Events(self._connection, after)


class Events:
    """An inbox as it fills: iterate over it, as long as you like.

    It connects again by itself and goes on where it was: nothing is lost and nothing told twice.
    ``last`` is the place to go on from, another time. A token that has expired ends it with
    `Denied`: take another, and go on after ``last``. Who cannot be reached for the patience's
    ``deadline_s`` ends it with what failed last.
    """

    def __init__(self, connection: Connection, after: int | None) -> None:
        self._connection = connection
        self.last = after

    def __iter__(self) -> Iterator[Notice | Unread]:
        attempt, since, retry_s = 0, time.monotonic(), 0.0
        while True:
            answer: httpx.Response | None = None
            failure: httpx.RequestError | None = None
            reader: Reader | None = None
            try:
                with self._connection.listen(self._ask(), _SILENCE_S) as answer:
                    if answer.is_success:
                        reader = _reader_of(answer)
                        for chunk in answer.iter_bytes():
                            for event in reader.feed(chunk):
                                attempt = 0
                                if (told := self._told(event)) is not None:
                                    yield told
                    else:
                        answer.read()
            except httpx.RequestError as error:
                answer, failure = None, error
            if reader is not None:
                answer, since, retry_s = None, time.monotonic(), reader.retry_s
            self._connection.wait_to_listen(answer, failure, attempt, since, retry_s)
            attempt += 1

    def _ask(self) -> Ask:
        return Ask(
            method="GET",
            path=at("me", "inbox", "events"),
            accept=MEDIA_TYPE,
            last_event_id=None if self.last is None else str(self.last),
        )

    def _told(self, event: Event) -> Notice | Unread | None:
        """Read an event; what a newer server says besides is passed over."""
        if event.id is not None and event.id.isascii() and event.id.isdigit():
            self.last = int(event.id)
        match event.name:
            case "notice":
                return _decoded(event, Notice)
            case "unread":
                return _decoded(event, Unread)
            case "end":
                code = _decoded(event, _End).code
                raise Denied(code, "the token no longer opens this inbox")
            case _:
                return None


class _End(msgspec.Struct, frozen=True):
    code: str = "credential_invalid"


def _decoded(event: Event, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(event.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = f"an event {event.name[:40]!r} is not what this client expects: {error}"
        raise Broken("answer_unreadable", words) from None


def _reader_of(answer: httpx.Response) -> Reader:
    """Begin to read events, if that is what comes."""
    if not answer.headers.get("content-type", "").startswith(MEDIA_TYPE):
        raise Broken("answer_unreadable", "what answers tells no events", status=answer.status_code)
    return Reader()

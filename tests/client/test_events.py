"""Listening to an inbox: nothing lost, nothing twice, whatever happens to the connection (N1, I5).

The answers are by script; test_notices listens to a real server.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from bursar.client import (
    AsyncClient,
    Broken,
    Client,
    Denied,
    Missing,
    NoAnswer,
    Notice,
    Patience,
    RateLimited,
    Unread,
)
from bursar.client.events import MOST, Event, Reader

QUICK = Patience(deadline_s=60, first_wait_s=0.0, longest_wait_s=0.0)
HEADERS = {"content-type": "text/event-stream"}
Script = list[Any]


def notice(number: int, title: str = "t") -> bytes:
    data = (
        f'{{"id":"n{number}","kind":"deposit","title":"{title}","text":"x","data":{{}},'
        '"happened_at":"2026-03-01T00:00:00Z","made_at":"2026-03-01T00:00:00Z",'
        f'"read_at":null,"place":{number}}}'
    )
    return f"id: {number}\nevent: notice\ndata: {data}\n\n".encode()


def begin(number: int, unread: int = 0) -> bytes:
    return b'retry: 3000\nid: %d\nevent: unread\ndata: {"unread":%d}\n\n' % (number, unread)


END = b'event: end\ndata: {"code":"token_expired"}\n\n'


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces; an exception among them is raised in its turn."""

    def __init__(self, *pieces: Any) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def stream(*pieces: Any) -> httpx.Response:
    return httpx.Response(200, headers=HEADERS, stream=Pieces(*pieces))


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "no"}, headers=headers)


class Server:
    """Answers one after another, and keeps what was asked and how long was waited."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/me/inbox/events"
        assert request.headers["accept"] == "text/event-stream"
        self.asked.append(request.headers.get("last-event-id"))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: httpx.Response = answer
        return found

    def client(self, patience: Patience = QUICK) -> Client:
        client = Client(
            "http://b.test", "token", patience=patience, transport=httpx.MockTransport(self)
        )
        client._connection._sleep = self.waits.append  # type: ignore[assignment]
        return client


def heard(server: Server, **given: Any) -> tuple[list[Any], Exception]:
    """Listen until it ends; what was told, and what ended it."""
    told: list[Any] = []
    with server.client(**given) as client:
        try:
            for event in client.inbox.events():
                told.append(event.place if isinstance(event, Notice) else event)  # noqa: PERF401
        except Exception as error:
            return told, error
    raise AssertionError("listening has no end")


def test_notices_and_what_is_unread_come_as_they_are() -> None:
    server = Server(stream(begin(16, 2) + notice(17), b": still here\n\n", begin(17, 3) + END))
    told, error = heard(server)
    assert told == [Unread(unread=2), 17, Unread(unread=3)]
    assert isinstance(error, Denied)
    assert error.code == "token_expired"
    assert server.asked == [None]


CUTS: dict[str, Callable[[], Any]] = {
    "orderly": lambda: stream(begin(0), notice(1)),
    "cut off": lambda: stream(begin(0), notice(1), httpx.ReadError("cut")),
    "within an event": lambda: stream(begin(0), notice(1), notice(2)[:-1], httpx.ReadError("x")),
    "silent": lambda: stream(begin(0), notice(1), httpx.ReadTimeout("silence")),
}


@pytest.mark.parametrize("cut", CUTS)
def test_after_an_end_it_goes_on_where_it_was(cut: str) -> None:
    server = Server(CUTS[cut](), stream(begin(1), notice(2), notice(3), END))
    told, error = heard(server)
    assert [one for one in told if isinstance(one, int)] == [1, 2, 3]
    assert isinstance(error, Denied)
    assert server.asked == [None, "1"]
    assert server.waits == [3.0], "as the server has asked"


def test_what_is_known_is_where_it_begins() -> None:
    server = Server(stream(begin(17), notice(18), END))
    with server.client() as client:
        events = client.inbox.events(after=17)
        with pytest.raises(Denied):
            list(events)
        assert server.asked == ["17"]
        assert events.last == 18


def test_another_time_it_goes_on_after_what_was_given() -> None:
    server = Server(stream(begin(0), notice(1) + notice(2)), stream(begin(1), notice(2), END))
    with server.client() as client:
        events = client.inbox.events()
        for event in events:
            if isinstance(event, Notice):
                break
        assert events.last == 1
        with pytest.raises(Denied):
            list(events)
    assert server.asked == [None, "1"]


def test_however_it_is_cut_an_event_is_whole() -> None:
    whole = begin(0) + notice(1, "a\u2028b\u0085c é 🎉") + notice(2) + END
    for text in (whole, whole.replace(b"\n", b"\r\n")):
        told, _ = heard(Server(stream(*(text[n : n + 1] for n in range(len(text))))))
        assert [one for one in told if isinstance(one, int)] == [1, 2]


def test_who_cannot_be_reached_is_tried_again_and_then_given_up() -> None:
    server = Server(httpx.ConnectError("no"), problem(503, "unavailable"), stream(begin(0), END))
    assert isinstance(heard(server)[1], Denied)
    assert len(server.waits) == 2
    nobody = Server(httpx.ConnectError("no"))
    _, error = heard(nobody, patience=Patience(deadline_s=0.0))
    assert isinstance(error, NoAnswer)


def test_too_many_streams_are_waited_for_as_long_as_is_asked() -> None:
    busy = problem(429, "too_many_streams", **{"retry-after": "30"})
    server = Server(busy, stream(begin(0), END))
    assert isinstance(heard(server)[1], Denied)
    assert server.waits == [30.0]
    hasty = Server(problem(429, "too_many_streams", **{"retry-after": "30"}))
    _, error = heard(hasty, patience=Patience(deadline_s=10))
    assert isinstance(error, RateLimited)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: problem(404, "holder_unknown"), Missing),
        (lambda: problem(401, "token_expired"), Denied),
        (lambda: httpx.Response(200, text="<html>a proxy's page</html>"), Broken),
        (lambda: stream(b"event: notice\ndata: {}\n\n"), Broken),
        (lambda: stream(b'event: unread\ndata: "\xff"\n\n'), Broken),
        (lambda: stream(b"data: " + b"x" * (MOST + 1)), Broken),
    ],
    ids=["missing", "denied", "html", "no notice", "no text", "endless"],
)
def test_what_cannot_go_better_later_is_told_at_once(
    answer: Callable[[], httpx.Response], kind: type[Exception]
) -> None:
    server = Server(answer())
    told, error = heard(server)
    assert (told, type(error), server.waits) == ([], kind, [])


def test_what_a_newer_server_says_besides_is_passed_over() -> None:
    more = b"id: 5\nevent: weather\ndata: sun\n\nwind: 7\n\n" + b"event: notice\nid: x\ndata:"
    text = begin(0) + more + notice(6).split(b"data:")[1] + END
    told, _ = heard(Server(stream(text)))
    assert told == [Unread(unread=0), 6]


async def test_with_asyncio_it_is_the_same() -> None:
    server = Server(stream(begin(0), notice(1)), stream(begin(1), notice(2), END))
    async with AsyncClient(
        "http://b.test", "token", patience=QUICK, transport=httpx.MockTransport(server)
    ) as client:

        async def sleep(wait_s: float) -> None:
            server.waits.append(wait_s)

        client._connection._sleep = sleep
        events = aiter(client.inbox.events())
        told = [await anext(events) for _ in range(4)]
        with pytest.raises(Denied):
            await anext(events)
    assert [one.place for one in told if isinstance(one, Notice)] == [1, 2]
    assert server.asked == [None, "1"]


def test_an_event_is_read_as_the_standard_says() -> None:
    reader = Reader()
    text = b"retry: 250\nid: 1\nevent: a\ndata:x\ndata: y\n\nevent: empty\n\ndata: nameless\n\n"
    assert reader.feed(text + b"event: b\ndata:  z\n\n") == [
        Event("a", "1", b"x\ny"),
        Event("b", "1", b" z"),
    ]
    assert reader.retry_s == 0.25
    assert reader.feed(b"retry: soon\nretry: 99999999999\n") == []
    assert reader.retry_s == 0.25

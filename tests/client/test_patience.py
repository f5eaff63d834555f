"""When a request is sent again, for how long, and when never (I5)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from bursar.client import (
    AsyncClient,
    Broken,
    BursarError,
    Credit,
    Denied,
    InsufficientFunds,
    Invalid,
    Missing,
    NoAnswer,
    Patience,
    RateLimited,
    Unavailable,
)
from bursar.client.asking import Ask
from bursar.client.asynchronous.connection import Connection
from bursar.client.errors import Conflict, Rejected
from bursar.client.patience import may_repeat, retry_after_s

Answer = httpx.Response | Exception
RECEIPT = {
    "status": "applied",
    "entry": {
        "asset": "coins",
        "seq": 1,
        "posting_id": 1,
        "kind": "grant",
        "amount": 1,
        "balance": 1,
        "reference": "r",
        "effective_at": "2026-01-01T00:00:00Z",
        "recorded_at": "2026-01-01T00:00:00Z",
        "a_field_of_tomorrow": {"x": 1},
    },
    "another": True,
}


class Line:
    """A server by script, and a clock that waits at once."""

    def __init__(self, *answers: Answer, **patience: float) -> None:
        self._answers: Iterator[Answer] = iter(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.connection = Connection(
            "http://bursar.test/base/",
            "key",
            patience=Patience(**patience),
            max_connections=1,
            transport=httpx.MockTransport(self._answer),
            sleep=self._sleep,
        )

    async def send(self, *, safe: bool = True) -> Any:
        return await self.connection.post(dict[str, Any], "x", body={}, safe=safe, key="k")

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def problem(status: int, code: str = "code", **headers: str) -> httpx.Response:
    body = {"code": code, "detail": "words", "fields": {"a": 1}, "request_id": "abc"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named)


def fine() -> httpx.Response:
    return httpx.Response(200, json={"fine": True})


@pytest.mark.parametrize(
    "first",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.ReadError("reset"),
        *(problem(status) for status in (408, 429, 502, 503, 504)),
    ],
)
async def test_what_may_pass_is_tried_again_with_the_same_key(first: Answer) -> None:
    line = Line(first, first, fine())
    assert await line.send() == {"fine": True}
    assert [r.headers["idempotency-key"] for r in line.requests] == ["k"] * 3
    assert len({r.content for r in line.requests}) == 1
    assert len(line.waits) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 431, 500])
async def test_what_will_not_pass_is_told_at_once(status: int) -> None:
    line = Line(problem(status))
    with pytest.raises(BursarError) as caught:
        await line.send()
    error = caught.value
    assert (error.status, error.code, error.detail) == (status, "code", "words")
    assert (error.fields, error.request_id) == ({"a": 1}, "abc")
    assert (error.uncertain, error.idempotency_key) == (False, "k")


@pytest.mark.parametrize("first", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut")])
async def test_what_is_not_safe_is_not_sent_again_once_it_may_have_arrived(
    first: Exception,
) -> None:
    line = Line(first)
    with pytest.raises(NoAnswer) as caught:
        await line.send(safe=False)
    assert caught.value.uncertain


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_what_is_not_safe_is_not_sent_again_after_an_answer_that_leaves_it_open(
    status: int,
) -> None:
    line = Line(problem(status))
    with pytest.raises(Unavailable):
        await line.send(safe=False)
    assert len(line.requests) == 1


@pytest.mark.parametrize("first", [httpx.ConnectError("refused"), problem(429)])
async def test_what_is_not_safe_is_sent_again_where_it_cannot_have_been_read(
    first: Answer,
) -> None:
    assert await Line(first, fine()).send(safe=False) == {"fine": True}


async def test_a_call_that_never_got_through_is_certain_not_to_be_done() -> None:
    line = Line(*[httpx.ConnectError("refused")] * 2, deadline_s=0.0)
    with pytest.raises(NoAnswer) as caught:
        await line.send()
    assert not caught.value.uncertain
    assert caught.value.fields == {"attempts": 1}


async def test_a_refusal_after_a_lost_answer_is_uncertain() -> None:
    line = Line(httpx.ReadTimeout("slow"), problem(422, "insufficient_funds"))
    with pytest.raises(InsufficientFunds) as caught:
        await line.send()
    assert caught.value.uncertain
    assert caught.value.idempotency_key == "k"


async def test_retry_after_is_kept_to() -> None:
    line = Line(problem(429, "rate_limited", retry_after="7"), fine())
    await line.send()
    assert 7 <= line.waits[0] <= 7.1


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    line = Line(problem(429, "rate_limited", retry_after="61"), deadline_s=60)
    with pytest.raises(RateLimited) as caught:
        await line.send()
    assert caught.value.retry_after_s == 61
    assert line.waits == []


def test_waits_grow_to_their_cap_and_are_drawn_from_nothing_on() -> None:
    patience = Patience(first_wait_s=0.1, longest_wait_s=5.0)
    most = [patience.wait_s(n, 100.0, chance=lambda _, high: high) for n in range(9)]
    assert most == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert patience.wait_s(10_000, 100.0, chance=lambda low, _: low) == 0.0
    assert patience.wait_s(0, 0.05, chance=lambda _, high: high) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 10:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("9" * 40, None),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_s(header, datetime(2026, 11, 21, 10, tzinfo=UTC)) == seconds


def test_success_is_not_repeated() -> None:
    assert not may_repeat(200, safe=True)
    assert not may_repeat(201, safe=False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (405, Invalid),
        (413, Invalid),
        (401, Denied),
        (403, Denied),
        (404, Missing),
        (409, Conflict),
        (412, Conflict),
        (422, Rejected),
        (500, Broken),
        (501, Broken),
        (301, Broken),
    ],
)
async def test_an_answer_of_something_else_than_bursar_is_an_error_all_the_same(
    status: int, kind: type[BursarError]
) -> None:
    line = Line(httpx.Response(status, text="<html>\n oh no"))
    with pytest.raises(kind) as caught:
        await line.send()
    assert (caught.value.code, caught.value.detail) == (f"http_{status}", "<html> oh no")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"\xff"', b'{"status": 5}'])
async def test_an_answer_that_makes_no_sense_is_broken(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    async with AsyncClient("http://bursar.test", "key", transport=transport) as client:
        with pytest.raises(Broken) as caught:
            await client.postings.credit("ada", "coins", 1)
    assert caught.value.code == "answer_unreadable"
    assert caught.value.idempotency_key


async def test_an_answer_without_words_is_none_where_none_is_expected() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(204))
    async with AsyncClient("http://bursar.test", "key", transport=transport) as client:
        await client.operation.resolve_alert(7, reason="mended")
        with pytest.raises(Broken):
            await client.assets.all()


async def test_what_a_newer_server_says_besides_is_ignored() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(201, json=RECEIPT))
    async with AsyncClient("http://bursar.test", "key", transport=transport) as client:
        assert (await client.postings.credit("ada", "coins", 1)).balance == 1


async def test_a_list_that_goes_in_a_circle_ends() -> None:
    page = {"items": [], "cursor": "again"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=page))
    async with AsyncClient("http://bursar.test", "key", transport=transport) as client:
        with pytest.raises(Broken, match="followed by itself"):
            _ = [entry async for entry in client.postings.journal()]


async def test_the_address_may_have_a_path_and_credentials_go_in_their_header() -> None:
    line = Line(fine())
    await line.connection.send(dict[str, Any], Ask(method="GET", path="/health/live"))
    [request] = line.requests
    assert str(request.url) == "http://bursar.test/base/health/live"
    assert request.headers["authorization"] == "Bearer key"
    assert "idempotency-key" not in request.headers


@pytest.mark.parametrize(
    "url", ["", "bursar.test", "ftp://x", "http://", "http://u:p@x", "http://x?y", "http://x#y"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        AsyncClient(url, "key")


@pytest.mark.parametrize("key", ["", "  ", "a b", "a\nb", "schlüssel"])
def test_credentials_that_are_none_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        AsyncClient("http://bursar.test", key)


async def test_no_secret_stands_in_a_repr() -> None:
    async with AsyncClient("http://bursar.test", "bsk_secret") as client:
        assert "secret" not in repr(client)


@pytest.mark.parametrize("reference", ["größe", "a\nb"])
async def test_a_reference_that_only_fits_a_body_is_refused_in_a_header(reference: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(201, json=RECEIPT))
    async with AsyncClient("http://bursar.test", "key", transport=transport) as client:
        with pytest.raises(ValueError, match="ASCII"):
            await client.grants.give(reason="x", everybody=True, reference=reference)


@pytest.mark.parametrize("reference", ["größe", '"quoted"', "日本"])
async def test_a_reference_of_a_movement_may_have_any_letters(reference: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=RECEIPT)

    async with AsyncClient(
        "http://bursar.test", "key", transport=httpx.MockTransport(answer)
    ) as client:
        command = Credit(holder="ada", asset="coins", amount=1, reference=reference)
        await client.postings.post(command)
    assert msgspec.json.decode(seen[0].content)["reference"] == reference

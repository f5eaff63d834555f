"""Deliveries to real receivers: friendly, broken, slow and hostile ones (N3)."""

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import httpcore
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bursar import __version__
from bursar.ledger import Credit, Ledger
from bursar.notices.model import Channel, Outcome
from bursar.notices.sending.carrier import NotNow
from bursar.notices.webhooks.carrier import WebhookCarrier
from bursar.notices.webhooks.guarded import Forbidden, Guard
from bursar.notices.webhooks.model import EndpointState
from bursar.notices.webhooks.service import Endpoints
from bursar.platform.errors import Missing
from bursar.platform.sealing import Seal, new_key
from tests.notices.webhooks.conftest import ID, OK, WHO, Receiver, carrying, delivery, serving


async def alerts(ledger: Ledger) -> list[tuple[str, str, str, int]]:
    async with ledger.database.connection() as connection:
        done = await connection.execute(
            "select kind, subject, message, times from bursar.operator_alerts order by alert_id"
        )
        return await done.fetchall()


def said(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_a_delivery_is_posted_signed_and_whole(
    endpoints: Endpoints, carrier: WebhookCarrier, ledger: Ledger, receiver: Receiver
) -> None:
    await ledger.add_asset("coins", scale=0, **WHO)
    for name in ("ada", "bea"):
        await ledger.submit(Credit(holder=name, asset="coins", amount=1, reference=name), **WHO)
    names = await ledger.holders([1, 2])
    endpoint, secret = await endpoints.add(receiver.url, **WHO)
    outcome = await carrier.carry(delivery(endpoint.endpoint_id, 1, 2, 99, None, run="run_7"))
    assert outcome == Outcome(outcome="sent", status=200)
    [got] = receiver.got
    assert got.line == "POST /hook?token=t0psecret HTTP/1.1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == f"Bursar/{__version__}"
    assert got.headers["webhook-id"] == str(ID)
    body = Webhook(secret).verify(got.body, got.headers)
    assert (body["type"], body["timestamp"]) == ("deposit", "2026-11-01T12:00:00Z")
    assert body["data"]["run"] == "run_7"
    assert [told["holder"] for told in body["data"]["notices"]] == [names[1], names[2], None, None]
    assert body["data"]["notices"][0]["amount"] == 500
    assert set(names.values()) == {"ada", "bea"}


async def test_both_secrets_verify_during_a_rotation_and_only_the_new_one_after_it(
    endpoints: Endpoints, carrier: WebhookCarrier, ledger: Ledger, receiver: Receiver
) -> None:
    endpoint, old = await endpoints.add(receiver.url, **WHO)
    _, new = await endpoints.rotate(endpoint.endpoint_id, **WHO)
    await carrier.carry(delivery(endpoint.endpoint_id, None))
    async with ledger.database.connection() as connection:
        await connection.execute("update bursar.webhook_endpoints set old_until = now()")
    await carrier.carry(delivery(endpoint.endpoint_id, None))
    during, after = receiver.got
    for secret in (old, new):
        assert Webhook(secret).verify(during.body, during.headers)
    assert Webhook(new).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(after.body + b" ", after.headers)


async def test_connections_are_used_again(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    for _ in range(3):
        await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert (len(receiver.got), receiver.connections) == (3, 1)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (said("204 No Content"), Outcome(outcome="sent", status=204)),
        (
            said("500 Oh", body=b"broken\r\n\x1b[31mhere\x00" + b"!" * 900),
            Outcome(outcome="failed", status=500, detail="broken [31mhere " + "!" * 284),
        ),
        (said("404 No"), Outcome(outcome="failed", status=404)),
        (
            said("429 Slow", "retry-after: 120", body=b"slow down"),
            Outcome(outcome="failed", status=429, detail="slow down", retry_after_s=120),
        ),
        (
            said("503 Later", "Retry-After: Sat, 21 Nov 2099 12:00:00 GMT"),
            Outcome(outcome="failed", status=503, retry_after_s=86_400),
        ),
        (
            said("302 There", "location: http://169.254.169.254/latest/"),
            Outcome(outcome="failed", status=302, detail="redirect"),
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000, None),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n", None),
    ],
    ids=["204", "500", "404", "429", "503", "302", "no HTTP", "endless headers", "101"],
)
async def test_what_is_answered_is_what_came_of_it(
    endpoints: Endpoints,
    carrier: WebhookCarrier,
    ledger: Ledger,
    receiver: Receiver,
    answer: bytes,
    outcome: Outcome | None,
) -> None:
    receiver.answer = answer
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    if outcome is not None:
        assert got == outcome
    assert (got.outcome, len(receiver.got)) == (outcome.outcome if outcome else "failed", 1)
    assert len(got.detail) <= 300
    assert await endpoints.list() == [endpoint]
    assert await alerts(ledger) == []


async def test_a_redirect_is_not_followed(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    async for other in serving(Receiver()):
        receiver.answer = said("307 There", f"location: {other.url}")
        endpoint, _ = await endpoints.add(receiver.url, **WHO)
        got = await carrier.carry(delivery(endpoint.endpoint_id, None))
        assert got.detail == "redirect"
        assert (len(receiver.got), len(other.got)) == (1, 0)


async def test_who_is_gone_is_switched_off_and_operators_are_told(
    endpoints: Endpoints, carrier: WebhookCarrier, ledger: Ledger, receiver: Receiver
) -> None:
    receiver.answer = said("410 Gone")
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got == Outcome(outcome="refused", status=410, detail="gone")
    now = await endpoints.get(endpoint.endpoint_id)
    assert (now.state, now.why) == (EndpointState.OFF, "gone")
    [(kind, subject, message, times)] = await alerts(ledger)
    assert (kind, subject, times) == ("webhook_gone", "webhook_1", 1)
    assert "t0psecret" not in message
    with pytest.raises(NotNow):
        await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert len(receiver.got) == 1


async def test_what_was_for_an_endpoint_that_was_changed_meanwhile_is_not_given_up(
    endpoints: Endpoints, carrier: WebhookCarrier, ledger: Ledger, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(receiver.url, **WHO)

    async def gone(writer: asyncio.StreamWriter) -> None:
        await endpoints.change(endpoint.endpoint_id, url="https://elsewhere.example", **WHO)
        writer.write(said("410 Gone"))

    receiver.answer = gone
    got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got == Outcome(outcome="failed", status=410, detail="gone")
    assert (await endpoints.get(endpoint.endpoint_id)).state is EndpointState.ON
    assert await alerts(ledger) == []


async def test_nothing_is_sent_to_what_was_removed(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    await endpoints.remove(endpoint.endpoint_id, **WHO)
    for number in (endpoint.endpoint_id, 7):
        got = await carrier.carry(delivery(number, None))
        assert got == Outcome(outcome="dropped", detail="endpoint_removed")
    assert receiver.got == []


async def test_a_secret_that_cannot_be_read_is_told_to_operators(
    endpoints: Endpoints, ledger: Ledger, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    async for stranger in carrying(ledger, Seal((new_key(),))):
        got = await stranger.carry(delivery(endpoint.endpoint_id, None))
        assert got == Outcome(outcome="failed", detail="secret_unreadable")
    assert receiver.got == []
    [(kind, subject, message, _)] = await alerts(ledger)
    assert (kind, subject) == ("webhook_secret", "webhook_1")
    assert "t0psecret" not in message


async def test_logs_have_no_secret_and_no_query(
    endpoints: Endpoints,
    carrier: WebhookCarrier,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    endpoint, secret = await endpoints.add(receiver.url, **WHO)
    await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert "t0psecret" not in caplog.text
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert secret not in caplog.text


async def test_what_a_server_repeats_of_the_request_is_not_kept(
    endpoints: Endpoints, carrier: WebhookCarrier, ledger: Ledger, receiver: Receiver
) -> None:
    await ledger.add_asset("coins", scale=0, **WHO)
    await ledger.submit(Credit(holder='a"b', asset="coins", amount=1, reference="1"), **WHO)
    endpoint, _ = await endpoints.add(f"{receiver.url}&to=x%20y", **WHO)
    for echo in (
        b"Cannot POST /hook?token=t0psecret&to=x%20y",
        b"token t0psecret is not known",
        rb'{"holder":"a\"b","wanted":"x y"}',
    ):
        receiver.answer = said("404 Not Found", body=echo)
        got = await carrier.carry(delivery(endpoint.endpoint_id, 1))
        assert got.detail
        assert "…" in got.detail
        assert not any(word in got.detail for word in ("t0psecret", "x%20y", "x y", 'a\\"b'))
    assert "t0psecret" not in (await carrier.ping(endpoint.endpoint_id)).detail


async def test_a_carrier_is_the_one_of_webhooks(carrier: WebhookCarrier) -> None:
    assert carrier.channel is Channel.WEBHOOK


# --- slow and endless ones: the clock of these carriers is short -------------------------------

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _silence(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _drip(writer: asyncio.StreamWriter, beginning: bytes, drop: bytes) -> None:
    """Send something again and again; every pause is shorter than any patience."""
    writer.write(beginning)
    while True:
        writer.write(drop)
        await writer.drain()
        await asyncio.sleep(0.01)


async def _headers(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"HTTP/1.1 200 OK\r\n", b"x: y\r\n")


async def _informed(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")


async def _dripping_body(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n", b"z")


async def _silent_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    await asyncio.Event().wait()


async def _endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"e" * 0x10000 + b"\r\n")
        await writer.drain()


async def _gone_half_way(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 O")
    writer.close()


async def _cut_off_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (_silence, Outcome(outcome="failed", detail="no answer in time")),
        (_headers, Outcome(outcome="failed", detail="no answer in time")),
        (_informed, Outcome(outcome="failed", detail="no answer in time")),
        (_dripping_body, Outcome(outcome="sent", status=200)),
        (_silent_body, Outcome(outcome="sent", status=200)),
        (_cut_off_body, Outcome(outcome="sent", status=200)),
        (_endless_body, Outcome(outcome="failed", status=500, detail="e" * 300)),
        (_gone_half_way, None),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
async def test_nobody_holds_a_carrier_up(
    endpoints: Endpoints,
    ledger: Ledger,
    seal: Seal,
    receiver: Receiver,
    behaviour: Behaviour,
    outcome: Outcome | None,
) -> None:
    receiver.answer = behaviour
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    async for carrier in carrying(ledger, seal, total_s=2.0):
        async with asyncio.timeout(60):  # where it is held up, it is so for ever
            got = await carrier.carry(delivery(endpoint.endpoint_id, None))
        assert got.outcome == (outcome.outcome if outcome else "failed")
        assert outcome is None or got == outcome
        receiver.answer = OK
        again = await carrier.carry(delivery(endpoint.endpoint_id, None))
        assert again.outcome == "sent", "what came before has left nothing behind"


async def test_a_stop_in_the_middle_leaves_nothing_behind(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    arrived = asyncio.Event()

    async def silence(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    receiver.answer = silence
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    carrying_it = asyncio.create_task(carrier.carry(delivery(endpoint.endpoint_id, None)))
    await arrived.wait()
    carrying_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carrying_it
    receiver.answer = OK
    assert (await carrier.carry(delivery(endpoint.endpoint_id, None))).outcome == "sent"


async def test_a_port_where_nobody_listens_is_a_failure(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add("http://127.0.0.1:9/hook", **WHO)
    got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got.outcome == "failed"
    assert got.detail.startswith("no connection")


# --- TLS ----------------------------------------------------------------------------------------


async def test_a_certificate_of_an_authority_that_is_trusted_is_taken(
    endpoints: Endpoints,
    ledger: Ledger,
    seal: Seal,
    tls_receiver: Receiver,
    trusting: ssl.SSLContext,
) -> None:
    endpoint, secret = await endpoints.add(tls_receiver.url, **WHO)
    async for carrier in carrying(ledger, seal, tls=trusting):
        assert (await carrier.carry(delivery(endpoint.endpoint_id, None))).outcome == "sent"
    [got] = tls_receiver.got
    assert Webhook(secret).verify(got.body, got.headers)


async def test_a_certificate_of_a_stranger_is_not(
    endpoints: Endpoints, carrier: WebhookCarrier, tls_receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(tls_receiver.url, **WHO)
    got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got.outcome == "failed"
    assert got.detail.startswith("TLS: ")
    assert "certificate" in got.detail
    assert tls_receiver.got == []


async def test_a_certificate_must_be_of_the_name_in_the_url_and_not_of_where_it_leads(
    endpoints: Endpoints,
    ledger: Ledger,
    seal: Seal,
    tls_receiver: Receiver,
    trusting: ssl.SSLContext,
) -> None:
    port = tls_receiver.port
    right, _ = await endpoints.add(f"https://hooks.example:{port}/", **WHO)
    wrong, _ = await endpoints.add(f"https://other.example:{port}/", **WHO)
    async for carrier in carrying(ledger, seal, tls=trusting, resolve=Names(["127.0.0.1"])):
        assert (await carrier.carry(delivery(right.endpoint_id, None))).outcome == "sent"
        refused = await carrier.carry(delivery(wrong.endpoint_id, None))
    assert refused.outcome == "failed"
    assert refused.detail.startswith("TLS: ")
    [got] = tls_receiver.got
    assert got.headers["host"] == f"hooks.example:{port}"


async def test_a_server_that_speaks_no_tls_is_a_failure(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(receiver.url.replace("http:", "https:"), **WHO)
    async for carrier in carrying(ledger, seal, total_s=0.4, connect_s=0.2):
        got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got.outcome == "failed"
    assert receiver.got == []


# --- names, and who answers for them ------------------------------------------------------------


class Names:
    """A resolver that gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


async def test_a_name_that_leads_to_a_forbidden_address_is_refused_and_told(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(f"https://hooks.example:{receiver.port}/x?t=t0psecret", **WHO)
    async for carrier in carrying(ledger, seal, networks=(), resolve=Names(["127.0.0.1"])):
        for _ in range(2):
            got = await carrier.carry(delivery(endpoint.endpoint_id, None))
            assert got.outcome == "refused"
            assert "loopback" in got.detail
    assert receiver.connections == 0
    [(kind, subject, message, times)] = await alerts(ledger)
    assert (kind, subject, times) == ("webhook_forbidden", "webhook_1", 2)
    assert "t0psecret" not in message
    assert (await endpoints.get(endpoint.endpoint_id)).state is EndpointState.ON


async def test_one_forbidden_address_among_others_forbids_the_name(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(f"https://hooks.example:{receiver.port}/", **WHO)
    names = Names(["127.0.0.1", "10.0.0.1"])
    async for carrier in carrying(ledger, seal, resolve=names):
        assert (await carrier.carry(delivery(endpoint.endpoint_id, None))).outcome == "refused"
    assert receiver.connections == 0


async def test_a_name_is_asked_for_once_so_that_a_second_answer_cannot_differ(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, receiver: Receiver
) -> None:
    """The first answer is public (here: allowed), the second would be our own loopback."""
    endpoint, _ = await endpoints.add(f"http://hooks.example:{receiver.port}/", **WHO)
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async for carrier in carrying(
        ledger, seal, networks=("127.0.0.2/32",), resolve=names, connect_s=0.3
    ):
        first = await carrier.carry(delivery(endpoint.endpoint_id, None))
        assert (first.outcome, names.asked) == ("failed", 1), "nobody listens on 127.0.0.2"
        second = await carrier.carry(delivery(endpoint.endpoint_id, None))
        assert (second.outcome, names.asked) == ("refused", 2)
    assert receiver.connections == 0


class Diverted(httpcore.AsyncMockBackend):
    """A network that connects to elsewhere than it was asked."""

    async def connect_tcp(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        class Elsewhere(httpcore.AsyncMockStream):
            def get_extra_info(self, info: str) -> Any:
                return ("10.0.0.1", 443) if info == "server_addr" else None

        return Elsewhere([])


async def test_a_connection_that_leads_elsewhere_is_not_used() -> None:
    guard = Guard((), Names(["8.8.8.8"]), clear=False)
    guard._plain = Diverted([])
    with pytest.raises(Forbidden, match=re.escape("another address than 8.8.8.8")):
        await guard.connect_tcp("hooks.example", 443)


async def test_an_address_that_was_allowed_when_the_url_was_added_is_judged_again(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    async for carrier in carrying(ledger, seal, networks=()):
        assert (await carrier.carry(delivery(endpoint.endpoint_id, None))).outcome == "refused"
    assert receiver.connections == 0


async def test_without_tls_only_allowed_networks_are_reached(
    endpoints: Endpoints, ledger: Ledger, seal: Seal
) -> None:
    endpoint, _ = await endpoints.add("http://hooks.example/", **WHO)
    async for carrier in carrying(ledger, seal, resolve=Names(["8.8.8.8"])):
        got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got.outcome == "refused"
    assert "https://" in got.detail


async def test_an_address_that_does_not_answer_is_not_the_last_one_tried(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(f"http://hooks.example:{receiver.port}/", **WHO)
    async for carrier in carrying(ledger, seal, resolve=Names(["127.0.0.9", "127.0.0.1"])):
        assert (await carrier.carry(delivery(endpoint.endpoint_id, None))).outcome == "sent"


@pytest.mark.parametrize(
    "answer", [[], OSError(-2, "Name or service not known"), OSError()], ids=["empty", "no", "oh"]
)
async def test_a_name_without_an_address_is_a_failure(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, answer: Any
) -> None:
    endpoint, _ = await endpoints.add("https://hooks.example/", **WHO)
    async for carrier in carrying(ledger, seal, resolve=Names(answer)):
        got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got.outcome == "failed"
    assert got.detail.startswith("name: ")


async def test_a_name_server_that_is_silent_holds_nobody_up(
    endpoints: Endpoints, ledger: Ledger, seal: Seal
) -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    endpoint, _ = await endpoints.add("https://hooks.example/", **WHO)
    async for carrier in carrying(ledger, seal, resolve=silent, connect_s=0.1):
        got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert got == Outcome(outcome="failed", detail="name: no answer in time")


async def test_the_systems_names_are_asked_for(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    endpoint, _ = await endpoints.add(f"http://localhost:{receiver.port}/", **WHO)
    got = await carrier.carry(delivery(endpoint.endpoint_id, None))
    assert (got.outcome, len(receiver.got)) == ("sent", 1)


async def test_no_proxy_of_the_environment_is_used(
    endpoints: Endpoints,
    carrier: WebhookCarrier,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async for proxy in serving(Receiver()):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        endpoint, _ = await endpoints.add(receiver.url, **WHO)
        await carrier.carry(delivery(endpoint.endpoint_id, None))
        assert (len(receiver.got), proxy.connections) == (1, 0)


# --- ping -----------------------------------------------------------------------------------------


async def test_a_ping_is_a_delivery_of_nothing_and_is_sent_to_one_that_is_off_too(
    endpoints: Endpoints, carrier: WebhookCarrier, receiver: Receiver
) -> None:
    endpoint, secret = await endpoints.add(receiver.url, **WHO)
    await endpoints.change(endpoint.endpoint_id, on=False, **WHO)
    assert await carrier.ping(endpoint.endpoint_id) == Outcome(outcome="sent", status=200)
    await carrier.ping(endpoint.endpoint_id)
    first, second = receiver.got
    body = Webhook(secret).verify(first.body, first.headers)
    assert (body["type"], body["data"]) == ("ping", {"run": None, "notices": []})
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


async def test_a_ping_changes_nothing(
    endpoints: Endpoints, carrier: WebhookCarrier, ledger: Ledger, receiver: Receiver
) -> None:
    receiver.answer = said("410 Gone")
    endpoint, _ = await endpoints.add(receiver.url, **WHO)
    got = await carrier.ping(endpoint.endpoint_id)
    assert (got.outcome, got.detail) == ("refused", "gone")
    assert await endpoints.get(endpoint.endpoint_id) == endpoint
    assert await alerts(ledger) == []


@pytest.mark.parametrize("number", [0, 3, 2**40, "1"])
async def test_a_ping_to_no_endpoint_is_missing(carrier: WebhookCarrier, number: Any) -> None:
    with pytest.raises(Missing) as caught:
        await carrier.ping(number)
    assert caught.value.code == "webhook_unknown"

"""What a hostile or broken client sends is refused clearly, and costs the others nothing (I1, I2).

The server is a real process with short patience. After each abuse it still answers; after all of
them it has not grown, and has told nobody a secret.
"""

import asyncio
import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from bursar.access import Access, Scope
from bursar.ledger import Ledger
from bursar.platform.settings import load_settings
from tests.api.process import MOST_CONNECTIONS, Process, read_all
from tests.support.postgres import database_url

MIB = 1024 * 1024
MAX_BODY = 1 * MIB
GROWTH_KB = 50 * 1024
COMMAND = {"op": "credit", "holder": "maria", "asset": "coins", "amount": 5, "reference": "r"}


class Secrets:
    """What the server must never tell."""

    def __init__(self) -> None:
        self.key = self.viewer = self.token = self.other_token = self.expired = ""


async def _credentials(url: str) -> Secrets:
    ledger = await Ledger.open(url, settings=load_settings({}))
    access = Access(ledger.database, key_per_minute=600_000, holder_per_minute=600_000)
    found = Secrets()
    try:
        voice = {"actor": "test", "reason": "abuse"}
        await ledger.add_asset("coins", **voice)
        found.key = (await access.add_key("app", "shop", {Scope.INGEST}, **voice)).secret
        found.viewer = (await access.add_key("eye", "eye", {Scope.VIEWER}, **voice)).secret
        found.token = (await access.issue_token("maria", actor="test")).text
        found.other_token = (await access.issue_token("jun", actor="test")).text
        found.expired = (await access.issue_token("maria", ttl_s=1, actor="test")).text
    finally:
        await access.close()
        await ledger.close()
    return found


@pytest.fixture(scope="module")
def url(server, admin: psycopg.Connection, migrated: str) -> Iterator[str]:
    admin.execute(f"create database abused template {migrated}")
    yield database_url(server.service_url, "abused")
    admin.execute("drop database abused with (force)")


@pytest.fixture(scope="module")
def secrets(url: str) -> Secrets:
    return asyncio.run(_credentials(url))


@pytest.fixture(scope="module")
def process(url: str, secrets: Secrets, tmp_path_factory) -> Iterator[Process]:
    log: Path = tmp_path_factory.mktemp("abuse") / "log"
    started = Process(url, log, max_body=str(MAX_BODY), access_log="on")
    try:
        started.wait()
        yield started
    finally:
        assert started.stop() in (0, -signal.SIGTERM)  # uvicorn ends by the signal that it took


@pytest.fixture(autouse=True)
def unharmed(process: Process) -> Iterator[None]:
    """After each abuse it answers, and is no larger than before."""
    before = process.memory_kb()
    yield
    assert process.answers()
    assert process.memory_kb() - before < GROWTH_KB
    assert (process.log().partition("Traceback")[1:]) == ("", "")


@pytest.fixture
def client(process: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=process.url, timeout=60) as made:
        yield made


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def head(path: str = "/v1/postings", *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: b", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def refused(answer: bytes) -> tuple[int, str]:
    """Read the first answer on a connection: its status and its problem's code."""
    shown, _, body = answer.partition(b"\r\n\r\n")
    status = int(shown.split()[1])
    assert b"application/problem+json" in shown, answer[:500]
    return status, json.loads(body)["code"]


# --- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/postings", "/v1/postings/bulk"])
def test_a_body_of_100_mb_is_refused_before_it_is_read(process, secrets, path):
    announced = head(path, f"authorization: Bearer {secrets.key}", f"content-length: {100 * MIB}")
    assert refused(process.say(announced, *[b" " * MIB] * 100)) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/v1/postings", "/v1/postings/bulk"])
def test_a_chunked_body_of_100_mb_is_refused_where_it_becomes_too_large(process, secrets, path):
    announced = head(path, f"authorization: Bearer {secrets.key}", "transfer-encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
    assert refused(process.say(announced, *[chunk] * 100)) == (413, "body_too_large")


def test_a_body_of_100_mb_without_credentials_is_not_kept(process):
    announced = head("/v1/postings/bulk", "transfer-encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
    assert refused(process.say(announced, *[chunk] * 100)) == (401, "credential_missing")


def test_a_body_that_does_not_arrive_is_waited_for_only_so_long(process, secrets):
    announced = head("/v1/postings", f"authorization: Bearer {secrets.key}", "content-length: 100")
    assert refused(process.say(announced, b"{")) == (408, "request_timeout")


def test_a_body_that_drips_is_waited_for_only_so_long(process, secrets):
    announced = head("/v1/postings/bulk", f"authorization: Bearer {secrets.key}",
                     "transfer-encoding: chunked")  # fmt: skip
    with process.connect() as opened:
        opened.sendall(announced)
        opened.settimeout(0.2)
        answer = b""
        for _ in range(200):
            try:
                opened.sendall(b"1\r\n \r\n")
                answer = opened.recv(65_536)
                break
            except TimeoutError:
                continue
    assert refused(answer) == (408, "request_timeout")


NESTED = "[" * 100_000
METADATA = '{"op":"credit","holder":"m","asset":"coins","amount":1,"reference":"x","metadata":'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(NESTED.encode(), id="depth"),
        pytest.param((NESTED + "]" * 100_000).encode(), id="depth, closed"),
        pytest.param((METADATA + '{"a":' * 100_000 + "1" + "}" * 100_001).encode(), id="metadata"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe{}", id="no UTF-8"),
        pytest.param(json.dumps(COMMAND | {"holder": "@"}).encode().replace(b"@", b"\xc3\x28"),
                     id="no UTF-8 inside"),
        pytest.param(b'{"op":"credit","amount":NaN}', id="NaN"),
        pytest.param(b'{"op":"credit","amount":1e999}', id="infinity"),
        pytest.param(json.dumps(COMMAND | {"amount": 10**400}).encode(), id="a huge number"),
        pytest.param(json.dumps(COMMAND | {"amount": 2**63}).encode(), id="beyond int64"),
        pytest.param(json.dumps(COMMAND | {"amount": 1.5}).encode(), id="a fraction"),
        pytest.param(json.dumps(COMMAND | {"holder": "a\x00b"}).encode(), id="NUL"),
        pytest.param(json.dumps(COMMAND | {"holder": "\ud800"}).encode(), id="half a surrogate"),
        pytest.param(json.dumps(COMMAND | {"holder": "x" * 100_000}).encode(), id="a long name"),
        pytest.param(json.dumps(COMMAND | {"metadata": {"a": "x" * 900_000}}).encode(),
                     id="large metadata"),
        pytest.param(b'{"op":"credit","op":"debit","amount":1}', id="two ops"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/postings", "/v1/postings/bulk"])
def test_json_that_is_none_or_not_ours_is_malformed(client, secrets, path, body):
    if path.endswith("bulk") and body.startswith(b'{"op'):
        body = b'{"commands":[' + body + b"]}"
    answer = client.post(path, content=body, headers=bearer(secrets.key))
    if answer.status_code == 200:  # a batch tells of each command what became of it
        assert {one["status"] for one in answer.json()["results"]} == {"invalid"}
        return
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 5_000


def test_of_a_name_that_stands_twice_the_last_counts_and_it_is_the_one_that_is_booked(
    client, secrets
):
    twice = json.dumps(COMMAND | {"reference": "twice"})[:-1] + ',"amount":7}'
    answer = client.post("/v1/postings", content=twice, headers=bearer(secrets.key))
    assert answer.json()["entry"]["amount"] == 7


# --- heads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([head("/health/live", *[f"x-{n}: 1" for n in range(5_000)])], id="many"),
        pytest.param([head("/health/live", "x: " + "y" * 100_000)], id="huge"),
        pytest.param([head("/health/live", "x" * 100_000 + ": y")], id="a huge name"),
        pytest.param([head("/" + "x" * 100_000)], id="a huge path"),
        pytest.param([b"GET / HTTP/1.1\r\nx: ", *[b"y" * MIB] * 100], id="a value without end"),
        pytest.param([b"GET / HTTP/1.1\r\n", *[b"y" * MIB] * 100], id="a name without end"),
        pytest.param([b"GET /", *[b"y" * MIB] * 100], id="a path without end"),
        pytest.param([b"GET / HTTP/1.1\r\n", *[b"x: y\r\n" * 10_000] * 500], id="without end"),
    ],
)  # fmt: skip
def test_a_head_has_a_size(process, parts):
    assert refused(process.say(*parts)) == (431, "headers_too_large")


def test_what_follows_a_chunked_body_has_a_size_too(process, secrets):
    announced = head("/v1/postings/bulk", f"authorization: Bearer {secrets.key}",
                     "transfer-encoding: chunked")  # fmt: skip
    trailer = [b"0\r\nx: ", *[b"y" * MIB] * 100]
    assert refused(process.say(announced, *trailer)) == (431, "headers_too_large")


def test_what_follows_a_body_is_no_header(process, secrets):
    body = json.dumps(COMMAND | {"reference": ""}).encode().replace(b', "reference": ""', b"")
    chunked = b"%x\r\n%s\r\n0\r\nidempotency-key: smuggled\r\n\r\n" % (len(body), body)
    announced = head("/v1/postings", f"authorization: Bearer {secrets.key}",
                     "transfer-encoding: chunked")  # fmt: skip
    assert refused(process.say(announced, chunked)) == (400, "request_invalid")


@pytest.mark.parametrize(
    "begun", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: b\r\nx: "], ids=repr
)
def test_a_head_that_does_not_arrive_is_waited_for_only_so_long(process, begun):
    assert refused(process.say(begun)) == (408, "request_timeout")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nx\x00: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: b\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: b\r\ncontent-length: 1e9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n1234",
        b"POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0",
        b"POST / HTTP/1.1\r\nhost: b\r\ntransfer-encoding: gzip, chunked, x\r\n\r\n0\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nhost: b\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n",
    ],
    ids=lambda sent: repr(sent)[2:40],
)
def test_what_is_no_request_of_ours_is_answered_as_such(process, sent):
    status, _ = refused(process.say(sent))
    assert 400 <= status < 500


def test_an_upgrade_is_not_made(process):
    asked = head("/health/live", "upgrade: websocket", method="GET")
    asked = asked.replace(b"connection: close", b"connection: upgrade, close")
    assert process.say(asked).startswith(b"HTTP/1.1 200 ")


# --- paths ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/../../etc/passwd", "/v1/../health/live", "/v1//assets", "//v1/assets",
        "/%2e%2e/%2e%2e/etc/passwd", "/v1/%2e%2e/health/live", "/v1/assets%00", "/v1/%00",
        "/v1%2fassets", "/v1/assets/", "/V1/assets", "/v1/assets;x=1", "/v1/assets%2f..%2f..",
        "/%c0%ae%c0%ae/%c0%afetc", "/v1/holders/%ff/wallets/coins", "/v1/holders/%/wallets/coins",
        "/v1/holders/%zz/wallets/coins", "/v1/holders/%00/wallets/coins", "/%", "/%25%32%65",
        "/v1/holders/../wallets/coins", "/v1/holders//wallets/coins", "http://other/v1/nothing",
    ],
)  # fmt: skip
def test_a_path_that_plays_tricks_leads_nowhere(process, secrets, path):
    asked = head(path, f"authorization: Bearer {secrets.viewer}", method="GET")
    status, _ = refused(process.say(asked))
    assert status in (400, 404)


# --- credentials ----------------------------------------------------------------------------


def forged(token: str, secret: bytes = b"x" * 32, **changes: object) -> str:
    """Make a token like another one, with changes, under a secret of our own."""
    key = OctKey.import_key(secret)
    parts = [json.loads(_unpadded(part)) for part in token.split(".")[:2]]
    return jwt.encode(parts[0], parts[1] | changes, key)


def _unpadded(part: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def tampered(token: str) -> str:
    from base64 import urlsafe_b64encode

    first, body, last = token.split(".")
    claims = json.loads(_unpadded(body)) | {"sub": "jun"}
    changed = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{first}.{changed}.{last}"


def unsigned(token: str) -> str:
    return f"eyJhbGciOiJub25lIn0.{token.split('.')[1]}."


def test_credentials_that_are_not_good_are_not_taken(process, client, secrets):
    made_up = [
        "", " ", "x", "bsk_" + "A" * 49, secrets.key[:-1], secrets.key + "x", secrets.key.lower(),
        secrets.key + "\xe9", "x" * 20_000, secrets.token[:-2], secrets.token + ".x",
        forged(secrets.token), forged(secrets.token, sub="jun"), tampered(secrets.token),
        unsigned(secrets.token), "a.b.c", "." * 1_000, "..",
    ]  # fmt: skip
    for credential in made_up:
        asked = head("/v1/assets", f"authorization: Bearer {credential}", method="GET")
        status, code = refused(process.say(asked))
        assert (status, code in ("credential_invalid", "credential_missing")) == (401, True)
    for scheme in ("Basic", "Bearer2", "Token"):
        answer = client.get("/v1/assets", headers={"authorization": f"{scheme} {secrets.key}"})
        assert answer.status_code == 401


def test_a_token_that_was_good_is_told_to_have_expired(client, secrets):
    """With the leeway that tokens have, this one may be good for some seconds more."""
    import time

    until = time.monotonic() + 120
    while (answer := client.get("/v1/assets", headers=bearer(secrets.expired))).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


def test_a_holders_token_opens_nobodys_wallet_by_name(client, secrets):
    told = {
        client.get(f"/v1/holders/{holder}/wallets/coins", headers=bearer(secrets.token)).text
        for holder in ("jun", "nobody")
    }
    assert len({re.sub(r'"request_id":"[^"]*"', "", text) for text in told}) == 1
    assert all('"scope_missing"' in text for text in told)


def test_two_credentials_in_one_request_are_not_mixed(process, secrets):
    asked = head("/v1/postings", f"authorization: Bearer {secrets.viewer}",
                 f"authorization: Bearer {secrets.key}", "content-length: 2")  # fmt: skip
    status, _ = refused(process.say(asked, b"{}"))
    assert status in (401, 403)


# --- connections ----------------------------------------------------------------------------


def test_many_connections_are_kept_to_a_number_and_then_refused(process):
    opened: list[socket.socket] = []
    try:
        for _ in range(MOST_CONNECTIONS + 50):
            one = process.connect()
            opened.append(one)
        answers = [read_all(one) for one in opened[-10:]]
    finally:
        for one in opened:
            one.close()
    assert {refused(answer) for answer in answers} == {(503, "too_many_connections")}


def test_a_hundred_slow_clients_hold_nobody_up(process, client):
    opened = [process.connect() for _ in range(100)]
    try:
        for one in opened:
            one.sendall(b"POST /v1/postings HTTP/1.1\r\nhost: b\r\ncontent-length: 9\r\n")
        assert client.get("/health/live").status_code == 200
        assert {refused(read_all(one)) for one in opened} == {(408, "request_timeout")}
    finally:
        for one in opened:
            one.close()


def test_a_client_that_does_not_read_costs_little(process, secrets):
    asked = head("/openapi.json", method="GET").replace(b"connection: close\r\n", b"")
    with process.connect() as opened:
        opened.settimeout(2)
        try:
            for _ in range(20_000):
                opened.sendall(asked)
        except TimeoutError:
            pass  # it reads no further: we do not, either
        assert process.answers()


# --- after all of it ------------------------------------------------------------------------


def test_nothing_secret_was_logged(process, secrets):
    log = process.log()
    assert "request" in log
    for secret in (secrets.key, secrets.viewer, secrets.token, secrets.other_token):
        assert secret not in log
        assert secret[-20:] not in log
    assert not re.search(r"select .* from|insert into|Traceback|password", log, re.IGNORECASE)

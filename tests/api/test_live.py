"""An inbox as it fills, over a real server: nothing is lost, nothing told twice (N1, N5)."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from bursar.access import Access
from bursar.api.streams import Pace
from bursar.ledger import Credit, Ledger
from bursar.notices.inbox.service import Inboxes
from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.store import put_settings
from bursar.platform.database import Database
from tests.api.conftest import problem
from tests.api.listening import PATH, Client, Inbox, Told, listen, serving
from tests.api.process import read_all
from tests.conftest import Database as Made
from tests.support.postgres import database_url
from tests.support.running import Running, wait_for
from tests.support.serving import add_key

Token = Callable[..., str]


async def _act(url: str, what: Callable[[Access], Any]) -> Any:
    database = Database(url, max_connections=2)
    await database.open()
    try:
        access = Access(database, key_per_minute=600_000, holder_per_minute=120)
        done = await what(access)
        await access.close()
    finally:
        await database.close()
    return done


def token_of(url: str, holder: str, ttl_s: int = 900) -> str:
    issued = _act(url, lambda access: access.issue_token(holder, ttl_s=ttl_s, actor="test"))
    return str(asyncio.run(issued).text)


def rotate_secret(url: str) -> None:
    rotated = {"overlap_s": 0, "actor": "test", "reason": "lost"}
    asyncio.run(_act(url, lambda access: access.rotate_token_secret(**rotated)))


@pytest.fixture(scope="module")
def url(server, admin: psycopg.Connection, migrated: str) -> Iterator[str]:
    admin.execute(f"create database live template {migrated}")
    yield database_url(server.service_url, "live")
    admin.execute("drop database live with (force)")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Inbox:
    return Inbox(tmp_path_factory.mktemp("live") / "inbox.json")


@pytest.fixture(scope="module")
def live(url: str, inbox: Inbox) -> Iterator[Running]:
    with serving(url, inbox, inbox.path.with_name("log")) as one:
        yield one


@pytest.fixture
def holder(inbox: Inbox, request: pytest.FixtureRequest) -> str:
    """Somebody of the test's own, with an empty inbox."""
    name = request.node.name
    inbox.contents.holders[name] = {}
    inbox.write()
    return name


@pytest.fixture
def token(url: str, holder: str) -> str:
    return token_of(url, holder)


@pytest.fixture
def own(database: Made, tmp_path: Path) -> tuple[str, Inbox, Path]:
    """A database, an inbox and a log for a server of the test's own."""
    return database.url, Inbox(tmp_path / "inbox.json"), tmp_path / "log"


def numbers(told: list[Told]) -> list[int]:
    return [int(one.id or "") for one in told if one.name == "notice"]


def open_streams(one: Running) -> float:
    """Ask the server how many streams are open."""
    for line in httpx.get(one.url + "/metrics", timeout=60).text.splitlines():
        if line.startswith("bursar_http_streams{"):
            return float(line.rsplit(" ", 1)[1])
    return 0


def listeners(stack: ExitStack, one: Running, token: str, number: int) -> None:
    """Listen so many times, each from its first event on."""
    for _ in range(number):
        stack.enter_context(listen(one.url, token)).next()


def until_forgotten(one: Running) -> None:
    wait_for(lambda: open_streams(one) == 0, "no stream is open")


# --- what is told -----------------------------------------------------------------------------


def test_the_first_event_says_what_is_unread_and_how_to_go_on(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    inbox.put(holder, 1, read=True)
    inbox.put(holder, 2, 3)
    with listen(live.url, token) as client:
        headers = client.answer.headers
        assert client.answer.status_code == 200
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert headers["ratelimit"].startswith('"default";r=')
        assert next(client.events) == Told("unread", "3", {"unread": 2}, "3000")


def test_a_notice_that_comes_is_told_once_and_then_what_is_unread(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    with listen(live.url, token) as client:
        assert client.next() == Told("unread", "0", {"unread": 0}, "3000")
        inbox.put(holder, 7)
        item = {"number": 7, "kind": "deposit", "amount": 7, "reference": "two\nlines"}
        assert client.next() == Told("notice", "7", item)
        assert client.next() == Told("unread", None, {"unread": 1})
        inbox.put(holder, 8)
        assert [client.next().data for _ in range(2)][1] == {"unread": 2}


def test_what_is_read_elsewhere_is_told(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    inbox.put(holder, 1, 2)
    with listen(live.url, token) as client:
        assert client.next().data == {"unread": 2}
        inbox.put(holder, 1, 2, read=True)
        assert client.next() == Told("unread", None, {"unread": 0})


def test_nobody_is_told_what_is_for_another(
    live: Running, url: str, inbox: Inbox, holder: str, token: str
) -> None:
    with listen(live.url, token) as one, listen(live.url, token_of(url, "jun")) as other:
        one.next()
        other.next()
        inbox.put(holder, 1)
        assert one.next("notice").id == "1"
        inbox.put("jun", 2)
        assert other.next().id == "2"


def test_silence_is_broken_by_a_comment(live: Running, token: str) -> None:
    with listen(live.url, token) as client:
        client.next()
        assert next(client.events) == Told(comment="still here")
        assert next(client.events) == Told(comment="still here")


def test_every_accept_gets_events_and_other_methods_are_refused(live: Running, token: str) -> None:
    with listen(live.url, token, accept="application/json") as client:
        assert client.next().name == "unread"
    with listen(live.url, token, **{"accept-encoding": "gzip"}) as client:
        assert "content-encoding" not in client.answer.headers
    headers = {"authorization": f"Bearer {token}"}
    for method in ("HEAD", "POST", "DELETE"):
        answer = httpx.request(method, live.url + PATH, headers=headers, timeout=60)
        assert answer.status_code == 405


# --- coming back ------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 100, 101, 249, 250])
def test_who_comes_back_gets_what_came_after_and_nothing_twice(
    live: Running, inbox: Inbox, holder: str, token: str, at: int
) -> None:
    inbox.put(holder, *range(1, 251))
    with listen(live.url, token, at) as client:
        first = client.next()
        assert (first.id, first.data) == (str(at), {"unread": 250})
        inbox.put(holder, 251)
        told = [client.next("notice") for _ in range(251 - at)]
        assert numbers(told) == list(range(at + 1, 252))
        assert client.next().data == {"unread": 251}


def test_who_says_nothing_gets_nothing_old(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    inbox.put(holder, 1, 2, 3)
    with listen(live.url, token, "") as client:
        assert client.next().id == "3"
        inbox.put(holder, 4)
        assert client.next().id == "4"


def test_whose_connection_broke_before_the_first_notice_misses_none(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    inbox.put(holder, 1)
    with listen(live.url, token) as client:
        last = client.next().id
    inbox.put(holder, 2)
    with listen(live.url, token, last) as client:
        assert [client.next().name, client.next().id] == ["unread", "2"]


def test_an_id_beyond_what_there_is_is_brought_back(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    """A restored database gives numbers anew: what has one of them is not passed over."""
    inbox.put(holder, 450)
    with listen(live.url, token, 500) as client:
        assert client.next().id == "450"
        inbox.put(holder, 451)
        assert client.next().id == "451"


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "1e3", "9" * 19, "9" * 300, "7, 8", "\xb2"])
def test_what_is_no_id_of_an_event_is_refused(live: Running, token: str, last: str) -> None:
    given = [(b"authorization", f"Bearer {token}".encode()), (b"last-event-id", last.encode())]
    answer = httpx.get(live.url + PATH, headers=given, timeout=60)
    assert problem(answer, 400) == "last_event_id"


def test_notices_come_once_and_in_order_however_often_the_connection_breaks(
    live: Running, inbox: Inbox, holder: str, token: str
) -> None:
    last, found = "0", []
    for number in range(1, 31):
        inbox.put(holder, number)
        if number % 3:
            continue
        with listen(live.url, token, last) as client:
            for _ in range(2):  # and leaves before the third
                told = client.next("notice")
                found.append(int(told.id or ""))
                last = told.id or last
    assert found == list(range(1, 21))


# --- who may ----------------------------------------------------------------------------------


def test_only_a_holder_that_there_is_may_listen(live: Running, url: str) -> None:
    def code(secret: str) -> tuple[int, str]:
        headers = {"authorization": f"Bearer {secret}"}
        answer = httpx.get(live.url + PATH, headers=headers, timeout=60)
        return answer.status_code, answer.json()["code"]

    assert code(token_of(url, "nobody")) == (404, "holder_unknown")
    assert code(asyncio.run(add_key(url, "admin"))) == (403, "scope_missing")
    assert code("bsk_nonsense") == (401, "credential_invalid")


def test_a_stream_ends_with_its_token_is_not_slow_and_counts_once(
    own: tuple[str, Inbox, Path],
) -> None:
    url, inbox, log = own
    with serving(url, inbox, log) as one:
        with listen(one.url, token_of(url, "maria", ttl_s=6)) as client:
            client.next()
            inbox.put("maria", 1)
            assert client.next().id == "1"
            assert open_streams(one) == 1
            told = [event for event in client.rest() if event.name]
        assert told[-1] == Told("end", None, {"code": "token_expired"})
        until_forgotten(one)
        figures = httpx.get(one.url + "/metrics", timeout=60).text
        assert [line for line in one.events("request") if line["route"] == PATH] == []
    counted = f'bursar_http_requests_total{{method="GET",route="{PATH}",status="200"}} 1.0'
    assert counted in figures
    assert f'bursar_http_request_seconds_count{{method="GET",route="{PATH}"}}' not in figures
    assert 'bursar_http_request_seconds_count{method="GET",route="/metrics"}' in figures


def test_a_stream_ends_when_its_token_is_revoked(own: tuple[str, Inbox, Path]) -> None:
    url, inbox, log = own
    with serving(url, inbox, log) as one, listen(one.url, token_of(url, "maria")) as client:
        client.next()
        rotate_secret(url)
        assert client.next() == Told("end", None, {"code": "credential_invalid"})
        assert client.rest() == []


def test_a_revoked_token_is_told_nothing_new(own: tuple[str, Inbox, Path]) -> None:
    """Between two looks at who listens, a look is taken before anything is read for them."""
    url, inbox, log = own
    pace = Pace(look_s=0.02, check_s=600)
    with (
        serving(url, inbox, log, pace=pace) as one,
        listen(one.url, token_of(url, "maria")) as client,
    ):
        client.next()
        rotate_secret(url)
        inbox.put("maria", 1)
        assert client.next() == Told("end", None, {"code": "credential_invalid"})


# --- how many ---------------------------------------------------------------------------------


def test_a_sixth_stream_is_refused_until_one_ends(live: Running, token: str) -> None:
    headers = {"authorization": f"Bearer {token}"}
    with ExitStack() as stack:
        listeners(stack, live, token, 5)
        answer = httpx.get(live.url + PATH, headers=headers, timeout=60)
        assert problem(answer, 429) == "too_many_streams"
        assert answer.json()["fields"]["limit"] == 5
        assert answer.headers["retry-after"] == "30"

    def again() -> bool:
        with listen(live.url, token) as client:
            return client.answer.status_code == 200

    wait_for(again, "a place")


def test_who_goes_away_is_forgotten(own: tuple[str, Inbox, Path]) -> None:
    url, inbox, log = own
    with serving(url, inbox, log) as one:
        token = token_of(url, "maria")
        for _ in range(3):
            with ExitStack() as stack:
                listeners(stack, one, token, 5)
                wait_for(lambda: open_streams(one) == 5, "five streams")
            until_forgotten(one)
        assert one.end() == 0
        assert [e for e in one.events("request") if e["status"] != 200] == []


def deaf(one: Running, token: str) -> socket.socket:
    """Ask for a stream and read nothing of it."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    opened.settimeout(60)
    opened.connect(("127.0.0.1", one.port))
    head = f"GET {PATH} HTTP/1.1\r\nhost: b\r\nlast-event-id: 0\r\nauthorization: Bearer {token}"
    opened.sendall(head.encode() + b"\r\n\r\n")
    return opened


def test_who_does_not_read_is_let_go(own: tuple[str, Inbox, Path]) -> None:
    url, inbox, log = own
    inbox.write(padding=100_000)
    inbox.put("maria", *range(1, 301))
    with serving(url, inbox, log) as one, deaf(one, token_of(url, "maria")) as opened:
        wait_for(lambda: open_streams(one) == 1, "the stream")
        until_forgotten(one)
        assert not read_all(opened).endswith(b"0\r\n\r\n")  # it was cut off
        assert one.end() == 0
        assert "Exception" not in one.log()
        assert "without completing" not in one.log()


# --- the server's end, and the database's ------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_streams_end_at_once_when_the_server_does(
    own: tuple[str, Inbox, Path], processes: int
) -> None:
    """The last chunk is there: the server has said it, and was not cut off for being late."""
    url, inbox, log = own
    with serving(url, inbox, log, processes=processes) as one, ExitStack() as stack:
        tokens = [token_of(url, holder) for holder in ("maria", "jun")]
        listening = [stack.enter_context(listen(one.url, token)) for token in tokens * 4]
        for client in listening:
            client.next()
        inbox.put("maria", 1)
        assert [client.next().id for client in listening[::2]] == ["1"] * 4
        one.process.send_signal(signal.SIGTERM)
        for client in listening:
            assert [told for told in client.rest() if told.name == "end"] == []
        assert one.process.wait(60) == 0
        assert "graceful" not in one.log()


def test_who_does_not_read_does_not_hold_up_the_end(own: tuple[str, Inbox, Path]) -> None:
    url, inbox, log = own
    inbox.write(padding=100_000)
    inbox.put("maria", *range(1, 301))
    with (
        serving(url, inbox, log, pace=Pace(look_s=0.02)) as one,
        deaf(one, token_of(url, "maria")),
    ):
        wait_for(lambda: open_streams(one) == 1, "the stream")
        assert one.end() == 0
        assert "graceful" not in one.log()


def test_a_process_that_is_killed_takes_its_streams_out_of_the_count(
    own: tuple[str, Inbox, Path],
) -> None:
    url, inbox, log = own
    with serving(url, inbox, log, processes=2) as one, ExitStack() as stack:
        token = token_of(url, "maria")
        listeners(stack, one, token, 4)
        assert open_streams(one) == 4
        for event in one.events("serving"):
            os.kill(event["pid"], signal.SIGKILL)
        one.until("process_died", 2)
        one.until("serving", 4)
        assert open_streams(one) == 0


def test_streams_outlast_a_database_that_is_away(own: tuple[str, Inbox, Path]) -> None:
    url, inbox, log = own
    with serving(url, inbox, log) as one, listen(one.url, token_of(url, "maria")) as client:
        client.next()
        inbox.write(away=True)
        one.until("inboxes_not_watched")
        assert next(client.events) == Told(comment="still here")
        inbox.contents.away = False
        inbox.put("maria", 1)
        assert client.next().id == "1"


def test_news_that_could_not_be_read_is_read_when_it_can_be(own: tuple[str, Inbox, Path]) -> None:
    url, inbox, log = own
    with serving(url, inbox, log) as one, listen(one.url, token_of(url, "maria")) as client:
        client.next()
        inbox.contents.unreadable = True
        inbox.put("maria", 1)
        wait_for(inbox.path.with_suffix(".tried").exists, "a try to read")
        inbox.write(unreadable=False)
        assert client.next().id == "1"


def test_what_nobody_foresaw_ends_the_stream_and_is_in_the_log(
    own: tuple[str, Inbox, Path],
) -> None:
    url, inbox, log = own
    with serving(url, inbox, log) as one, listen(one.url, token_of(url, "maria")) as client:
        client.next()
        inbox.contents.broken = True
        inbox.put("maria", 1)
        assert [told for told in client.rest() if told.name] == []
        [line] = one.until("broken")
        assert line["request_id"] == client.answer.headers["x-request-id"]


# --- the inbox of the books --------------------------------------------------------------------


async def _post(url: str, *amounts: int, first: bool = False) -> None:
    async with await Ledger.open(url, max_connections=2) as ledger:
        if first:
            await ledger.add_asset("coins", actor="test", reason="because")
            async with ledger.database.transaction() as connection:
                await put_settings(connection, NoticeSettings(send=(Kind.DEPOSIT,)))
        given = [
            Credit(holder="maria", asset="coins", amount=amount, reference=f"r{amount}")
            for amount in amounts
        ]
        for result in await ledger.post(given, actor="test", reason="because"):
            result.unwrap()


async def _read_all(url: str) -> None:
    async with await Ledger.open(url, max_connections=2) as ledger:
        await Inboxes(ledger, ProgramKinds()).read_all("maria")


def test_a_posting_is_told_to_who_listens_and_again_to_nobody(
    database: Made, tmp_path: Path
) -> None:
    url = database.url
    asyncio.run(_post(url, 1, 2, first=True))
    with serving(url, None, tmp_path / "log", processes=2) as one:
        token = token_of(url, "maria")
        with listen(one.url, token) as client, listen(one.url, token) as other:
            assert client.next().data == other.next().data == {"unread": 2}
            asyncio.run(_post(url, 50))
            told = client.next()
            assert (told.name, told.data["amount"]) == ("notice", 50)
            assert other.next() == told
            assert client.next() == other.next() == Told("unread", None, {"unread": 3})
        asyncio.run(_post(url, *range(100, 350)))
        with listen(one.url, token, told.id) as client:
            assert client.next().data == {"unread": 253}
            amounts = [client.next("notice").data["amount"] for _ in range(250)]
            assert amounts == list(range(100, 350))
            asyncio.run(_read_all(url))
            assert client.next() == Told("unread", None, {"unread": 0})
        assert one.end() == 0


def test_streams_outlast_connections_of_the_database_that_break(
    database: Made, admin: psycopg.Connection, tmp_path: Path
) -> None:
    url = database.url
    asyncio.run(_post(url, 1, first=True))
    with serving(url, None, tmp_path / "log") as one, listen(one.url, token_of(url, "maria")) as c:
        c.next()
        for amount in range(10, 15):
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                [urlsplit(url).path.lstrip("/")],
            )
            asyncio.run(_post(url, amount))
            assert c.next("notice").data["amount"] == amount


def test_many_listen_at_once(live: Running, url: str, inbox: Inbox) -> None:
    names = [f"many{number}" for number in range(20)]
    inbox.contents.holders |= {name: {} for name in names}
    inbox.write()

    def hear(client: Client) -> str:
        return client.next("notice").id or ""

    with ExitStack() as stack:
        clients = [stack.enter_context(listen(live.url, token_of(url, name))) for name in names]
        for client in clients:
            client.next()
        inbox.contents.holders |= {name: {number: False} for number, name in enumerate(names, 1)}
        inbox.write()
        with ThreadPoolExecutor(len(clients)) as pool:
            assert list(pool.map(hear, clients)) == [str(n) for n in range(1, 21)]

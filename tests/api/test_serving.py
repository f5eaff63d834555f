"""``bursar serve`` and ``bursar up`` as processes: begun, watched, ended (O1, O2)."""

import asyncio
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from bursar.holders import HolderChange, Holders
from bursar.ledger import Ledger
from bursar.platform import postgres
from bursar.platform.migrations import SHIPPED
from bursar.platform.postgres.process import is_alive
from tests.conftest import Database
from tests.support.postgres import roomy
from tests.support.running import PATIENCE_S, Running, children, running, wait_for
from tests.support.serving import add_key

_ECONOMY = """
[economy]
name = "club"

[assets.coins]
scale = 0

[programs.daily]
asset = "coins"
starts = 2026-01-01
schedule = { every = "day", at = "00:00" }
amount = 5
"""


_WHY = {"reason": "because"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own books is near."""
    for name in list(os.environ):
        if name.startswith("BURSAR_") and not name.startswith("BURSAR_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BURSAR_DATA_DIR", str(tmp_path / "no-data-here"))


@pytest.fixture
def books() -> Iterator[Path]:
    """A directory that is not there yet, where PostgreSQL's account may enter."""
    base = Path(tempfile.mkdtemp(prefix="bursar-up-", dir=roomy()))
    base.chmod(0o711)
    yield base / "books"
    postgres.stop(base / "books", mode="immediate")
    shutil.rmtree(base)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def environ_of(database: Database, **more: str) -> dict[str, str]:
    return {"BURSAR_DATABASE_URL": database.url} | more


def key_of(url: str, scope: str, **terms: Any) -> dict[str, str]:
    secret = asyncio.run(add_key(url, scope, **terms))
    return {"authorization": f"Bearer {secret}"}


async def enrol(url: str, *names: str) -> None:
    async with await Ledger.open(url, max_connections=2) as ledger:
        changes = [HolderChange(external_id=name) for name in names]
        await Holders(ledger).upsert(changes, actor="test", reason="because")


def ask(one: Running, path: str, headers: dict[str, str], json: Any = None) -> httpx.Response:
    """Ask, or send what is given, over a connection of its own, with a test's patience."""
    method = "GET" if json is None else "POST"
    return httpx.request(method, one.url + path, headers=headers, json=json, timeout=PATIENCE_S)


def bursar(
    *arguments: object, environ: dict[str, str], log: Path, port: int | None = None
) -> tuple[int, Any]:
    """Run `bursar serve …`, which must end by itself; its exit code and its last word."""
    with running(log, *arguments, environ=environ, port=port) as one:
        code = one.process.wait(PATIENCE_S)
    return code, json.loads(log.read_text().splitlines()[-1])


# --- up --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", [1, 2])
def test_up_makes_the_books_serves_works_and_leaves_no_process_behind(
    books: Path, log: Path, tmp_path: Path, number: signal.Signals, processes: int
) -> None:
    environ = {"BURSAR_TICK_S": "1"}
    with running(log, "up", "--db", books, "--processes", processes, environ=environ) as one:
        one.until("serving", processes)
        one.until("working")
        one.until_ready()
        url = postgres.start(books).service_url
        admin = key_of(url, "admin")
        asyncio.run(enrol(url, "ada"))
        with httpx.Client(base_url=one.url, headers=admin, timeout=PATIENCE_S) as api:
            plan = {"text": _ECONOMY, "reason": "the first"}
            applied = api.post("/v1/economy/apply", json=plan)
            assert applied.status_code in (200, 201), applied.text

            def paid() -> bool:
                found = api.get("/v1/holders/ada/wallets/coins")
                return found.status_code == 200 and found.json()["balance"] > 0

            wait_for(paid, "the run of the day")
        started = children(one.pid)
        assert len(started) >= 1 + (processes if processes > 1 else 0)
        assert one.end(number) == 0
        wait_for(lambda: not any(is_alive(pid) for pid in started), "the end of all")
        assert [line["event"] for line in map(json.loads, one.log().splitlines())].count(
            "stopped"
        ) == 1 + processes
    assert postgres.status(books).state == "running"


def test_up_starts_a_worker_again_that_is_killed(books: Path, log: Path) -> None:
    with running(log, "up", "--db", books) as one:
        [first] = one.until("working")
        os.kill(first["pid"], signal.SIGKILL)
        again = one.until("working", 2)[1]
        assert again["pid"] != first["pid"]
        assert one.end() == 0
        assert not is_alive(again["pid"])


@pytest.mark.parametrize("processes", [1, 2])
def test_what_up_has_started_ends_when_up_is_killed(books: Path, log: Path, processes: int) -> None:
    with running(log, "up", "--db", books, "--processes", processes) as one:
        one.until("serving", processes)
        one.until("working")
        started = children(one.pid)
        assert one.end(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: not any(is_alive(pid) for pid in started), "the end of all")
        with socket.create_server(("127.0.0.1", one.port)):
            pass  # the address is free


def test_up_on_a_port_that_is_taken_ends_its_worker(books: Path, log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = bursar("up", "--db", books, environ={}, log=log, port=port)
    assert (code, said["code"]) == (6, "address_in_use")


# --- what is refused -------------------------------------------------------------------------


def test_a_port_that_is_taken_is_refused(database: Database, log: Path) -> None:
    with running(log, "serve", environ=environ_of(database)) as one:
        one.until_ready()
        other = log.with_name("other")
        code, said = bursar("serve", environ=environ_of(database), log=other, port=one.port)
        assert (code, said["code"]) == (6, "address_in_use")
        assert said["fields"] == {"address": f"127.0.0.1:{one.port}"}
        assert one.status() == 200


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "::1%nowhere"])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_host_that_is_not_ours_is_refused(
    database: Database, log: Path, host: str, processes: int
) -> None:
    given = ("serve", "--host", host, "--processes", processes)
    code, said = bursar(*given, environ=environ_of(database), log=log)
    assert (code, said["code"]) == (2, "address_unusable")


def test_a_directory_without_books_is_refused_and_stays_so(books: Path, log: Path) -> None:
    code, said = bursar("serve", "--db", books, environ={}, log=log)
    assert (code, said["code"]) == (3, "ledger_missing")
    assert not books.exists()


def test_a_database_without_a_schema_is_refused(empty_database: Database, log: Path) -> None:
    code, said = bursar("serve", environ=environ_of(empty_database), log=log)
    assert (code, said["code"]) == (6, "schema_missing")


def test_a_database_that_is_away_is_refused(log: Path) -> None:
    away = {"BURSAR_DATABASE_URL": "postgresql://u:hidden-word@127.0.0.1:1/d"}
    code, said = bursar("serve", environ=away, log=log)
    assert (code, said["code"]) == (6, "database_unavailable")
    assert "hidden-word" not in log.read_text()


def ahead(database: Database, serves_from: int) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into bursar.migrations (number, name, checksum, serves_from)"
            " values (%s, 'of_the_next_release', 'x', %s)",
            (SHIPPED.latest + 1, serves_from),
        )


def test_a_schema_that_is_not_known_is_refused(database: Database, log: Path) -> None:
    ahead(database, SHIPPED.latest + 1)
    code, said = bursar("serve", environ=environ_of(database), log=log)
    assert (code, said["code"]) == (4, "schema_newer")


def test_a_database_one_release_ahead_is_served_as_long_as_it_serves_this_one(
    database: Database, log: Path
) -> None:
    ahead(database, SHIPPED.latest)
    admin = key_of(database.url, "admin")
    with running(log, "serve", environ=environ_of(database)) as one:
        one.until_ready()
        made = ask(one, "/v1/assets", admin, json={"code": "coins"} | _WHY)
        assert made.is_success, made.text
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute("update bursar.migrations set serves_from = number where name like 'of%'")
        wait_for(lambda: one.status() != 200, "not ready any more")
        assert one.status("/health/live") == 200
        assert one.end() == 0


# --- several processes -----------------------------------------------------------------------


def ask_each(one: Running, path: str, headers: dict[str, str], number: int) -> list[httpx.Response]:
    """Ask over so many connections at once, which the system spreads over the processes."""
    clients = [
        httpx.Client(base_url=one.url, headers=headers, timeout=PATIENCE_S) for _ in range(number)
    ]
    answers = [client.get(path) for client in clients]
    for client in clients:
        client.close()
    return answers


def ask_both(one: Running, path: str, headers: dict[str, str], least: int) -> list[httpx.Response]:
    """Ask so often at least, and on until two processes have answered: who does is up to chance."""
    answers = ask_each(one, path, headers, least)

    def both() -> bool:
        if len({process_of(answer) for answer in answers}) < 2:
            answers.extend(ask_each(one, path, headers, 1))
        return len({process_of(answer) for answer in answers}) == 2

    wait_for(both, "answers of both processes")
    return answers


def process_of(answer: httpx.Response) -> str:
    """Tell which process has answered, by the id that it gave the request."""
    return answer.headers["x-request-id"].split("-")[0]


def test_two_processes_answer_on_one_socket_and_share_a_rate(database: Database, log: Path) -> None:
    viewer = key_of(database.url, "viewer", per_minute=30)
    with running(log, "serve", "--processes", 2, environ=environ_of(database)) as one:
        one.until("serving", 2)
        answers = ask_both(one, "/v1/assets", viewer, 50)
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(200) == 30
        assert statuses.count(429) == len(answers) - 30
        assert one.end() == 0


def test_two_processes_count_together(database: Database, log: Path, tmp_path: Path) -> None:
    viewer = key_of(database.url, "viewer")
    environ = environ_of(database, TMPDIR=str(tmp_path))
    with running(log, "serve", "--processes", 2, environ=environ) as one:
        one.until("serving", 2)
        answers = ask_both(one, "/v1/assets", viewer, 40)
        [shared] = tmp_path.glob("bursar-metrics-*")
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(shared))  # type: ignore[no-untyped-call]
        labels = {"method": "GET", "route": "/v1/assets", "status": "200"}
        assert registry.get_sample_value("bursar_http_requests_total", labels) == len(answers)
        assert one.end() == 0
        assert not shared.exists()


def test_of_two_processes_one_that_is_killed_is_put_anew(database: Database, log: Path) -> None:
    with running(log, "serve", "--processes", 2, environ=environ_of(database)) as one:
        one.until("serving", 2)
        for number in range(2):
            killed = min(one.serving())
            os.kill(killed, signal.SIGKILL)
            died = one.until("process_died", number + 1)[-1]
            assert (died["pid"], died["code"]) == (killed, -signal.SIGKILL)
            one.until("serving", 3 + number)
        assert len(one.serving()) == 2
        assert one.status() == 200
        assert one.end() == 0


# --- what is logged --------------------------------------------------------------------------


def test_every_request_is_logged_with_its_id_and_no_secret(database: Database, log: Path) -> None:
    key = key_of(database.url, "viewer")
    environ = environ_of(database, BURSAR_ACCESS_LOG="on")
    with running(log, "serve", environ=environ) as one:
        one.until_ready()
        given = key | {"x-request-id": "my-1"}
        ask(one, "/v1/assets?x=secret-word", given)
        wrong = {"authorization": "Bearer bsk_hidden", "x-request-id": "my-2"}
        ask(one, "/v1/holders/maria/wallets/coins", wrong)
        assert one.end() == 0
    lines = {line["request_id"]: line for line in one.events("request")}
    assert lines["my-1"] | {"took_ms": 0, "timestamp": ""} == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/v1/assets",
        "status": 200,
        "request_id": "my-1",
        "actor": "api:tests",
        "client": "127.0.0.1",
        "took_ms": 0,
        "timestamp": "",
    }
    assert lines["my-2"]["status"] == 401
    password = urlsplit(database.url).password
    assert password is not None
    secrets = [key["authorization"].split()[1], "bsk_hidden", "secret-word", "maria", password]
    assert [secret for secret in secrets if secret in one.log()] == []


_WAITS = (
    "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'"
    " and datname = current_database() and clock_timestamp() - query_start > interval '1.1 s'"
)


def test_only_what_fails_or_is_slow_is_logged_by_itself(database: Database, log: Path) -> None:
    key = key_of(database.url, "viewer")
    environ = environ_of(database)
    with running(log, "serve", environ=environ) as one:
        one.until_ready()
        ask(one, "/v1/assets", key | {"x-request-id": "fine"})
        with (
            ThreadPoolExecutor() as aside,
            psycopg.connect(database.owner_url, autocommit=True) as looking,
            psycopg.connect(database.owner_url) as owner,
        ):
            owner.execute("lock table bursar.assets in access exclusive mode")
            headers = key | {"x-request-id": "slow"}
            slow = aside.submit(ask, one, "/v1/assets", headers)
            wait_for(lambda: looking.execute(_WAITS).fetchone() == (True,), "more than a second")
            owner.rollback()
            assert slow.result().status_code == 200
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute("alter table bursar.assets rename to away")
            failed = ask(one, "/v1/assets", key | {"x-request-id": "failed"})
            assert failed.status_code == 500
            owner.execute("alter table bursar.away rename to assets")
        assert one.end() == 0
    lines = {line["request_id"]: line for line in one.events("request")}
    assert (lines.pop("slow")["status"], lines.pop("failed")["status"]) == (200, 500)
    quick = [line for line in lines.values() if line["took_ms"] < 1_000]
    assert quick == [], "on a busy machine others may be slow, too"
    assert "away" not in failed.text
    [broken] = one.events("broken")
    assert broken["request_id"] == "failed"


@pytest.mark.parametrize(
    ("trusted", "client"),
    [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.7"), ("10.0.0.1", "127.0.0.1")],
)
def test_a_clients_address_is_believed_from_trusted_proxies_alone(
    database: Database, log: Path, trusted: str, client: str
) -> None:
    environ = environ_of(database, BURSAR_ACCESS_LOG="on", BURSAR_TRUSTED_PROXIES=trusted)
    with running(log, "serve", environ=environ) as one:
        one.until_ready()
        ask(one, "/health/live", {"x-forwarded-for": "203.0.113.7"})
        assert one.end() == 0
    assert [e["client"] for e in one.events("request") if e["route"] == "/health/live"] == [client]


def test_the_database_named_is_served_whatever_the_settings_say(
    database: Database, log: Path, tmp_path: Path
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('database_url = "postgresql://u@127.0.0.1:1/elsewhere"\n')
    environ = {
        "BURSAR_CONFIG": str(file),
        "BURSAR_DATABASE_OWNER_URL": "postgresql://o@127.0.0.1:1/elsewhere",
        "BURSAR_POOLER": "on",
    }
    with running(log, "serve", "--db", database.url, environ=environ) as one:
        one.until_ready()
        assert one.end() == 0

"""``bursar worker``: a process of its own, on real signals and a database that goes away (P7)."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import run
from tests.cli.shop import Shop, monthly
from tests.conftest import Database, OwnServer

Spawn = Callable[..., "subprocess.Popen[bytes]"]

_TELL = """
    create function tell() returns trigger language plpgsql as $$
        begin notify told; return null; end $$;
    create trigger tell after update on bursar.runs execute function tell();
"""


def events(child: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    """Read what a worker logs, a JSON object a line."""
    assert child.stderr is not None
    return (json.loads(line) for line in child.stderr)


def until(child: "subprocess.Popen[bytes]", event: str) -> dict[str, Any]:
    """Wait for a line."""
    return next(line for line in events(child) if line["event"] == event)


def wait_for_runs(url: str, states: list[str]) -> None:
    """Wait until the runs are in these states, told of each change by the database."""
    query = "select coalesce(array_agg(state order by run_id), '{}') from bursar.runs"
    with (
        psycopg.connect(url, autocommit=True) as listener,
        psycopg.connect(url, autocommit=True) as conn,
    ):
        conn.execute(_TELL)
        listener.execute("listen told")
        with closing(listener.notifies(timeout=60)) as told:
            while conn.execute(query).fetchone() != (states,):
                next(told)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_does_what_is_due_until_it_is_told_to_stop(
    shop: Shop, database: Database, spawn: Spawn, number: signal.Signals
) -> None:
    shop.put(monthly())
    child = spawn("worker", "--tick", "0.1", "--lanes", "2")
    begun = until(child, "working")
    assert (begun["pid"], begun["lanes"]) == (child.pid, 2)
    wait_for_runs(database.owner_url, ["finished"])
    child.send_signal(number)
    assert [line["event"] for line in events(child)][-2:] == ["stopping", "stopped"]
    assert child.wait(60) == 0
    assert child.stdout is not None
    assert child.stdout.read() == b""
    assert shop.balance("ada") == 5_000


def test_two_workers_pay_once(shop: Shop, database: Database, spawn: Spawn) -> None:
    shop.put(monthly(), monthly("other"))
    children = [spawn("worker", "--tick", "0.1") for _ in range(2)]
    for child in children:
        until(child, "working")
    wait_for_runs(database.owner_url, ["finished", "finished"])
    for child in children:
        child.terminate()
    assert [child.wait(60) for child in children] == [0, 0]
    assert shop.balance("ada") == 10_000
    assert shop("verify").code == 0


@pytest.mark.parametrize(
    "given", [("--lanes", "0"), ("--lanes", "65"), ("--tick", "0"), ("--tick", "x")]
)
def test_a_worker_that_makes_no_sense_is_refused(shop: Shop, given: tuple[str, ...]) -> None:
    assert shop("worker", *given).code == 2


def test_a_worker_without_a_database_ends_with_six(shop: Shop) -> None:
    assert shop("worker", "--db", "postgresql://u@127.0.0.1:1/d").code == 6


@pytest.mark.slow
def test_a_worker_outlives_the_databases_restart(
    own_server: OwnServer, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSAR_DATABASE_URL", own_server.url)
    assert run("asset", "add", "coins", "--scale", "2").code == 0
    shop = Shop(own_server.url, run)
    shop.enrol("ada")
    child = spawn("worker", "--tick", "0.1")
    until(child, "working")
    own_server.crash()
    until(child, "waiting")
    own_server.restart()
    shop.put(monthly())
    wait_for_runs(own_server.owner_url, ["finished"])
    child.terminate()
    assert child.wait(60) == 0
    assert shop.balance("ada") == 5_000

"""At least once, whoever is killed; and no more often than kills can explain (N3, N5).

BURSAR_FAULT_SEED repeats the choices of a run; what they hit is up to the machine.
"""

import asyncio
import os
import secrets
import time
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
import pytest

from bursar.ledger import Ledger
from bursar.notices.model import Channel, Kind, notice_id_of
from bursar.notices.sending import store
from bursar.notices.sending.model import NewDelivery
from bursar.notices.webhooks.service import Endpoints
from bursar.platform.database import Database
from bursar.platform.sealing import Seal, new_key
from tests.faults.chaos import say
from tests.faults.receiver import Receiver
from tests.faults.senders import LANES, NETWORKS, Senders
from tests.support.running import wait_for

DELIVERIES = 4_000
ENDPOINTS = 4
KILLS = 50
_HAPPENED = datetime(2026, 3, 1, tzinfo=UTC)

_RETRY_NOW = """
update bursar.deliveries set due_at = now()
 where state = 'waiting' and leased_until is null and due_at > now()
"""
_LET_LEASES_RUN_OUT = """
update bursar.deliveries set due_at = now(), leased_until = now()
 where state = 'waiting' and leased_until is not null
"""
_OPEN = "select count(*) from bursar.deliveries where state = 'waiting' and leased_until is null"
_LEASED = "select count(*) from bursar.deliveries where leased_until is not null"
_UNSENT = "select count(*) from bursar.deliveries where state <> 'sent'"
_BOOKS = """
select d.notice_id::text, d.attempts, count(*), count(*) filter (where a.outcome = 'sent'),
       count(*) filter (where a.status is not null),
       count(*) filter (where starts_with(a.detail, 'cut off')), min(a.number), max(a.number)
  from bursar.deliveries d
  join bursar.delivery_attempts a using (delivery_id)
 group by d.delivery_id
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_webhook_arrives_and_only_what_was_under_way_is_repeated(database: Any) -> None:
    seed = int(os.environ.get("BURSAR_FAULT_SEED") or secrets.randbelow(2**32))
    say(f"BURSAR_FAULT_SEED={seed}")
    random, key = Random(seed), new_key()
    with (
        psycopg.connect(database.owner_url, autocommit=True) as owner,
        Receiver() as receiver,
        Senders(database.url, key) as senders,
    ):
        ids = asyncio.run(fill(database.url, key, receiver.port))
        kill_again_and_again(owner, receiver, senders, random)
        say(f"{receiver.requests} requests before the last kill")
        finish(owner, _OPEN)
        senders.stop_all()
        left = count(owner, _LEASED)
        say(f"{KILLS} kills, {left} were under way")
        assert KILLS // 2 <= left <= KILLS * LANES, "most kills must hit somebody at work"
        owner.execute(_LET_LEASES_RUN_OUT)
        senders.start()
        finish(owner, _UNSENT)
        senders.stop_all()
        check_books(owner, receiver, ids, left)


def kill_again_and_again(
    owner: psycopg.Connection, receiver: Receiver, senders: Senders, random: Random
) -> None:
    """Two at work, and one of them killed, at a moment as it comes."""
    senders.start()
    for _ in range(KILLS):
        senders.start()
        receiver.until(random.randint(1, 50))
        time.sleep(random.uniform(0, 0.02))
        senders.kill(random.randrange(2))
        owner.execute(_RETRY_NOW)
        assert count(owner, _OPEN), "there must be work until the last of them"


def finish(owner: psycopg.Connection, what: str) -> None:
    """Wait until nothing is left of it; what failed need not wait for its pause."""

    def done() -> bool:
        owner.execute(_RETRY_NOW)
        return count(owner, what) == 0

    wait_for(done, what, 400)


def check_books(owner: psycopg.Connection, receiver: Receiver, ids: set[str], left: int) -> None:
    """What the receiver has got and what the books say of it must agree."""
    assert set(receiver.took) == ids, "nothing is lost, nothing made up"
    repeated = sum(receiver.took.values()) - len(ids)
    say(f"{repeated} of {len(ids)} came twice")
    assert repeated <= left
    books = owner.execute(_BOOKS).fetchall()
    assert {row[0] for row in books} == ids
    for notice_id, attempts, rows, sent, answered, cut_off, first, last in books:
        assert (first, last, rows) == (1, attempts, attempts), "no attempt is missing"
        assert sent == 1
        assert answered + cut_off == attempts
        assert answered <= receiver.got[notice_id] <= attempts
    assert sum(row[5] for row in books) == left, "a lease that ran out is an attempt cut off"


def count(owner: psycopg.Connection, query: str) -> int:
    row = owner.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])


async def fill(url: str, key: str, port: int) -> set[str]:
    """Add endpoints, and deliveries to them; returns the ids of their notices."""
    database = Database(url, max_connections=2)
    await database.open()
    async with Ledger(database):
        endpoints = Endpoints(database, Seal([key]), NETWORKS)
        numbers = [
            (
                await endpoints.add(
                    f"http://127.0.0.1:{port}/{n}", actor="test", reason="to be sent to"
                )
            ).endpoint.endpoint_id
            for n in range(ENDPOINTS)
        ]
        rows = [delivery(n, numbers[n % ENDPOINTS]) for n in range(DELIVERIES)]
        async with database.transaction() as connection:
            assert await store.add(connection, rows) == DELIVERIES
    return {str(row.notice_id) for row in rows}


def delivery(number: int, endpoint_id: int) -> NewDelivery:
    notice_id = notice_id_of(1, f"fact:{number}")
    told = {
        "id": str(notice_id),
        "holder_id": None,
        "happened_at": "2026-03-01T00:00:00Z",
        "data": {"amount": number},
    }
    return NewDelivery(
        notice_id=notice_id,
        channel=Channel.WEBHOOK,
        kind=Kind.DEPOSIT,
        happened_at=_HAPPENED,
        endpoint_id=endpoint_id,
        data={"notices": [told], "run": None},
    )

"""What is put into the queue is there once, whoever puts it there and how often (N5)."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from bursar.notices.model import Channel
from bursar.notices.sending.model import NewDelivery
from bursar.platform.database import Database
from tests.notices.sending.carriers import add
from tests.notices.sending.conftest import HAPPENED, hook, mail


def rows_of(owner: psycopg.Connection, what: str) -> list[Any]:
    return owner.execute(f"select {what} from bursar.deliveries order by delivery_id").fetchall()


async def test_a_notice_goes_to_one_place_once(pool: Database, owner: psycopg.Connection) -> None:
    assert await add(pool, mail("a"), mail("a"), hook(1, "a"), hook(2, "a")) == 3
    assert await add(pool, mail("a"), hook(2, "a"), hook(3, "a")) == 1
    assert rows_of(owner, "channel, endpoint_id") == [
        ("email", 0), ("webhook", 1), ("webhook", 2), ("webhook", 3)
    ]  # fmt: skip


async def test_what_is_given_is_kept_in_the_order_given(
    pool: Database, owner: psycopg.Connection
) -> None:
    later = HAPPENED + timedelta(days=400)
    await add(
        pool,
        mail("z", due_at=later, dispatch_id=4),
        mail("a", holder_id=None, address="ops@club.example", data={"message": "Müll ☃ 'x'"}),
    )
    assert rows_of(
        owner, "holder_id, address, dispatch_id, due_at = made_at, data->>'message', happened_at"
    ) == [
        (1, "", 4, False, None, HAPPENED),
        (None, "ops@club.example", None, True, "Müll ☃ 'x'", HAPPENED),
    ]
    assert rows_of(owner, "due_at")[0] == (later,)


async def test_what_is_added_as_parked_has_ended_and_says_why(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail(parked_note="restored"), mail())
    assert rows_of(owner, "state, note, ended_at = made_at") == [
        ("parked", "restored", True),
        ("waiting", "", None),
    ]


async def test_of_two_who_add_the_same_at_once_one_has_added_it(pool: Database) -> None:
    rows = [mail(n) for n in range(500)]
    added = await asyncio.gather(*(add(pool, *rows) for _ in range(4)))
    assert sum(added) == 500


async def test_ten_thousand_are_one_statement(pool: Database, owner: psycopg.Connection) -> None:
    assert await add(pool, *(mail(n, holder_id=n + 1) for n in range(10_000))) == 10_000
    found = owner.execute("select count(*), max(holder_id) from bursar.deliveries").fetchone()
    assert found == (10_000, 10_000)
    assert await add(pool) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        mail(holder_id=None),
        mail(address="ops@club.example"),
        mail(endpoint_id=3),
        hook(0),
        mail(channel=Channel.INBOX),
    ],
)
async def test_what_goes_to_nobody_or_to_two_is_refused(pool: Database, wrong: NewDelivery) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await add(pool, mail(), wrong)

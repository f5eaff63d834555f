"""A queue on a database of its own, and the owner's connection to look at it and to age it."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
import pytest

from bursar.notices.model import Channel, Kind, notice_id_of
from bursar.notices.sending.model import NewDelivery
from bursar.platform.database import Database as Pool
from tests.conftest import Database

HAPPENED = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

_facts = count(1)


def mail(fact: object = None, **fields: Any) -> NewDelivery:
    """An e-mail to holder 1 of a fact of its own."""
    given = {"channel": Channel.EMAIL, "holder_id": 1} | fields
    return _new(fact, given)


def hook(endpoint_id: int, fact: object = None, **fields: Any) -> NewDelivery:
    """What goes to a webhook of a fact of its own."""
    given = {"channel": Channel.WEBHOOK, "endpoint_id": endpoint_id} | fields
    return _new(fact, given)


def _new(fact: object, given: dict[str, Any]) -> NewDelivery:
    fact = next(_facts) if fact is None else fact
    base = {"kind": Kind.DEPOSIT, "happened_at": HAPPENED, "data": {"fact": fact}}
    return NewDelivery(notice_id=notice_id_of(1, f"fact:{fact}"), **(base | given))


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    opened = Pool(database.url, max_connections=12)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def endpoint(owner: psycopg.Connection) -> Callable[..., int]:
    """Make a webhook endpoint as its room would; returns its number."""

    def make(url: str = "https://app.example/hooks?key=1", state: str = "on") -> int:
        row = owner.execute(
            "insert into bursar.webhook_endpoints (url, description, kinds, secret, made_at,"
            " changed_at, state) values (%s, '', '{}', 'x', now(), now(), %s)"
            " returning endpoint_id",
            (url, state),
        ).fetchone()
        assert row is not None
        return int(row[0])

    return make

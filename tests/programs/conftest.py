"""Programs on an open ledger, people in the directory, and a clock that a test moves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from bursar.ledger import Ledger
from bursar.platform.database import Database
from bursar.programs.model import Amount, Calendar, Program
from bursar.programs.service import Programs

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SetClock = Callable[..., datetime]
Enrol = Callable[..., Awaitable[None]]


@pytest.fixture
async def ledger(database: Any) -> AsyncIterator[Ledger]:
    opened = Database(database.url, max_connections=8)
    await opened.open()
    async with Ledger(opened) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        yield ledger


@pytest.fixture
def programs(ledger: Ledger) -> Programs:
    return Programs(ledger)


@pytest.fixture
def clock(database: Any) -> SetClock:
    """Stop the economy's clock and put it where a test says: ``clock(2026, 3, 1)``, in UTC."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "create or replace function bursar.now() returns timestamptz language sql stable as"
            " $$ select '2000-01-01 00:00:00+00'::timestamptz + clock_offset from bursar.economy $$"
        )

    def move(*when: int) -> datetime:
        instant = datetime(*when, tzinfo=UTC)
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(
                "update bursar.economy set sandbox = true, clock_offset = %s", (instant - EPOCH,)
            )
        return instant

    return move


@pytest.fixture
def put(programs: Programs) -> Callable[..., Awaitable[int]]:
    """Put a program in force: a monthly one of 50,000 coins, but for what is said."""

    async def put(name: str = "monthly", **said: Any) -> int:
        said.setdefault("schedule", Calendar(every="month"))
        said.setdefault("amount", Amount(fixed=50_000))
        program = Program(name=name, asset="coins", **said)
        async with programs.ledger.database.transaction() as connection:
            return await programs.put(connection, program, actor="test:owner", reason="test")

    return put

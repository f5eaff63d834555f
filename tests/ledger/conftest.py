"""An open ledger, and a clock that stands still until a test moves it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bursar.ledger.service import Ledger
from bursar.platform.database import Database

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SetClock = Callable[[datetime], None]


@pytest.fixture
async def ledger(database: Any) -> AsyncIterator[Ledger]:
    """A ledger with two assets, ``coins`` and ``gems``."""
    opened = Database(database.url, max_connections=4)
    await opened.open()
    async with Ledger(opened) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        await ledger.add_asset("gems", actor="test", reason="test")
        yield ledger


@pytest.fixture
def set_clock(database: Any) -> SetClock:
    """Stop the database's clock, and put it where the test says."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "create or replace function bursar.now() returns timestamptz language sql stable as"
            " $$ select '2000-01-01 00:00:00+00'::timestamptz + clock_offset from bursar.economy $$"
        )

    def move(instant: datetime) -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(
                "update bursar.economy set sandbox = true, clock_offset = %s",
                (instant - _EPOCH + timedelta(0),),
            )

    return move

"""A directory on a ledger, and a clock that stands still until a test moves it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bursar.holders import HolderChange, Holders, Upserted
from bursar.ledger import Ledger
from bursar.platform.database import Database
from tests.ledger.conftest import set_clock  # noqa: F401 - a fixture


@pytest.fixture
async def ledger(database: Any) -> AsyncIterator[Ledger]:
    """A ledger with ``coins`` of two decimal places."""
    opened = Database(database.url, max_connections=6)
    await opened.open()
    async with Ledger(opened) as ledger:
        await ledger.add_asset("coins", scale=2, actor="test", reason="test")
        yield ledger


@pytest.fixture
def holders(ledger: Ledger) -> Holders:
    """The directory beside it."""
    return Holders(ledger)


async def put(holders: Holders, *changes: HolderChange, tx: Any = None) -> list[Upserted]:
    """Upsert changes in the test's name."""
    return await holders.upsert(changes, actor="test", reason="because", tx=tx)

"""A world of its own for each scenario, and the real data if it is there."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bursar.ledger import Ledger
from bursar.platform.database import Database
from tests.acceptance.churn import Subscriber, read_subscribers
from tests.acceptance.world import ROOT, World

DATA_VARIABLE = "BURSAR_TEST_DATA"


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    opened = Database(database.url, max_connections=8)
    await opened.open()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        async with Ledger(opened) as ledger:
            yield World(ledger, owner)


@pytest.fixture(scope="session")
def subscribers() -> list[Subscriber]:
    """The real subscribers of a telecom operator; skipped where the file is not there."""
    folder = Path(os.environ.get(DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    file = folder / "telco-churn.csv"
    if not file.is_file():
        pytest.skip(f"no telco-churn.csv in {folder}: {DATA_VARIABLE} says where it is")
    return read_subscribers(file)

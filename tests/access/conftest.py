"""Two processes' worth of access on one database, and a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from bursar.access import Access
from bursar.platform.database import Database

WHO = {"actor": "cli:root", "reason": "because"}


class Clock:
    """A monotonic clock that stands still until it is told; to sleep is to move it."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pool(database) -> AsyncIterator[Database]:
    opened = Database(database.url, max_connections=6)
    await opened.open()
    yield opened
    await opened.close()


def make(pool: Database, clock: Callable[[], float], **options) -> Access:
    """Make the access of one process; without another it sleeps by moving the clock."""
    given = {"key_per_minute": 1000, "holder_per_minute": 10} | options
    if isinstance(clock, Clock):
        given = {"sleep": clock.sleep} | given
    return Access(pool, clock=clock, **given)


@pytest.fixture
async def access(pool, clock) -> AsyncIterator[Access]:
    made = make(pool, clock)
    yield made
    await made.close()


@pytest.fixture
async def other(pool, clock) -> AsyncIterator[Access]:
    """Another process on the same database."""
    made = make(pool, clock)
    yield made
    await made.close()

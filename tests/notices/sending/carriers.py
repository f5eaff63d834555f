"""Carriers that do as a test says: the one thing that stands in for the outside."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bursar.notices.model import Channel, Delivery, Outcome
from bursar.notices.sending import store
from bursar.notices.sending.model import NewDelivery
from bursar.platform.database import Database

SENT = Outcome(outcome="sent", status=200)
FAILED = Outcome(outcome="failed", status=503, detail="come later")

Way = Callable[[Delivery], Awaitable[Outcome]]


class FakeCarrier:
    """Keeps what it was given to carry; ``way`` says what comes of each."""

    def __init__(self, channel: Channel, way: Way | Outcome = SENT) -> None:
        self.channel = channel
        self.carried: list[Delivery] = []
        self.under_way = 0
        self.most_under_way = 0
        self._way = way

    async def carry(self, delivery: Delivery) -> Outcome:
        self.carried.append(delivery)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if isinstance(self._way, Outcome):
                return self._way
            return await self._way(delivery)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        return None

    def facts(self) -> list[Any]:
        """The facts carried, in their order."""
        return [delivery.data["fact"] for delivery in self.carried]


class Gate:
    """A way that is closed until the test opens it."""

    def __init__(self) -> None:
        self.waiting = asyncio.Semaphore(0)
        self.opened = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> Outcome:
        self.waiting.release()
        await self.opened.wait()
        return SENT

    async def until(self, number: int) -> None:
        """Wait until so many stand before it."""
        for _ in range(number):
            await self.waiting.acquire()


async def add(pool: Database, *rows: NewDelivery) -> int:
    async with pool.transaction() as connection:
        return await store.add(connection, rows)

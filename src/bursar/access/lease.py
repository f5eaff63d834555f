"""What opens doors, held for a moment: revocation at once without a query for each request (I2).

A lease lasts from the beginning of a read, so what it holds was true no longer ago than it lasts.
Whoever changes what opens doors commits, waits as long as a lease lasts, and then answers: no
process honours what was before in a request that comes after that answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from bursar.access.live import Live
from bursar.platform.errors import Unavailable

Read = Callable[[Live | None], Awaitable[tuple[Live, datetime]]]
"""Reads what opens doors and the database's instant; given what was read last, which may stand."""

_PATIENCE_S: Final = 5.0


class Held:
    """The result of one read: what opens doors, and how the database's clock goes on from it."""

    __slots__ = ("_instant", "began", "live", "number", "until")

    def __init__(
        self, live: Live, instant: datetime, number: int, began: float, until: float
    ) -> None:
        self.live = live
        self.number = number
        self.began = began
        self.until = until
        self._instant = instant

    def now(self, clock_s: float) -> datetime:
        """Tell the database's instant, never late, and early by no more than the read took."""
        return self._instant + timedelta(seconds=clock_s - self.began)


class Lease:
    """The lease of one process."""

    def __init__(self, read: Read, lease_s: float, clock: Callable[[], float]) -> None:
        self._read = read
        self._lease_s = lease_s
        self._clock = clock
        self._held: Held | None = None
        self._reads = 0
        self._reading: asyncio.Task[None] | None = None

    async def current(self) -> Held:
        """Return what opens doors, read again if the lease is over.

        One read serves all who wait. Who comes while one is under way may use it as long as a
        lease lasts from its beginning. A read that takes longer serves only those who were there
        before it began: what they ask overlaps with whatever was changed meanwhile. So nobody
        waits for more than two reads, however slow the database is. Raises `Unavailable`.
        """
        seen = self._reads
        while True:
            held = self._held
            if held is not None and (held.number > seen or self._clock() < held.until):
                return held
            if self._reading is None:
                self._reads += 1
                self._reading = asyncio.create_task(self._renew(self._reads))
                self._reading.add_done_callback(_look_at_error)
            await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Wait for a read that is under way."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def _renew(self, number: int) -> None:
        began = self._clock()
        known = self._held.live if self._held else None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                live, instant = await self._read(known)
        except TimeoutError:
            raise Unavailable(
                "database_unavailable", f"the database did not answer in {_PATIENCE_S:.0f} s"
            ) from None
        finally:
            self._reading = None
        self._held = Held(live, instant, number, began, began + self._lease_s)


def _look_at_error(task: "asyncio.Task[None]") -> None:
    """Whoever waited has seen the error; if all have gone, nobody needs to."""
    if not task.cancelled():
        task.exception()

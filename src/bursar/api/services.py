"""What the API serves: every capability, on one pool of connections."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final, Self

from bursar.access import Access, Limiter
from bursar.api.background import Background
from bursar.api.patience import Turnstile
from bursar.api.streams import Streams
from bursar.api.wire.notices import inbox_items
from bursar.economy.clock import TestClock
from bursar.economy.service import EconomyService
from bursar.holders import Holders
from bursar.ledger import Ledger
from bursar.notices.due import DueWork
from bursar.notices.service import Notices
from bursar.operation import Operation
from bursar.platform.database import Database
from bursar.platform.errors import Unavailable
from bursar.platform.migrations import require_schema
from bursar.platform.place import find
from bursar.platform.settings import Settings
from bursar.programs.service import Programs
from bursar.programs.switches import Switches
from bursar.trail import Trail

_CONNECTIONS: Final = 10
_DOORS: Final = 2
"""Who calls is asked on connections of its own: a crowd inside must not close the doors."""

_READY_S: Final = 2.0
"""Whoever asks whether we are ready does not wait for long, and asks again."""


class Services:
    """The capabilities of one economy, as one process of the API uses them."""

    def __init__(
        self, ledger: Ledger, doors: Database, settings: Settings, data_dir: Path | None = None
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.holders = Holders(ledger)
        switches = Switches(enabled=settings.programs, dry_run=settings.dry_run)
        self.programs = Programs(ledger, chunk=settings.chunk, switches=switches)
        self.economy = EconomyService(ledger, self.programs)
        self.notices = Notices(ledger, settings, data_dir)
        self.clock = TestClock(ledger, DueWork(self.programs, self.notices.maker))
        self._doors = doors
        self.access = Access(
            doors,
            key_per_minute=settings.key_per_minute,
            holder_per_minute=settings.holder_per_minute,
        )
        self.limiter = Limiter(doors)
        self.trail = Trail(ledger.database)
        self.operation = Operation(
            ledger, verify_hours=settings.verify_hours, keep_days=settings.keep_days
        )
        self.streams = Streams(
            self.notices.inboxes, partial(inbox_items, self.notices), self.access
        )
        self.turnstile = Turnstile()
        self._looking: asyncio.Future[int] | None = None
        self.background = Background()

    @classmethod
    async def open(cls, where: str | Path | None, settings: Settings) -> Self:
        """Open the ledger and what stands on it; raises what `Ledger.open` raises."""
        ledger = await Ledger.open(where, settings=settings, max_connections=_CONNECTIONS)
        doors = ledger.database.another(max_connections=_DOORS)
        try:
            await doors.open()
        except BaseException:
            await ledger.close()
            raise
        return cls(ledger, doors, settings, find(where, settings).data_dir)

    async def check(self) -> None:
        """Make sure that the database answers soon, with a schema that this program may work on.

        One look serves all who ask meanwhile. Raises what `require_schema` raises.
        """
        if self._looking is None or self._looking.done():
            look = asyncio.to_thread(require_schema, self._doors.url)
            self._looking = asyncio.ensure_future(look)
            self._looking.add_done_callback(lambda done: done.cancelled() or done.exception())
        seen, _ = await asyncio.wait([self._looking], timeout=_READY_S)
        if not seen:
            raise Unavailable(
                "database_unavailable", f"the database did not answer in {_READY_S:.0f} s"
            )
        self._looking.result()

    async def close(self) -> None:
        """Finish what was accepted, and give the connections back."""
        await self.streams.close()
        await self.background.close()
        await self.notices.close()
        await self.access.close()
        await self.limiter.close()
        await self._doors.close()
        await self.ledger.close()

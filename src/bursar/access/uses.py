"""When keys were last used: gathered in memory, written every few seconds (I2)."""

import asyncio
from datetime import datetime
from typing import Final

from bursar.access import store
from bursar.access.model import KeyId
from bursar.platform.database import CONTENTION, Database
from bursar.platform.errors import BursarError

_EVERY_S: Final = 5.0


class Uses:
    """What one process has seen used and not yet written; a kill loses these few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[KeyId, datetime] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: KeyId, at: datetime) -> None:
        """Remember a use; it is written with others soon."""
        self._seen[key_id] = at
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._begin)

    async def close(self) -> None:
        """Write what there is; a database that is away does not hold anybody up."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._write()

    def _begin(self) -> None:
        self._timer = None
        self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            async with self._database.transaction() as connection:
                await store.note_uses(connection, seen)
        except (BursarError, *CONTENTION):  # the next use brings them along
            self._seen = seen | self._seen

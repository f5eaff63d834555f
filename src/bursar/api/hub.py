"""Who listens to which inbox, and one look a second for all of them (N1).

A look asks for the tips of all who listen, a value each that changes when there may be news. Only
who has news is read further, by the stream itself, when its client has taken what came before. So
a thousand who listen and hear nothing cost one query a second, and nobody listening costs none.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from bursar.notices.model import InboxNotice
from bursar.platform.ending import end
from bursar.platform.errors import Unavailable

PER_READ: Final = 100
MOST_OF_A_HOLDER: Final = 5
MOST: Final = 2_000
_BATCH: Final = 1_000
_READERS: Final = 2
"""Reads at a time: when a run pays all who listen, other requests still find connections."""

_log: Final = structlog.get_logger("bursar.api")

Tip = tuple[int, ...]


class LiveInbox(Protocol):
    """What streams ask of `Inboxes`. A notice's number is higher than all that were seen before."""

    async def number_of(self, holder: str) -> int:
        """Find a holder's number by the app's own id; raises `Missing` ``holder_unknown``."""

    async def tips(self, holder_ids: Sequence[int]) -> dict[int, Tip]:
        """Tell of up to 1,000 holders, in one look, a value that changes with their inbox.

        It may change for nothing; it must not stay when there is a notice, or one was read.
        """

    async def newest(self, holder_id: int) -> int:
        """Catch up, and tell the highest number, 0 if there is none."""

    async def since(self, holder_id: int, number: int, *, limit: int) -> list[InboxNotice]:
        """Catch up, and list what comes after a number, the oldest first, at most ``limit``."""

    async def unread_of(self, holder_id: int) -> int:
        """Count what has not been read of an inbox that has caught up."""


class Listener:
    """A place at the hub: whose inbox, and as of which tip it has been told to look."""

    __slots__ = ("holder_id", "news", "tip")

    def __init__(self, holder_id: int, news: Callable[[], None]) -> None:
        self.holder_id = holder_id
        self.news = news
        self.tip: Tip | None = None

    def missed(self) -> None:
        """Have it told again at the next look that succeeds."""
        self.tip = None


class Hub:
    """All who listen in one process; see the module."""

    def __init__(self, inbox: LiveInbox, *, every_s: float) -> None:
        self._inbox = inbox
        self._every_s = every_s
        self._listeners: dict[int, list[Listener]] = {}
        self._count = 0
        self._readers = asyncio.Semaphore(_READERS)
        self._watching: asyncio.Task[None] | None = None
        self._failing = False

    def __len__(self) -> int:
        return self._count

    async def find(self, holder: str) -> int:
        """Find a holder's number; raises `Missing` ``holder_unknown``."""
        return await self._inbox.number_of(holder)

    def join(self, holder_id: int, news: Callable[[], None]) -> Listener:
        """Listen from now on; ``news`` is called when there may be some, and must not wait.

        Raises `Unavailable` ``too_many_streams`` for a holder who has 5 here already, or
        ``too_many_listeners`` where there are 2,000. Whoever joins has to `leave`.
        """
        own = self._listeners.get(holder_id, ())
        if len(own) >= MOST_OF_A_HOLDER:
            raise Unavailable(
                "too_many_streams",
                f"{MOST_OF_A_HOLDER} streams of this holder are open: close one",
                limit=MOST_OF_A_HOLDER,
                retry_after_s=30,
            )
        if self._count >= MOST:
            raise Unavailable("too_many_listeners", "this process has as many streams as it takes")
        listener = Listener(holder_id, news)
        self._listeners.setdefault(holder_id, []).append(listener)
        self._count += 1
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no longer."""
        own = self._listeners[listener.holder_id]
        own.remove(listener)
        self._count -= 1
        if not own:
            del self._listeners[listener.holder_id]
        if not self._listeners and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def begin(self, listener: Listener) -> tuple[int, int]:
        """Tell the newest number, 0 for none, and how much is unread; what is later is news."""
        async with self._readers:
            tips = await self._inbox.tips([listener.holder_id])
            listener.tip = tips.get(listener.holder_id, ())
            newest = await self._inbox.newest(listener.holder_id)
            return newest, await self._inbox.unread_of(listener.holder_id)

    async def read(self, listener: Listener, number: int) -> tuple[list[InboxNotice], int]:
        """Read up to 100 notices after a number, and how much is unread.

        Fewer than 100 say that there are no more.
        """
        async with self._readers:
            found = await self._inbox.since(listener.holder_id, number, limit=PER_READ)
            return found, await self._inbox.unread_of(listener.holder_id)

    async def close(self) -> None:
        """Look no more; whoever still listens hears nothing."""
        if self._watching is not None:
            await end([self._watching])

    async def _watch(self) -> None:
        """Look again and again; a database that is away is waited for, and told of once.

        Until another watches or nobody: a wait may swallow the word that it is to end.
        """
        while self._watching is asyncio.current_task():
            await asyncio.sleep(self._every_s)
            try:
                await self._look()
                self._failing = False
            except Exception as error:
                if not self._failing:
                    _log.warning("inboxes_not_watched", error=str(error) or type(error).__name__)
                self._failing = True

    async def _look(self) -> None:
        holders = list(self._listeners)
        for first in range(0, len(holders), _BATCH):
            batch = holders[first : first + _BATCH]
            tips = await self._inbox.tips(batch)
            for holder_id in batch:
                tip = tips.get(holder_id, ())
                for listener in self._listeners.get(holder_id, ()):
                    if listener.tip != tip:
                        listener.tip = tip
                        listener.news()

"""The inbox as streams ask for it (N1)."""

from collections.abc import Sequence

from bursar.api.hub import PER_READ, Tip
from bursar.notices.inbox.service import Inboxes
from bursar.notices.model import InboxNotice


class Live:
    """What `hub.LiveInbox` asks, of the inboxes that there are."""

    def __init__(self, inboxes: Inboxes) -> None:
        self._inboxes = inboxes

    async def find(self, holder: str) -> int:
        """Find a holder's number; raises `Missing` ``holder_unknown``."""
        return await self._inboxes.number_of(holder)

    async def tips(self, holder_ids: Sequence[int]) -> dict[int, Tip]:
        """Tell what changes with each inbox."""
        return await self._inboxes.tips(holder_ids)

    async def newest(self, holder_id: int) -> int:
        """Catch up, and tell the place of the newest notice."""
        return await self._inboxes.newest(holder_id)

    async def since(self, holder_id: int, number: int) -> list[InboxNotice]:
        """Catch up, and list what comes after a place."""
        return await self._inboxes.since(holder_id, number, limit=PER_READ)

    async def unread(self, holder_id: int) -> int:
        """Count what has not been read."""
        return await self._inboxes.unread_of(holder_id)

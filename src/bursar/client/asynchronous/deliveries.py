"""E-mail and webhooks on their way."""

from collections.abc import Sequence
from datetime import datetime

from bursar.client.answers.notices import (
    Delivery,
    DeliveryDetail,
    Dispatch,
    Released,
    Replayed,
)
from bursar.client.asking import said
from bursar.client.asynchronous.connection import Connection
from bursar.client.asynchronous.pages import PAGE_SIZE, Pages


class DeliveryCalls:
    """Single deliveries: how they went, and sending them again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(
        self,
        *,
        channel: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        webhook: int | None = None,
        holder: str | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Delivery]:
        """List what is on its way or was, the newest first."""
        return Pages(
            self._connection,
            Delivery,
            "deliveries",
            query={
                "channel": channel,
                "state": state,
                "kind": kind,
                "webhook": webhook,
                "holder": holder,
            },
            page_size=page_size,
            cursor=cursor,
        )

    async def get(self, delivery_id: int) -> DeliveryDetail:
        """Show a delivery with what it says and how each attempt went."""
        return await self._connection.get(DeliveryDetail, "deliveries", delivery_id)

    async def replay(self, delivery_id: int, *, reason: str) -> None:
        """Send a delivery now, again if it was sent."""
        path = ("deliveries", delivery_id, "replay")
        await self._connection.post(type(None), *path, body={"reason": reason}, safe=False)

    async def replay_mail(
        self,
        since: datetime,
        until: datetime,
        *,
        reason: str,
        kinds: Sequence[str] = (),
        states: Sequence[str] | None = None,
    ) -> int:
        """Send letters again that were made from ``since`` to before ``until``; how many.

        ``states`` are some of ``sent``, ``parked``, ``dropped`` and ``failing``, which is waiting
        for its next try; without, those that are parked or failing.
        """
        body = said(since=since, until=until, kinds=kinds, states=states, reason=reason)
        path = ("deliveries", "replay")
        return (await self._connection.post(Replayed, *path, body=body, safe=False)).replayed

    async def release(self, channel: str, *, reason: str) -> int:
        """Send what a restore has parked on a channel, ``email`` or ``webhook``; how many."""
        body = {"channel": channel, "reason": reason}
        path = ("deliveries", "release")
        return (await self._connection.post(Released, *path, body=body, safe=False)).released


class DispatchCalls:
    """What is sent of runs and ahead of periods: how far it has come, and steering it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, *, page_size: int = PAGE_SIZE, cursor: str | None = None) -> Pages[Dispatch]:
        """List dispatches, the newest first."""
        return Pages(
            self._connection, Dispatch, "dispatches", query={}, page_size=page_size, cursor=cursor
        )

    async def get(self, dispatch_id: int) -> Dispatch:
        """Show a dispatch."""
        return await self._connection.get(Dispatch, "dispatches", dispatch_id)

    async def pause(self, dispatch_id: int, *, reason: str) -> Dispatch:
        """Make no more of it, and let what is made wait."""
        return await self._steer(dispatch_id, "pause", reason)

    async def resume(self, dispatch_id: int, *, reason: str) -> Dispatch:
        """Go on where it was paused."""
        return await self._steer(dispatch_id, "resume", reason)

    async def cancel(self, dispatch_id: int, *, reason: str) -> Dispatch:
        """End it for good; what still waits of it is dropped."""
        return await self._steer(dispatch_id, "cancel", reason)

    async def _steer(self, dispatch_id: int, verb: str, reason: str) -> Dispatch:
        path = ("dispatches", dispatch_id, verb)
        return await self._connection.post(Dispatch, *path, body={"reason": reason}, safe=False)

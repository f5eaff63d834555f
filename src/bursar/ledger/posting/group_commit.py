"""Group commit: single commands share a transaction, without waiting when there is no crowd.

While one batch is in flight, arrivals queue; the next batch takes them all. So a lone command
goes at once, and sixty-four at a time cost little more than one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bursar.ledger.model import MAX_BATCH, Result
from bursar.ledger.posting.batch import Order
from bursar.platform.errors import Unavailable

_Waiting = tuple[Order, "asyncio.Future[Result]"]

_BATCH: Final = MAX_BATCH // 10
"""Larger batches would only make those who wait, wait longer."""


class GroupCommit:
    """The queue in front of `Poster.post`."""

    def __init__(self, post: Callable[[Sequence[Order]], Awaitable[list[Result]]]) -> None:
        self._post = post
        self._queue: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, order: Order) -> Result:
        """Answer when the order is committed or refused.

        An error of the database is raised to everyone whose order was in that batch; whether it
        was committed is then unknown, and the same reference may safely be submitted again. A
        caller that is cancelled does not take its order back.
        """
        if self._closed:
            raise Unavailable("ledger_closed", "the ledger is closed")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((order, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Take no more, and finish what was taken; also when the caller is cancelled meanwhile."""
        self._closed = True
        if self._worker is not None:
            await asyncio.shield(self._worker)

    async def _work(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
                await self._commit(batch)
        finally:
            self._worker = None

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            results = await self._post([order for order, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

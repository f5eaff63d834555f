"""Asking together: many who ask at the same time share one question to the database.

While one batch is in flight, arrivals queue; the next batch takes them all. So a lone question
goes at once, and sixty-four at a time cost little more than one. Whoever asks is answered by a
batch that began after they asked: an answer is never older than its question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from bursar.platform.errors import Unavailable

Q = TypeVar("Q")
A = TypeVar("A")


class Gathered(Generic[Q, A]):
    """A queue in front of ``answer``, which takes up to ``most`` questions, and in their order."""

    def __init__(
        self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, most: int
    ) -> None:
        self._answer = answer
        self._most = most
        self._queue: list[tuple[Q, asyncio.Future[A]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, question: Q) -> A:
        """Answer when the batch with this question has been answered.

        An error of a batch is raised to everyone in it; a caller that is cancelled does not take
        the question back. Raises `Unavailable` ``ledger_closed`` after `close`.
        """
        if self._closed:
            raise Unavailable("ledger_closed", "the ledger is closed")
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append((question, future))
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
                batch, self._queue = self._queue[: self._most], self._queue[self._most :]
                await self._ask(batch)
        finally:
            self._worker = None

    async def _ask(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._answer([question for question, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)

"""Ending tasks for certain.

In Python 3.11 a wait that ends in the same moment swallows a task's cancellation, and the task goes
on as if nothing had been said; the driver waits so for every answer of the database. So whoever
ends a task says it until it has ended.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_AGAIN_S: Final = 0.2


async def end(tasks: Iterable[asyncio.Task[Any]], *, again_s: float = _AGAIN_S) -> None:
    """Cancel tasks until all have ended; what they raise is left with them.

    ``again_s`` is longer than what they may take to wind up.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_s)

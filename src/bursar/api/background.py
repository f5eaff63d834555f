"""What a request starts and does not wait for; it ends with the server."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from bursar.platform.ending import end
from bursar.platform.errors import BursarError

_log: Final = structlog.get_logger("bursar.api")


class Background:
    """The tasks of one process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Do it beside the requests; what goes wrong is logged."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Wait until all that was started is done."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Break off what is still being done."""
        await end(self._tasks)


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except BursarError as error:
        _log.error("background", code=error.code, message=error.message)
    except Exception:
        _log.exception("background")

"""A worker: ticks, does the runs, sweeps the ledger, until it is told to stop (P1, P7).

Several on several machines share the work by themselves: what is planned is planned once, chunks
are claimed. A worker that loses the database waits for it; what it was about is done again.

What else is to be done from time to time is handed to it as duties. They go on beside the runs,
and are broken off when the worker stops: a duty is something that can be taken up again.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from bursar.platform.ending import end
from bursar.platform.errors import Unavailable
from bursar.programs.duty import Duty, keep
from bursar.programs.runs.execute import LANES
from bursar.programs.service import Programs

TICK_S: Final = 60.0
_POLL_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0
_SWEPT: Final = 1_000
_WIND_UP_S: Final = 15.0
"""A duty has so long to end in its own way."""

_log: Final = structlog.get_logger("bursar.worker")


class Worker:
    """Keeps doing what is due; `stop` ends it when the chunks under way are done."""

    def __init__(
        self,
        programs: Programs,
        *,
        lanes: int = LANES,
        tick_s: float = TICK_S,
        duties: Sequence[Duty] = (),
        after_chunk: Callable[[], None] | None = None,
    ) -> None:
        self._programs = programs
        self._lanes = lanes
        self._tick_s = tick_s
        self._duties = duties
        self._after_chunk = after_chunk
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Finish what is under way, begin nothing more."""
        self._stop.set()

    async def run(self) -> None:
        """Work until stopped; a database that is away is waited for."""
        database = self._programs.ledger.database
        beside = [asyncio.create_task(keep(duty, database, self._stop)) for duty in self._duties]
        try:
            await self._pay()
        finally:
            await end(beside, again_s=_WIND_UP_S)

    async def _pay(self) -> None:
        clock = asyncio.get_running_loop().time
        next_tick = clock()
        wait_s = _POLL_S
        while not self._stop.is_set():
            again = False
            try:
                if clock() >= next_tick:
                    next_tick = clock() + self._tick_s
                    again = await self._tick()
                await self._programs.runs.work(
                    lanes=self._lanes, stop=self._stop, after_chunk=self._after_chunk
                )
                if again:
                    next_tick = clock()
                    continue
                wait_s = _POLL_S
            except Unavailable as error:
                _log.warning("waiting", code=error.code, message=error.message, wait_s=wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                next_tick = clock()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)

    async def _tick(self) -> bool:
        """Tick and sweep; tell whether to tick again as soon as the work is done."""
        report = await self._programs.tick()
        if report.begun or report.retried:
            _log.info("tick", begun=[*report.begun], retried=report.retried)
        while await self._programs.ledger.sweep(limit=_SWEPT) == _SWEPT:
            if self._stop.is_set():
                break
        return report.more

"""The test clock: a sandbox is moved ahead, and what falls due on the way is done (O4)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from bursar.economy import store
from bursar.economy.model import Clock
from bursar.economy.ports import DueWork
from bursar.ledger import Ledger
from bursar.platform.errors import Invalid, Rejected
from bursar.platform.voice import check_voice
from bursar.trail import record

_SWEPT_AT_ONCE: Final = 1_000
_LAST_YEAR: Final = 2200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STEP: Final = timedelta(hours=1)


class _Asked(NamedTuple):
    """Who wants the clock moved, why, and from where to where."""

    actor: str
    reason: str
    start: datetime
    target: datetime


class TestClock:
    """The clock of one economy; ``work`` is what falls due besides the books' own."""

    __test__ = False  # pytest would take it for a test

    def __init__(self, ledger: Ledger, work: DueWork) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._work = work

    async def read(self) -> Clock:
        """Read the clock."""
        async with self._database.connection() as connection:
            return await store.read_clock(connection)

    async def move_to(
        self,
        target: datetime,
        *,
        actor: str,
        reason: str,
        step: timedelta = STEP,
        progress: Callable[[datetime], None] | None = None,
    ) -> Clock:
        """Move a sandbox's clock ahead, stopping wherever something falls due.

        What is due within one ``step`` is done at its end, and what fails is met again a step
        later, so that the walk always ends. If it is interrupted, the clock stands where it was
        last stopped; the same call goes on from there. The first stop writes down from where to
        where it goes, who wants it and why (I2). ``progress`` is told each stop. Raises
        `Rejected` ``clock_not_sandbox`` and ``clock_backwards``, `Invalid` ``clock_target``.
        """
        if target.utcoffset() is None or target.year > _LAST_YEAR or step < timedelta(minutes=1):
            raise Invalid(
                "clock_target",
                f"a clock is moved to an instant with a zone, by the year {_LAST_YEAR}, "
                "in steps of a minute or more",
            )
        check_voice(actor, reason)
        clock = await self.read()
        if not clock.sandbox:
            raise _not_sandbox()
        if target < clock.now:
            raise Rejected(
                "clock_backwards",
                f"the clock stands at {clock.now.isoformat(timespec='seconds')} and only moves on",
                now=clock.now.isoformat(),
            )
        now = clock.now
        asked: _Asked | None = _Asked(actor, reason, now, target)
        while True:
            await self._do_all_due()
            if now >= target:
                return await self.read()
            now = await self._put(await self._next_stop(now, target, step), asked)
            asked = None
            if progress is not None:
                progress(now)

    async def _next_stop(self, now: datetime, target: datetime, step: timedelta) -> datetime:
        """Find where to stop next: after now, at a whole step, by the target."""
        async with self._database.connection() as connection:
            in_books = await store.next_due_in_books(connection)
        dues = [due for due in (in_books, await self._work.next_due()) if due is not None]
        if not dues:
            return target
        steps = -((_EPOCH - max(min(dues), now)) // step)
        stop = _EPOCH + steps * step
        return min(target, stop if stop > now else stop + step)

    async def _do_all_due(self) -> None:
        """Do what is due: the books first, so that nobody is paid by a lot that has expired."""
        await self._sweep()
        await self._work.do_all_due()
        await self._sweep()

    async def _sweep(self) -> None:
        while await self._ledger.sweep(limit=_SWEPT_AT_ONCE) == _SWEPT_AT_ONCE:
            pass

    async def _put(self, stop: datetime, asked: _Asked | None) -> datetime:
        """Put the clock to a stop; ``asked`` is who wanted the walk, at its first stop."""
        async with self._database.transaction() as connection:
            if asked is not None:
                await record(
                    connection,
                    actor=asked.actor,
                    act="clock.move",
                    subject="clock",
                    reason=asked.reason,
                    before={"now": asked.start},
                    after={"now": asked.target},
                )
            now = await store.move_clock(connection, stop)
            if now is None:
                raise _not_sandbox()
        return now


def _not_sandbox() -> Rejected:
    return Rejected(
        "clock_not_sandbox",
        "only the clock of a sandbox can be moved: its economy file says sandbox = true",
    )

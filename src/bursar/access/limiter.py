"""The rates that callers have in all processes together (I2).

A process asks the database for a portion at a time, about a tenth of a second's worth. Where that
is one permit or less, every request asks, and the bound is exact. While one transaction is under
way others queue; the next one asks for all of them.
"""

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from bursar.access import store_rates
from bursar.access.examine import MAX_RATE
from bursar.access.model import Allowance
from bursar.access.window import Given, Unused, give
from bursar.platform.database import Connection, Database
from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.gathered import Gathered

_PORTIONS: Final = 600
"""Portions in a minute: a tenth of a second each."""

_KEEP_S: Final = 1.0
"""What is left of a portion is thrown away after that."""

_PATIENCE_S: Final = 5.0
_BATCH: Final = 1_000
_SWEEP_S: Final = 60.0
_MANY: Final = 10_000


class _Asked(NamedTuple):
    subject: bytes
    limit: int
    cost: int


class _Pot:
    """What this process has of a subject's rate; or ``refuses``, if so much cannot be had yet."""

    __slots__ = ("left", "limit", "refuses", "reset_at", "second", "spare", "until")

    def __init__(
        self, limit: int, given: Given, refused: tuple[int, int] | None, now: float
    ) -> None:
        self.limit = limit
        self.second = given.window.second
        self.spare = given.spare
        self.left = given.left
        self.refuses = None if refused is None else refused[0]
        wait_us = given.reset_us if refused is None else refused[1]
        self.reset_at = now + wait_us / 1e6
        self.until = now + _KEEP_S if refused is None else self.reset_at

    def give(self, cost: int, now: float) -> Allowance | None:
        """Answer out of the portion, or no where there cannot be more yet; None if one must ask."""
        if now >= self.until:
            return None
        reset_s = max(0.0, self.reset_at - now)
        if self.refuses is not None:
            return (
                Allowance(False, self.limit, self.left, reset_s) if cost >= self.refuses else None
            )
        if cost > self.spare:
            return None
        self.spare -= cost
        return Allowance(True, self.limit, self.left + self.spare, reset_s)


class Limiter:
    """The limiter of one process; `close` it before the database."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._pots: dict[bytes, _Pot] = {}
        self._asking = Gathered(self._answer, most=_BATCH)
        self._sweeping: asyncio.Task[None] | None = None
        self._swept_at = clock()

    async def close(self) -> None:
        """Take no more, and wait for what is under way."""
        await self._asking.close()
        if self._sweeping is not None:
            await asyncio.wait([self._sweeping])

    async def take(self, subject: str, per_minute: int, cost: int = 1) -> Allowance:
        """Take ``cost`` of a subject's rate, or nothing if it doesn't fit.

        Within any minute all processes together allow no more than ``per_minute``, and what was
        left over in each of a portion, which is below a tenth of a second's worth. Raises `Invalid`
        ``rate_cost`` for what could never be had, `Unavailable` when the database is away.
        """
        if type(per_minute) is not int or not 1 <= per_minute <= MAX_RATE:
            raise Invalid("rate_cost", f"a rate is from 1 to {MAX_RATE}", per_minute=per_minute)
        if type(cost) is not int or not 1 <= cost <= per_minute:
            raise Invalid(
                "rate_cost",
                f"{cost} at once cannot be had at {per_minute} a minute",
                cost=cost,
                per_minute=per_minute,
            )
        hashed = hashlib.sha256(subject.encode()).digest()
        pot = self._pots.get(hashed)
        if pot is not None and pot.limit == per_minute:
            known = pot.give(cost, self._clock())
            if known is not None:
                return known
        return await self._asking.ask(_Asked(hashed, per_minute, cost))

    async def _answer(self, batch: Sequence[_Asked]) -> list[Allowance]:
        """Answer those who wait together, in their order."""
        groups: dict[tuple[bytes, int], list[int]] = defaultdict(list)
        for number, one in enumerate(batch):
            groups[one.subject, one.limit].append(number)
        costs = {key: [batch[n].cost for n in numbers] for key, numbers in groups.items()}
        try:
            async with asyncio.timeout(_PATIENCE_S):
                given = await self._ask(costs)
        except TimeoutError:
            raise Unavailable(
                "database_unavailable", f"the database did not answer in {_PATIENCE_S:.0f} s"
            ) from None
        now = self._clock()
        answers: dict[int, Allowance] = {}
        for key, numbers in groups.items():
            told = self._tell(*key, costs[key], given[key], now)
            answers.update(zip(numbers, told, strict=True))
        self._sweep()
        return [answers[number] for number in range(len(batch))]

    def _tell(
        self, subject: bytes, limit: int, costs: Sequence[int], given: Given, now: float
    ) -> list[Allowance]:
        """Say what each is given, and keep what is left for those who come."""
        asked = list(zip(costs, given.waits_us, strict=True))
        refused = [(cost, wait_us) for cost, wait_us in asked if wait_us is not None]
        if refused or given.spare:
            self._pots[subject] = _Pot(limit, given, min(refused, default=None), now)
        left = given.left + given.spare
        return [
            Allowance(
                wait_us is None, limit, left, (given.reset_us if wait_us is None else wait_us) / 1e6
            )
            for _, wait_us in asked
        ]

    async def _ask(
        self, costs: Mapping[tuple[bytes, int], Sequence[int]]
    ) -> dict[tuple[bytes, int], Given]:
        """Take for all of them in one transaction, giving back what is left of their portions."""
        subjects = sorted({subject for subject, _ in costs})
        unused = {
            subject: Unused(pot.second, pot.spare)
            for subject in subjects
            if (pot := self._pots.pop(subject, None)) is not None and pot.spare
        }

        async def once(connection: Connection) -> dict[tuple[bytes, int], Given] | None:
            found = await store_rates.lock_windows(connection, subjects)
            if len(found) < len(subjects):
                return None
            given = {}
            back = dict(unused)
            for (subject, limit), asked in costs.items():
                window, now_us = found[subject]
                result = give(
                    window,
                    now_us,
                    limit,
                    asked,
                    portion=max(1, limit // _PORTIONS),
                    unused=back.pop(subject, None),
                )
                given[subject, limit] = result
                found[subject] = result.window, now_us
            await store_rates.write_windows(connection, {k: v for k, (v, _) in found.items()})
            return given

        while True:
            given = await self._database.retrying(once)
            if given is not None:
                return given
            async with self._database.connection() as connection:
                await store_rates.add_subjects(connection, subjects)

    def _sweep(self) -> None:
        """Now and then forget what is over, here and in the database."""
        now = self._clock()
        if len(self._pots) > _MANY:
            self._pots = {k: pot for k, pot in self._pots.items() if now < pot.until}
        if now - self._swept_at > _SWEEP_S and self._sweeping is None:
            self._swept_at = now
            self._sweeping = asyncio.create_task(self._drop_old())

    async def _drop_old(self) -> None:
        try:
            async with self._database.connection() as connection:
                await store_rates.drop_old(connection)
        except BursarError:
            return  # the next sweep is in a minute
        finally:
            self._sweeping = None

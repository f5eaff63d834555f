"""Doing a run: chunk after chunk, each claimed, decided, posted and counted in one transaction.

Any number of workers may do this at once, on any number of machines. One that is killed gives its
chunk back by dying; what it had not committed has not happened (P5, P7).
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from bursar.ledger import MAX_AMOUNT, Ledger
from bursar.platform.database import CONTENTION, REFUSED_DATA, Connection
from bursar.platform.errors import BursarError, Unavailable
from bursar.programs.judge import Judge, Rules
from bursar.programs.library import Compiled, Library
from bursar.programs.model import (
    AlertKind,
    Amount,
    Once,
    Program,
    Rolling,
    RunId,
    RunKind,
    RunState,
)
from bursar.programs.runs import store
from bursar.programs.runs import store_failures as failures
from bursar.programs.runs.deciding import decide
from bursar.programs.runs.giving import give
from bursar.programs.runs.model import Awards, Chunk, Run
from bursar.programs.runs.revert import take_back
from bursar.programs.runs.work import Work
from bursar.programs.store import raise_alert

LANES: Final = 3
"""Chunks that a process has under way: while the database writes one, it decides another."""

_ALERT_AFTER: Final = 3
_FEW: Final = 100
_ATTEMPTS: Final = 20
_BUGS: Final = (ArithmeticError, LookupError, TypeError, ValueError)
_log: Final = structlog.get_logger("bursar.programs")


class Halted(Exception):
    """The chunk must not be given as it stands: the run pauses and the operators are told."""

    def __init__(self, kind: AlertKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Executor:
    """Works on runs with one ledger."""

    def __init__(self, ledger: Ledger, library: Library) -> None:
        self._ledger = ledger
        self._library = library
        self._works: dict[RunId, Work] = {}

    async def work(
        self,
        run_id: RunId | None = None,
        *,
        lanes: int = LANES,
        stop: asyncio.Event | None = None,
        after_chunk: Callable[[], None] | None = None,
    ) -> int:
        """Do chunks, of one run or of all, until there are none; returns how many were done.

        With ``stop`` set, what is under way is finished and nothing more is begun.
        """

        async def lane() -> int:
            done = 0
            while not (stop is not None and stop.is_set()) and await self.work_one(run_id):
                done += 1
                await self._finish()
                if after_chunk is not None:
                    after_chunk()
            return done

        done = 0
        while True:
            ended = await asyncio.gather(*(lane() for _ in range(lanes)), return_exceptions=True)
            for one in ended:  # whoever failed, the others have ended too
                if isinstance(one, BaseException):
                    raise one
            await self._finish()
            more = sum(one for one in ended if isinstance(one, int))
            done += more
            if not more or (stop is not None and stop.is_set()):
                return done  # else a later period may have waited for this one

    async def _finish(self) -> None:
        """End the runs that have come to their end, though others go on."""
        async with self._ledger.database.transaction() as connection:
            for finished in await store.finish_runs(connection):
                self._works.pop(finished, None)

    async def work_one(self, run_id: RunId | None = None) -> bool:
        """Claim a chunk and do it; False if there is none."""
        database = self._ledger.database
        for _ in range(_ATTEMPTS):
            chunk: Chunk | None = None
            try:
                async with database.transaction() as connection:
                    chunk = await store.claim(connection, run_id)
                    if chunk is None:
                        return False
                    if await store.is_running(connection, chunk.run_id):
                        await self._do(connection, chunk)
                return True
            except CONTENTION:
                continue
            except Unavailable:
                raise
            except Halted as halted:
                await self._halt(chunk, halted)
                return True
            except (BursarError, *REFUSED_DATA, *_BUGS) as error:
                # a chunk that cannot be done must not keep the others of its machine from theirs
                _log.exception("chunk_failed", run=chunk and chunk.run_id)
                await self._halt(chunk, Halted("run_broken", f"{type(error).__name__}: {error}"))
                return True
        raise Unavailable("contention", f"no success in {_ATTEMPTS} attempts; try again")

    async def _do(self, connection: Connection, chunk: Chunk) -> None:
        work = await self._work(connection, chunk.run_id)
        run = work.run
        if run.kind is RunKind.REVERT:
            awards, awarded, amount = await take_back(connection, self._ledger, run, chunk)
        else:
            awards, settle = await decide(connection, work, chunk)
            awarded, amount = awards.count, awards.amount
            if amount > MAX_AMOUNT:
                raise Halted("run_overflow", f"one chunk comes to {amount}: more than 64 bits hold")
            if not run.dry_run:
                awarded, amount = await give(connection, self._ledger, work, awards)
            if settle is not None and (
                not run.dry_run or isinstance(work.program.schedule, Rolling)
            ):
                # cycles go on in a dry run too, as periods do: else it would be made again for ever
                await settle(frozenset(awards.failing))
            if not run.dry_run:
                await self._reserve(connection, run, amount)
        new = await self._record(connection, work, chunk, awards)
        if new > max(_FEW, awards.count):
            raise Halted("run_failing", f"{new} holders of one chunk fail: most of it")
        done = store.Done(awarded, amount, len(awards.failures), dict(awards.excluded))
        await store.finish_chunk(connection, chunk, done)

    async def _reserve(self, connection: Connection, run: Run, amount: int) -> None:
        """Hold the guard rails (P10); last of all, for the row is everybody's."""
        if not amount:
            return
        if run.ceiling is not None and not await store.reserve(connection, run.run_id, amount):
            raise Halted("run_ceiling", f"the run would give more than {run.ceiling}")
        if run.day_ceiling is not None and run.program_id is not None:
            fits = await store.reserve_day(connection, run.program_id, amount, run.day_ceiling)
            if not fits:
                raise Halted("day_ceiling", f"the day would give more than {run.day_ceiling}")

    async def _record(
        self, connection: Connection, work: Work, chunk: Chunk, awards: Awards
    ) -> int:
        """Keep who was set aside, and who was left out for a reason that the program keeps.

        Returns how many have never been set aside before: those tried again, which fail together
        again, say nothing new of the program.
        """
        run = work.run
        if chunk.holder_ids is not None:
            failing = {holder_id for holder_id, _, _ in awards.failures}
            decided = [h for h in chunk.holder_ids if h not in failing]
            await failures.resolve_failures(connection, run.run_id, decided)
        new = 0
        if awards.failures:
            tried = await failures.add_failures(connection, run.run_id, awards.failures)
            if max(attempts for _, attempts in tried) >= _ALERT_AFTER:
                await self._alert_failing(connection, run, tried)
            new = sum(1 for _, attempts in tried if attempts == 1)
        kept = frozenset(work.program.keep_reasons)
        left_out = [one for one in awards.left_out if one[1] in kept]
        if left_out:
            await failures.add_exclusions(connection, chunk, left_out)
        return new

    async def _alert_failing(
        self, connection: Connection, run: Run, tried: list[tuple[int, int]]
    ) -> None:
        """Raise the alarm for those who have failed three times (P8)."""
        count = sum(1 for _, attempts in tried if attempts >= _ALERT_AFTER)
        who = "1 holder has" if count == 1 else f"{count} holders have"
        message = f"{who} failed {_ALERT_AFTER} times or more"
        _log.warning("awards_failing", run=run.name, program=run.program, holders=count)
        await raise_alert(connection, "awards_failing", run.name, message)

    async def _halt(self, chunk: Chunk | None, halted: Halted) -> None:
        if chunk is None:
            raise Unavailable("database_unavailable", halted.message)
        async with self._ledger.database.transaction() as connection:
            await store.move_run(
                connection,
                chunk.run_id,
                RunState.PAUSED,
                [RunState.RUNNING],
                note=f"{halted.kind}: {halted.message}"[:500],
            )
            await raise_alert(connection, halted.kind, f"run_{chunk.run_id}", halted.message)
        _log.warning(halted.kind, run=f"run_{chunk.run_id}", message=halted.message)

    async def _work(self, connection: Connection, run_id: RunId) -> Work:
        """Find what a run needs; of its row only what never changes is used."""
        found = self._works.get(run_id)
        if found is None:
            [run] = await store.read_runs(connection, run_ids=[run_id])
            found = await self.work_of(connection, run)
            self._works[run_id] = found
        return found

    async def work_of(self, connection: Connection, run: Run) -> Work:
        """Compile what a run needs."""
        if run.program_id is None or run.version is None:
            compiled = _without_program(run)
        else:
            compiled = await self._library.get(connection, run.program_id, run.version)
        return Work(run, compiled, Judge(compiled.program, compiled.rules, run.period))


def _without_program(run: Run) -> Compiled:
    """Stand in for a program where an operator grants an amount of an asset by hand (P14)."""
    amount = Amount(fixed=run.amount or 0)
    program = Program(name="grant", asset=run.asset, schedule=Once(), amount=amount)
    return Compiled(program, Rules((), None), run.started_by)

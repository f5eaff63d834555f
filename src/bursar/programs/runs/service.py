"""Runs: everything that may be asked of them, one method each."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from bursar.holders import Holders
from bursar.holders.store_people import highest_holder_id
from bursar.ledger import MAX_AMOUNT, Ledger, Policy
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected
from bursar.platform.pages import check_limit
from bursar.platform.voice import check_voice
from bursar.programs import store
from bursar.programs.due import CHUNK, begin, imagine, new_run, take_up
from bursar.programs.model import Calendar, InForce, Period, RunId, RunKind, RunState
from bursar.programs.outlook import find_period
from bursar.programs.runs import steer
from bursar.programs.runs import store as runs
from bursar.programs.runs import store_failures as failures
from bursar.programs.runs.by_hand import for_program, holders_of, lay_out, must_be_on
from bursar.programs.runs.execute import LANES, Executor
from bursar.programs.runs.model import (
    Awards,
    Estimate,
    Exclusion,
    Failure,
    NewRun,
    RunReport,
)
from bursar.programs.runs.preview import estimate
from bursar.programs.runs.store_period import read_listed
from bursar.programs.switches import Switches
from bursar.programs.tick import clear
from bursar.trail import record

_LONGEST_REFERENCE: Final = 150


class Runs:
    """The runs of one ledger's programs."""

    def __init__(
        self,
        ledger: Ledger,
        holders: Holders,
        executor: Executor,
        *,
        chunk: int = CHUNK,
        switches: Switches | None = None,
    ) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._holders = holders
        self._executor = executor
        self._chunk = chunk
        self._switches = switches or Switches()

    async def preview(
        self,
        name: str,
        period: str | None = None,
        *,
        holders: Sequence[str] | None = None,
        seen: Callable[[Awards], None] | None = None,
    ) -> tuple[Period, Estimate]:
        """Decide a period and write nothing: who, how much, why, and who not (P6)."""
        chosen = None if holders is None else await self._holders.numbers(holders)
        async with self._database.connection() as connection:
            in_force = await self._in_force(connection, name)
            now = await store.read_now(connection)
            wanted = await find_period(connection, in_force, in_force.standing, period, now)
            newest = await runs.read_newest(connection, in_force.program_id, wanted.key)
            generation = 0 if newest is None else newest.generation
            generation += newest is not None and newest.state is RunState.REVERTED
            new = new_run(in_force, RunKind.SCHEDULED, wanted, now, generation=generation)
            work = await self._executor.work_of(connection, imagine(new, in_force, now))
            found = await estimate(connection, work, holder_ids=chosen, seen=seen)
            return wanted, found

    async def start(
        self,
        name: str,
        period: str | None = None,
        *,
        actor: str,
        reason: str,
        dry_run: bool = False,
    ) -> RunId:
        """Start the run of a period that has begun, the current one by default (P5, P6).

        Of a period that has a run already this is a `Conflict` ``period_run``, unless it has been
        reverted: then it is run again, corrected. Over all holders; whoever has been paid is
        counted as ``already_paid``.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            in_force = await self._in_force(connection, name)
            must_be_on(in_force)
            schedule = in_force.program.schedule
            if not isinstance(schedule, Calendar):
                raise Rejected(
                    "run_not_by_period",
                    f"{name} has no periods that are the same for all: `tick` runs what is due",
                    program=name,
                )
            locked = await store.lock_standing(connection, in_force.program_id)
            if locked is None:
                raise Conflict("program_moved", f"{name} is being planned just now: try again")
            now = await store.read_now(connection)
            wanted = await find_period(connection, in_force, locked[1], period, now)
            if wanted.start > now:
                raise Rejected(
                    "period_not_begun",
                    f"{wanted.key} begins at {wanted.start:%Y-%m-%d %H:%M} UTC",
                    period=wanted.key,
                )
            newest = await runs.read_newest(connection, in_force.program_id, wanted.key)
            generation = 0
            if newest is not None:
                if newest.state is not RunState.REVERTED:
                    raise Conflict(
                        "period_run",
                        f"{wanted.key} has been run: run_{newest.run_id} is {newest.state}",
                        run=f"run_{newest.run_id}",
                        state=newest.state,
                    )
                generation = newest.generation + 1
            last = await highest_holder_id(connection)
            run_id = await begin(
                connection,
                in_force,
                wanted,
                now,
                last,
                self._chunk,
                generation=generation,
                dry_run=dry_run,
                started_by=actor,
                reason=reason,
            )
            if run_id is None:
                raise Conflict("program_moved", f"{name} was started meanwhile: try again")
            if not dry_run:
                await take_up(connection, in_force, schedule, locked[1], wanted, now)
            await record(
                connection,
                actor=actor,
                act="run.start",
                subject=f"run_{run_id}",
                reason=reason,
                after={"program": name, "period": wanted.key, "dry_run": dry_run},
            )
        await self._clear(run_id)
        return run_id

    async def grant(
        self,
        *,
        program: str | None = None,
        asset: str | None = None,
        amount: int | None = None,
        holders: Sequence[str] | None = None,
        run: RunId | None = None,
        reference: str | None = None,
        dry_run: bool = False,
        actor: str,
        reason: str,
    ) -> RunId:
        """Give by hand: to these holders, to those of a run, or to everybody (P14).

        What a program gives to whoever qualifies for it now, or ``amount`` of an asset. With a
        reference it is done once however often it is asked; to ask for something else under it is a
        `Conflict` ``grant_reference``. Returns the run, which `work` does.
        """
        check_voice(actor, reason)
        await self._check_grant(program, asset, amount, reference)
        async with self._database.transaction() as connection:
            now = await store.read_now(connection)
            new = NewRun(
                kind=RunKind.GRANT,
                asset=asset or "",
                period=Period("grant", now, now, 1),
                as_of=now,
                started_by=actor,
                reason=reason,
                reference=reference,
                amount=amount,
                dry_run=dry_run,
            )
            if program is not None:
                new = for_program(new, await self._in_force(connection, program), now)
            chosen: Sequence[int] | None = None
            if run is not None:
                chosen = await holders_of(connection, await steer.get_run(connection, run))
            elif holders is not None:
                chosen = sorted(set(await self._holders.numbers(holders)))
            made = await runs.add_run(connection, new)
            if made is None:
                return await self._granted_before(connection, new, chosen)
            await lay_out(connection, made, chosen, self._chunk)
            told = {
                "program": program,
                "asset": new.asset,
                "amount": amount,
                "dry_run": new.dry_run,
            }
            await record(
                connection,
                actor=actor,
                act="grant.start",
                subject=f"run_{made}",
                reason=reason,
                after=told | {"holders": None if chosen is None else len(chosen)},
            )
        await self._clear(made)
        return made

    async def granted(self, reference: str) -> RunId | None:
        """Find the grant by hand that was made under a reference."""
        async with self._database.connection() as connection:
            return await runs.find_run(connection, reference)

    async def work(
        self,
        run_id: RunId | None = None,
        *,
        lanes: int = LANES,
        stop: asyncio.Event | None = None,
        after_chunk: Callable[[], None] | None = None,
    ) -> int:
        """Do the chunks there are, of one run or all, with whoever else does (P7)."""
        return await self._executor.work(run_id, lanes=lanes, stop=stop, after_chunk=after_chunk)

    async def approve(self, run_id: RunId, total: int, *, actor: str, reason: str) -> None:
        """Let a run that waits begin, by a second person (P10); see `steer.approve`."""
        async with self._database.transaction() as connection:
            await steer.approve(connection, run_id, total, actor=actor, reason=reason)

    async def pause(self, run_id: RunId, *, actor: str, reason: str) -> None:
        """Stop a run where it is."""
        async with self._database.transaction() as connection:
            await steer.pause(connection, run_id, actor=actor, reason=reason)

    async def resume(self, run_id: RunId, *, actor: str, reason: str) -> None:
        """Let a paused run go on."""
        async with self._database.transaction() as connection:
            await steer.resume(connection, run_id, actor=actor, reason=reason)

    async def cancel(self, run_id: RunId, *, actor: str, reason: str) -> None:
        """End a run for good."""
        async with self._database.transaction() as connection:
            await steer.cancel(connection, run_id, actor=actor, reason=reason)

    async def revert(self, run_id: RunId, policy: Policy, *, actor: str, reason: str) -> RunId:
        """Take back what a run gave (P6, L8); returns the run that does it."""
        async with self._database.transaction() as connection:
            return await steer.revert(connection, run_id, policy, actor=actor, reason=reason)

    async def retry(self, run_id: RunId, *, actor: str, reason: str) -> int:
        """Try the holders whom a run has set aside again at once; returns how many (P8)."""
        async with self._database.transaction() as connection:
            return await steer.retry_now(
                connection, run_id, self._chunk, actor=actor, reason=reason
            )

    async def report(self, run_id: RunId) -> RunReport:
        """Tell how a run stands; raises `Missing` ``run_unknown``."""
        async with self._database.snapshot() as connection:
            run = await steer.get_run(connection, run_id)
            return RunReport(run, await runs.read_progress(connection, run_id))

    async def recent(
        self, program: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[RunReport]:
        """List runs, the newest first; ``before`` is the number where the page before ended."""
        check_limit(limit)
        async with self._database.snapshot() as connection:
            found = await runs.read_runs(connection, program=program, before=before, limit=limit)
            return [RunReport(r, await runs.read_progress(connection, r.run_id)) for r in found]

    async def failures(
        self, run_id: RunId, *, after: int = 0, everything: bool = False, limit: int = 100
    ) -> Sequence[Failure]:
        """List whom a run has set aside, those resolved too if asked (P8)."""
        check_limit(limit)
        async with self._database.connection() as connection:
            await steer.get_run(connection, run_id)
            return await failures.read_failures(
                connection, run_id, after=after, everything=everything, limit=limit
            )

    async def exclusions(
        self, run_id: RunId, *, after: int = 0, limit: int = 100
    ) -> Sequence[Exclusion]:
        """List whom a run has left out, of the reasons that the program keeps (P2)."""
        check_limit(limit)
        async with self._database.connection() as connection:
            await steer.get_run(connection, run_id)
            return await failures.read_exclusions(connection, run_id, after=after, limit=limit)

    async def _in_force(self, connection: Connection, name: str) -> InForce:
        """Find a program, as this process's settings let it be."""
        return self._switches.applied(await get_program(connection, name))

    async def _clear(self, run_id: RunId) -> None:
        """Estimate a run that waits, and let it begin if it may."""
        async with self._database.connection() as connection:
            run = await steer.get_run(connection, run_id)
        if run.state is RunState.WAITING:
            await clear(self._database, self._executor, run)

    async def _granted_before(
        self, connection: Connection, new: NewRun, chosen: Sequence[int] | None
    ) -> RunId:
        """Find the run of a reference that is taken; raises `Conflict` if it says otherwise."""
        known = await runs.find_run(connection, new.reference or "")
        if known is None:
            raise Conflict("program_moved", "another did the same just now: try again")
        run = await steer.get_run(connection, known)
        same = (run.kind, run.program_id, run.asset, run.amount, run.dry_run) == (
            new.kind,
            new.program_id,
            new.asset,
            new.amount,
            new.dry_run,
        )
        listed = await read_listed(connection, known)
        same = same and (listed or None) == (list(chosen or ()) or None)
        if not same:
            raise Conflict(
                "grant_reference",
                f"{new.reference!r} has been used for another grant, {run.name}",
                reference=new.reference,
                run=run.name,
            )
        return known

    async def _check_grant(
        self, program: str | None, asset: str | None, amount: int | None, reference: str | None
    ) -> None:
        if reference is not None and not (
            0 < len(reference) <= _LONGEST_REFERENCE and reference.isprintable()
        ):
            raise Invalid(
                "grant_reference_form",
                f"a reference is 1 to {_LONGEST_REFERENCE} printable characters",
            )
        if (program is None) == (asset is None):
            raise Invalid("grant_of", "a grant is of a program or of an asset: name one of them")
        if amount is not None and not (type(amount) is int and 0 < amount <= MAX_AMOUNT):
            raise Invalid("grant_amount", "an amount is a whole number above 0", amount=str(amount))
        if asset is not None:
            if amount is None:
                raise Invalid("grant_amount", "a grant of an asset needs an amount")
            if asset not in {a.code for a in await self._ledger.assets()}:
                raise Missing("asset_unknown", f"there is no asset {asset!r}", asset=asset)


async def get_program(connection: Connection, name: str) -> InForce:
    """Find a program, in force or retired; raises `Missing` ``program_unknown``."""
    found = await store.read_programs(connection, name)
    if not found:
        raise Missing("program_unknown", f"there is no program {name!r}", program=name)
    return found[0]

"""Programs: everything that may be asked of them, one method each."""

from collections.abc import Sequence
from datetime import datetime

from bursar.holders import Holders
from bursar.ledger import Ledger
from bursar.platform.database import Connection
from bursar.platform.errors import Missing
from bursar.platform.pages import Page, check_limit
from bursar.programs import definitions, store
from bursar.programs.claims.claim import ClaimAnswer, claim
from bursar.programs.due import CHUNK
from bursar.programs.forecast import forecast
from bursar.programs.holder_view import Award, NextGrant, read_history, read_next
from bursar.programs.library import Library
from bursar.programs.model import (
    Alert,
    InForce,
    Outage,
    Override,
    Program,
    ProgramVersion,
)
from bursar.programs.outages import Declared, declare
from bursar.programs.overrides import check_override, set_override
from bursar.programs.runs.execute import Executor
from bursar.programs.runs.model import Estimate
from bursar.programs.runs.service import Runs, get_program
from bursar.programs.switches import Switches
from bursar.programs.tick import TickReport, next_due, tick
from bursar.trail import record


class Programs:
    """The programs of one ledger; ``runs`` are their runs, in chunks of so many holders.

    ``switches`` are what this process's settings say of all of them.
    """

    def __init__(
        self, ledger: Ledger, *, chunk: int = CHUNK, switches: Switches | None = None
    ) -> None:
        self.ledger = ledger
        self.holders = Holders(ledger)
        self._database = ledger.database
        self._library = Library()
        self._executor = Executor(ledger, self._library)
        self._chunk = chunk
        self._switches = switches or Switches()
        self.runs = Runs(ledger, self.holders, self._executor, chunk=chunk, switches=self._switches)

    async def put(
        self, connection: Connection, program: Program, *, actor: str, reason: str
    ) -> int:
        """Put a program in force in the caller's transaction; the version it now has (I7)."""
        return await definitions.put(connection, program, actor=actor, reason=reason)

    async def retire(self, connection: Connection, name: str, *, actor: str, reason: str) -> bool:
        """End a program in the caller's transaction; tell whether it was in force."""
        return await store.retire(connection, name)

    async def programs(self) -> list[InForce]:
        """List the programs in force by name."""
        async with self._database.connection() as connection:
            return await store.read_programs(connection)

    async def program(self, name: str) -> InForce:
        """Show one program, in force or retired; raises `Missing` ``program_unknown``."""
        async with self._database.connection() as connection:
            return await get_program(connection, name)

    async def versions(self, name: str) -> list[ProgramVersion]:
        """List a program's versions, the newest first."""
        async with self._database.connection() as connection:
            await get_program(connection, name)
            return await store.read_versions(connection, name)

    async def switch(self, name: str, *, on: bool, actor: str, reason: str) -> None:
        """Stop a program by one setting, or let it go on (P10)."""
        async with self._database.transaction() as connection:
            await store.lock_program(connection, name)  # so that what was before is so
            found = await get_program(connection, name)
            await store.switch(connection, name, off=not on, actor=actor, reason=reason)
            await record(
                connection,
                actor=actor,
                act="program.switch",
                subject=name,
                reason=reason,
                before={"on": not found.switched_off},
                after={"on": on},
            )

    async def forecast(self, program: Program) -> Estimate:
        """Tell what the next period of a program, in force or not, would cost today (I7)."""
        async with self._database.connection() as connection:
            return await forecast(connection, program)

    async def set_override(
        self,
        program: str,
        holder: str,
        override: Override,
        *,
        expect: str | None = None,
        actor: str,
        reason: str,
    ) -> None:
        """Give one holder an amount, a pause or a day of the month of their own (P3).

        An empty override makes the holder as all others again. With ``expect``, what `mark_of` says
        of the override that was read, only if it is still that: else `Conflict`
        ``precondition_failed``.
        """
        check_override(override)
        found = await self.holders.get(holder)
        async with self._database.transaction() as connection:
            in_force = await get_program(connection, program)
            await set_override(
                connection,
                in_force,
                found.holder_id,
                override,
                expect=expect,
                actor=actor,
                reason=reason,
            )

    async def override(self, program: str, holder: str) -> Override:
        """Show what one holder has of their own."""
        number = (await self.holders.get(holder)).holder_id
        async with self._database.connection() as connection:
            in_force = await get_program(connection, program)
            read = await store.read_overrides(connection, in_force.program_id, number, number)
            return read.get(number, Override())

    async def claim(self, program: str, holder: str, *, actor: str) -> ClaimAnswer:
        """Claim for a holder (P20); claimed before is no error, and awards 0."""
        found = await self.holders.get(holder)

        async def once(connection: Connection) -> ClaimAnswer:
            in_force = self._switches.applied(await get_program(connection, program))
            return await claim(
                connection, self.ledger, self._library, in_force, found.holder_id, actor=actor
            )

        return await self._database.retrying(once)

    async def next_grants(self, holder: str) -> list[NextGrant]:
        """Tell what comes next to a holder, by program: when, how much, and why (P13)."""
        found = await self.holders.get(holder)
        async with self._database.snapshot() as connection:
            return await read_next(connection, self._library, found.holder_id)

    async def history(
        self, holder: str, *, program: str | None = None, limit: int = 50
    ) -> Sequence[Award]:
        """List what programs have given to a holder or taken back, the newest first (P12)."""
        return (await self.awards(holder, program=program, limit=limit)).items

    async def awards(
        self,
        holder: str,
        *,
        program: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Award]:
        """List the same in pages of 1 to 1,000; a page may be shorter though more follow."""
        check_limit(limit)
        found = await self.holders.get(holder)
        return await read_history(self.ledger, found.holder_id, program, limit, cursor)

    async def tick(self) -> TickReport:
        """Make everything that is due now into runs; `Runs.work` does them (P1)."""
        return await tick(self._database, self._executor, self._chunk, self._switches)

    async def do_all_due(self) -> TickReport:
        """Tick and work until nothing is left to do now."""
        report = await self.tick()
        await self.runs.work()
        begun, retried = [*report.begun], report.retried
        while report.more:
            report = await self.tick()
            await self.runs.work()
            begun += report.begun
            retried += report.retried
        return TickReport(tuple(begun), report.waiting, retried)

    async def next_due(self) -> datetime | None:
        """Tell when there is next something to do."""
        async with self._database.connection() as connection:
            return await next_due(connection)

    async def alerts(self, *, everything: bool = False, limit: int = 100) -> list[Alert]:
        """List the matters that operators should know of (P8)."""
        check_limit(limit)
        async with self._database.connection() as connection:
            return await store.read_alerts(connection, everything=everything, limit=limit)

    async def resolve_alert(self, alert_id: int, *, actor: str, reason: str) -> None:
        """Close a matter; raises `Missing` ``alert_unknown``."""
        async with self._database.transaction() as connection:
            closed = await store.resolve_alert(connection, alert_id, actor)
            if closed is None:
                raise Missing("alert_unknown", f"there is no open alert {alert_id}", alert=alert_id)
            await record(
                connection,
                actor=actor,
                act="alert.resolve",
                subject=f"alert_{alert_id}",
                reason=reason,
                after={"kind": closed[0], "of": closed[1]},
            )

    async def declare_outage(
        self, starts_at: datetime, ends_at: datetime, *, actor: str, reason: str
    ) -> Declared:
        """Declare that holders could not act between two instants (P23); see `outages`."""
        return await declare(self.ledger, starts_at, ends_at, actor=actor, reason=reason)

    async def outages(self) -> list[Outage]:
        """List the windows declared, the earliest first."""
        async with self._database.connection() as connection:
            return await store.read_outages(connection)

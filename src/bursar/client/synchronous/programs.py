"""Programs, their runs, and grants by hand.

Starting a run and acts on one are not repeated by themselves once they may have reached the server:
the answer to the second attempt would tell of the first as of somebody else's. Look at the run.
"""

from collections.abc import Sequence

from bursar.client.answers.programs import (
    Exclusion,
    Failure,
    Override,
    Preview,
    Program,
    Programs,
    ProgramVersion,
    ProgramVersions,
    Retried,
    Run,
)
from bursar.client.asking import new_reference, said
from bursar.client.commands import Policy
from bursar.client.synchronous.connection import Connection
from bursar.client.synchronous.pages import PAGE_SIZE, Pages


class ProgramCalls:
    """Standing rules that give credit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Program]:
        """List the programs."""
        return (self._connection.get(Programs, "programs")).items

    def get(self, program: str) -> Program:
        """Show a program."""
        return self._connection.get(Program, "programs", program)

    def versions(self, program: str) -> list[ProgramVersion]:
        """List a program's versions."""
        path = ("programs", program, "versions")
        return (self._connection.get(ProgramVersions, *path)).items

    def switch(self, program: str, *, on: bool, reason: str) -> Program:
        """Switch a program on or off."""
        path = ("programs", program, "switch")
        return self._connection.post(Program, *path, body={"on": on, "reason": reason})

    def preview(
        self, program: str, *, period: str | None = None, holders: Sequence[str] | None = None
    ) -> Preview:
        """Tell what a run would come to; nothing is written."""
        body = said(period=period, holders=holders)
        return self._connection.post(Preview, "programs", program, "preview", body=body)

    def run(
        self, program: str, *, reason: str, period: str | None = None, dry_run: bool = False
    ) -> Run:
        """Start a run of a period; raises `Conflict` ``period_run`` where it has been run."""
        body = said(period=period, dry_run=dry_run, reason=reason)
        path = ("programs", program, "runs")
        return self._connection.post(Run, *path, body=body, safe=False)

    def override(self, program: str, holder: str) -> Override:
        """Show what is set for one holder."""
        return self._connection.get(Override, "programs", program, "overrides", holder)

    def set_override(
        self,
        program: str,
        holder: str,
        override: Override,
        *,
        reason: str,
        if_match: str | None = None,
    ) -> Override:
        """Set something for one holder; an empty override makes the holder as all others.

        With ``if_match``, an override's ``etag``, only if nobody has changed it since.
        """
        body = {
            "amount": override.amount,
            "refresh_day": override.refresh_day,
            "paused": override.paused,
            "reason": reason,
        }
        path = ("programs", program, "overrides", holder)
        return self._connection.put(
            Override, *path, body=body, if_match=if_match, safe=if_match is None
        )


class RunCalls:
    """Runs: how they stand, and steering them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(
        self,
        *,
        program: str | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Run]:
        """List runs, the newest first."""
        query = {"program": program}
        return Pages(self._connection, Run, "runs", query=query, page_size=page_size, cursor=cursor)

    def get(self, run: str) -> Run:
        """Show a run."""
        return self._connection.get(Run, "runs", run)

    def failures(
        self,
        run: str,
        *,
        resolved: bool = False,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Failure]:
        """List whom a run has set aside; with ``resolved`` also those given since."""
        return Pages(
            self._connection,
            Failure,
            *("runs", run, "failures"),
            query={"resolved": resolved or None},
            page_size=page_size,
            cursor=cursor,
        )

    def exclusions(
        self, run: str, *, page_size: int = PAGE_SIZE, cursor: str | None = None
    ) -> Pages[Exclusion]:
        """List whom a run has left out, as far as reasons are kept."""
        path = ("runs", run, "exclusions")
        return Pages(
            self._connection, Exclusion, *path, query={}, page_size=page_size, cursor=cursor
        )

    def approve(self, run: str, *, total: int, reason: str) -> Run:
        """Approve a run that waits, as a second person; ``total`` is what it comes to."""
        return self._steer(run, "approve", total=total, reason=reason)

    def pause(self, run: str, *, reason: str) -> Run:
        """Let a run rest."""
        return self._steer(run, "pause", reason=reason)

    def resume(self, run: str, *, reason: str) -> Run:
        """Let a run go on."""
        return self._steer(run, "resume", reason=reason)

    def cancel(self, run: str, *, reason: str) -> Run:
        """Stop a run for good; what it has given stays given."""
        return self._steer(run, "cancel", reason=reason)

    def revert(self, run: str, *, reason: str, policy: Policy = "clip") -> Run:
        """Take back what a run gave."""
        return self._steer(run, "revert", policy=policy, reason=reason)

    def retry(self, run: str, *, reason: str) -> Retried:
        """Try again those whom the run has set aside."""
        body = {"reason": reason}
        return self._connection.post(Retried, "runs", run, "retry", body=body, safe=False)

    def _steer(self, run: str, act: str, **body: str | int) -> Run:
        return self._connection.post(Run, "runs", run, act, body=body, safe=False)


class GrantCalls:
    """Grants by hand."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def give(
        self,
        *,
        reason: str,
        program: str | None = None,
        asset: str | None = None,
        amount: int | None = None,
        holders: Sequence[str] | None = None,
        everybody: bool = False,
        run: str | None = None,
        dry_run: bool = False,
        reference: str | None = None,
    ) -> Run:
        """Give what a program gives, or an amount, to those named, to everybody or those of a run.

        The same ``reference`` gives once; it goes in a header, so it is printable ASCII.
        """
        body = said(
            program=program,
            asset=asset,
            amount=amount,
            holders=holders,
            everybody=everybody or None,
            run=run,
            dry_run=dry_run,
            reason=reason,
        )
        key = reference or new_reference()
        return self._connection.post(Run, "grants", body=body, key=key)

"""The words of runs: a run, its chunks, what it has come to."""

from collections import Counter
from datetime import datetime
from typing import Any, Literal

import msgspec

from bursar.ledger.model import Policy
from bursar.programs.model import Period, RunId, RunKind, RunState


class Estimate(msgspec.Struct, frozen=True):
    """What a run would give if it were done now (P6); ``excluded`` by reason."""

    holders: int
    awards: int
    amount: int
    failed: int
    excluded: dict[str, int]


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run about to be started."""

    kind: RunKind
    asset: str
    period: Period
    as_of: datetime
    started_by: str
    reason: str
    program_id: int | None = None
    version: int | None = None
    state: RunState = RunState.RUNNING
    generation: int = 0
    reference: str | None = None
    amount: int | None = None
    target_run: RunId | None = None
    policy: Policy | None = None
    dry_run: bool = False
    holders: int = 0
    estimate: Estimate | None = None
    ceiling: int | None = None
    day_ceiling: int | None = None
    note: str | None = None


class Run(NewRun, frozen=True, kw_only=True):
    """A run as it stands."""

    run_id: RunId
    started_at: datetime
    program: str | None = None
    approved_by: str | None = None
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        """The id as people see it; what is given without a run is given by the schedule."""
        return f"run_{self.run_id}" if self.run_id else "schedule"


class Chunk(msgspec.Struct, frozen=True):
    """A part of a run: the holders of a range, or those of it that are named.

    A reversal's has the number of the chunk that it takes back.
    """

    run_id: RunId
    chunk_no: int
    first_holder: int
    last_holder: int
    holder_ids: list[int] | None
    source_chunk: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """What a run's chunks have come to; ``failed`` are those still set aside."""

    chunks: int
    chunks_done: int
    awarded: int
    amount: int
    failed: int
    excluded: dict[str, int]


class RunReport(msgspec.Struct, frozen=True):
    """A run and its progress."""

    run: Run
    progress: Progress


class Failure(msgspec.Struct, frozen=True):
    """A holder whom a run has set aside, and when it tries again (P8)."""

    holder_id: int
    holder: str | None
    attempts: int
    failed_at: datetime
    retry_at: datetime | None
    resolved_at: datetime | None
    code: str
    message: str


class Exclusion(msgspec.Struct, frozen=True):
    """A holder whom a run has left out, and why (P2).

    ``period_key`` is the holder's own, of a program that gives to each on a day of their own; empty
    where it is the run's.
    """

    holder_id: int
    holder: str | None
    reason: str
    period_key: str = ""


AwardKind = Literal["scheduled", "manual", "claim", "subscription_change", "compensation"]
"""How an award came about (P12)."""


class Group(msgspec.Struct, kw_only=True):
    """Awards under one reference, by column; notes are what is told on each entry."""

    reference: str
    period: Period
    kind: AwardKind = "scheduled"
    effective_at: datetime | None = None
    holder_ids: list[int] = []
    amounts: list[int] = []
    notes: list[dict[str, Any] | None] = []

    def add(self, holder_id: int, amount: int, note: dict[str, Any] | None) -> None:
        """Give to one holder more."""
        self.holder_ids.append(holder_id)
        self.amounts.append(amount)
        self.notes.append(note)


class Awards(msgspec.Struct, kw_only=True):
    """What a chunk comes to before it is posted: who is given what, and who is not and why."""

    groups: dict[str, Group] = {}
    excluded: Counter[str] = msgspec.field(default_factory=Counter)
    left_out: list[tuple[int, str, str]] = []
    failures: list[tuple[int, str, str]] = []
    failing: set[int] = set()

    def group(self, reference: str, period: Period, kind: AwardKind = "scheduled") -> Group:
        """Find the group of a reference."""
        found = self.groups.get(reference)
        if found is None:
            found = Group(reference=reference, period=period, kind=kind)
            self.groups[reference] = found
        return found

    def exclude(self, holder_id: int, reason: str, period_key: str = "") -> None:
        """Leave a holder out, of a period of their own if it is not the run's."""
        self.excluded[reason] += 1
        self.left_out.append((holder_id, reason, period_key))

    def fail(self, holder_id: int, code: str, message: str) -> None:
        """Set a holder aside, for the first reason there is."""
        if holder_id not in self.failing:
            self.failing.add(holder_id)
            self.failures.append((holder_id, code, message))

    @property
    def count(self) -> int:
        """How many awards there are."""
        return sum(len(g.holder_ids) for g in self.groups.values())

    @property
    def amount(self) -> int:
        """What they come to."""
        return sum(sum(g.amounts) for g in self.groups.values())

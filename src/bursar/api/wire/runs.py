"""Runs, what they have come to, and grants by hand, as they are asked for and answered."""

import re
from datetime import datetime
from typing import Annotated, Final

import msgspec

from bursar.api.wire.programs import EstimateView, PeriodView, estimate_view, period_view
from bursar.api.wire.text import Reason, Word
from bursar.ledger import Policy
from bursar.platform.errors import Missing
from bursar.programs.model import RunId, RunKind, RunState
from bursar.programs.runs.model import RunReport

MAX_NAMED: Final = 100_000
"""Holders that one grant may name."""

_RUN: Final = re.compile(r"run_([1-9][0-9]{0,17})", re.ASCII)


class ProgressView(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has come to so far; ``failed`` are those still set aside."""

    chunks: int
    chunks_done: int
    awarded: int
    amount: int
    failed: int
    excluded: dict[str, int]


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands, amounts in minor units.

    ``program`` is null for a grant of an asset. ``target_run`` and ``policy`` are a reversal's,
    ``reference`` and ``amount`` a grant's. ``estimate`` is there once a run had to be cleared; it
    gives no more than ``ceiling`` in all and ``day_ceiling`` a UTC day. ``note`` is the last word
    about it: why it stands still, or ended.
    """

    run: str
    kind: RunKind
    state: RunState
    program: str | None
    version: int | None
    asset: str
    period: PeriodView
    as_of: datetime
    started_at: datetime
    started_by: str
    reason: str
    dry_run: bool
    holders: int
    reference: str | None
    amount: int | None
    target_run: str | None
    policy: Policy | None
    estimate: EstimateView | None
    ceiling: int | None
    day_ceiling: int | None
    approved_by: str | None
    finished_at: datetime | None
    note: str | None
    progress: ProgressView


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[RunView]
    cursor: str | None


class FailureView(msgspec.Struct, frozen=True, kw_only=True):
    """A holder whom a run has set aside, why, and when it tries again; null: never by itself."""

    holder: str | None
    attempts: int
    failed_at: datetime
    retry_at: datetime | None
    resolved_at: datetime | None
    code: str
    message: str


class FailurePage(msgspec.Struct, frozen=True, kw_only=True):
    """Holders set aside; ``cursor`` asks for those that follow, null at the end."""

    items: list[FailureView]
    cursor: str | None


class ExclusionView(msgspec.Struct, frozen=True, kw_only=True):
    """A holder whom a run has left out, and why; ``period`` is that of the holder's own cycle."""

    holder: str | None
    reason: str
    period: str | None


class ExclusionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Holders left out; ``cursor`` asks for those that follow, null at the end."""

    items: list[ExclusionView]
    cursor: str | None


class NewRunOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which period to run, the current one without; ``dry_run`` decides all and gives nothing."""

    period: Word | None = None
    dry_run: bool = False
    reason: Reason


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The total that was looked at, in minor units: the run gives no more."""

    total: int
    reason: Reason


class RevertOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of credit that has been spent since.

    ``debt`` takes it all and lets balances go below 0, ``clip`` takes what is there, ``net`` also
    withholds the rest from what the holder is given next.
    """

    policy: Policy
    reason: Reason


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """How many holders are tried again, and the run that does it."""

    retried: int
    run: RunView


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to give by hand, and to whom.

    What: a ``program``, which gives whoever qualifies now what it would give (or ``amount``), or
    an ``asset`` and an ``amount`` in minor units. To whom: ``holders`` by the app's ids,
    ``everybody``, or those to whom a ``run`` gave; exactly one of them.
    """

    program: Word | None = None
    asset: Word | None = None
    amount: int | None = None
    holders: Annotated[list[Word], msgspec.Meta(min_length=1, max_length=MAX_NAMED)] | None = None
    everybody: bool = False
    run: Word | None = None
    dry_run: bool = False
    reason: Reason


def run_id_of(name: str) -> RunId:
    """Read a run's name; raises `Missing` ``run_unknown`` for what names none."""
    match = _RUN.fullmatch(name)
    if match is None:
        raise Missing("run_unknown", "there is no such run; they are named run_7", run=name[:80])
    return RunId(int(match[1]))


def run_view(report: RunReport) -> RunView:
    """Show a run and its progress."""
    run, progress = report.run, report.progress
    return RunView(
        run=run.name,
        kind=run.kind,
        state=run.state,
        program=run.program,
        version=run.version,
        asset=run.asset,
        period=period_view(run.period),
        as_of=run.as_of,
        started_at=run.started_at,
        started_by=run.started_by,
        reason=run.reason,
        dry_run=run.dry_run,
        holders=run.holders,
        reference=run.reference,
        amount=run.amount,
        target_run=None if run.target_run is None else f"run_{run.target_run}",
        policy=run.policy,
        estimate=None if run.estimate is None else estimate_view(run.estimate),
        ceiling=run.ceiling,
        day_ceiling=run.day_ceiling,
        approved_by=run.approved_by,
        finished_at=run.finished_at,
        note=run.note,
        progress=ProgressView(
            chunks=progress.chunks,
            chunks_done=progress.chunks_done,
            awarded=progress.awarded,
            amount=progress.amount,
            failed=progress.failed,
            excluded=progress.excluded,
        ),
    )

"""Programs, their versions, previews and overrides, as they are answered."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from bursar.api.wire.text import Reason, Word
from bursar.ledger import MAX_BATCH
from bursar.programs.model import InForce, Period, Program, ProgramVersion
from bursar.programs.runs.model import Estimate

MAX_SHOWN = 1_000
"""Awards that a preview shows."""


class SwitchView(msgspec.Struct, frozen=True, kw_only=True):
    """Who last switched the program on or off, when and why."""

    at: datetime
    actor: str
    reason: str


class ProgramView(msgspec.Struct, frozen=True, kw_only=True):
    """A program as it stands.

    ``gives`` is false while it is retired, switched off or disabled in the economy file. Up to
    ``paid_until`` its periods are taken up; null before the first. ``author`` made the version.
    """

    program: str
    version: int
    gives: bool
    switched_off: bool
    switch: SwitchView | None
    retired_at: datetime | None
    starts_at: datetime
    paid_until: datetime | None
    author: str
    definition: Program


class ProgramList(msgspec.Struct, frozen=True, kw_only=True):
    """The programs in force, by name."""

    items: list[ProgramView]


class ProgramVersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a program, who made it, when and why."""

    version: int
    made_at: datetime
    actor: str
    reason: str
    definition: Program


class ProgramVersionList(msgspec.Struct, frozen=True, kw_only=True):
    """A program's versions, the newest first."""

    items: list[ProgramVersionView]


class SwitchTo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the program is to give, and why."""

    on: bool
    reason: Reason


class PreviewOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which period, by its key (the current one without), and whom (everybody without)."""

    period: Word | None = None
    holders: Annotated[list[Word], msgspec.Meta(min_length=1, max_length=MAX_BATCH)] | None = None


class PeriodView(msgspec.Struct, frozen=True, kw_only=True):
    """From ``start`` to before ``end``; ``partial`` if it is shorter than its schedule says."""

    key: str
    start: datetime
    end: datetime
    partial: bool


class EstimateView(msgspec.Struct, frozen=True, kw_only=True):
    """What it comes to: awards, their sum in minor units, failures, and by reason who not."""

    holders: int
    awards: int
    amount: int
    failed: int
    excluded: dict[str, int]


class PreviewAward(msgspec.Struct, frozen=True, kw_only=True):
    """What one holder would be given; ``why`` is what the entry would carry."""

    holder: str | None
    amount: int
    why: dict[str, Any]


class PreviewFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A holder for whom it could not be told, and what went wrong."""

    holder: str | None
    code: str
    message: str


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would come to now: the whole of it added up, the first 1,000 of each shown."""

    program: str
    period: PeriodView
    estimate: EstimateView
    awards: list[PreviewAward]
    failures: list[PreviewFailure]


class OverrideView(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for one holder alone; all null and not paused: the holder is as all others."""

    program: str
    holder: str
    amount: int | None
    refresh_day: int | None
    paused: bool


class NewOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be set for one holder alone; what is left out is not set."""

    amount: int | None = None
    refresh_day: int | None = None
    paused: bool = False
    reason: Reason


class Claimant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who claims, by the app's own id."""

    holder: Word


def program_view(found: InForce) -> ProgramView:
    """Show a program."""
    switch = found.switch
    return ProgramView(
        program=found.program.name,
        version=found.version,
        gives=found.gives,
        switched_off=found.switched_off,
        switch=None
        if switch is None
        else SwitchView(at=switch.at, actor=switch.actor, reason=switch.reason),
        retired_at=found.retired_at,
        starts_at=found.standing.starts_at,
        paid_until=found.standing.paid_until,
        author=found.author,
        definition=found.program,
    )


def version_view(found: ProgramVersion) -> ProgramVersionView:
    """Show a version of a program."""
    return ProgramVersionView(
        version=found.version,
        made_at=found.made_at,
        actor=found.actor,
        reason=found.reason,
        definition=found.program,
    )


def period_view(period: Period) -> PeriodView:
    """Show a period."""
    return PeriodView(key=period.key, start=period.start, end=period.end, partial=period.partial)


def estimate_view(found: Estimate) -> EstimateView:
    """Show an estimate."""
    return EstimateView(
        holders=found.holders,
        awards=found.awards,
        amount=found.amount,
        failed=found.failed,
        excluded=found.excluded,
    )

"""The words of programs: a program as the economy file defines it, its periods, its runs.

All amounts are whole minor units of the program's asset. Zones are IANA names, hours are
``HH:MM``.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal, NewType

import msgspec

from bursar.holders.model import Mark

RunId = NewType("RunId", int)

CatchUp = Literal["all", "latest", "skip"]
Rounding = Literal["down", "up", "nearest"]


class Calendar(
    msgspec.Struct, frozen=True, kw_only=True, tag="calendar", forbid_unknown_fields=True
):
    """Every month, week or day, for everybody at once (P1).

    ``day`` is 1–31 of a month, whose last day also serves the days it does not have, or 1–7 of a
    week that begins on Monday; a daily schedule has none.
    """

    every: Literal["month", "week", "day"]
    day: int = 1
    at: str = "00:00"
    zone: str = "UTC"


class Rolling(msgspec.Struct, frozen=True, kw_only=True, tag="rolling", forbid_unknown_fields=True):
    """Every ``days`` days for each holder, counted from the holder's anchor (P1).

    Occurrence n is anchor + n × interval, on the anchor's hour or ``at``, so that a late run never
    moves the next. The first is n = 1, or the anchor itself with ``at_once``. ``stagger`` puts the
    anchor back by a number of days that a hash of the holder's id chooses out of the whole cycle
    (H3). No award follows another by less than ``minimum_days``; one that could not be given when
    due may be until ``grace_days`` after the occurrence before it.
    """

    days: int
    days_by_tier: dict[str, int] = {}
    anchor: Literal["created", "subscription_start", "billing", "last_grant"] = "created"
    at_once: bool = False
    stagger: bool = False
    at: str | None = None
    zone: str = "UTC"
    minimum_days: int | None = None
    grace_days: int | None = None


class Streak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What keeps a streak of claims alive, and what it brings (P20–P23).

    Up to ``freezes`` missed days in any ``freeze_days`` days are forgiven without a word; a claim
    that is at most ``grace_days`` late continues the streak. ``milestones`` add to the amount of
    the claim that reaches a length.
    """

    freezes: int = 0
    freeze_days: int = 30
    grace_days: int = 0
    milestones: dict[int, int] = {}


class Claim(msgspec.Struct, frozen=True, kw_only=True, tag="claim", forbid_unknown_fields=True):
    """Once a day or week, if the holder asks (P1, P20).

    ``automatic`` claims for holders when the day is over, for those who logged in on it or for
    everybody (P22); with ``by_hand`` false nobody may ask.
    """

    every: Literal["day", "week"] = "day"
    zone: str = "UTC"
    automatic: Literal["no", "logged_in", "everybody"] = "no"
    by_hand: bool = True
    streak: Streak | None = None


class Once(msgspec.Struct, frozen=True, kw_only=True, tag="once", forbid_unknown_fields=True):
    """Once for each holder who joins after the program has begun: a signup bonus."""


Schedule = Calendar | Rolling | Claim | Once


class Amount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much (P3): exactly one of a fixed amount, a table by tier, a formula.

    ``otherwise`` is for tiers that the table lacks; without it they get nothing, and are told
    apart as ``no_amount``. A formula answers in minor units.
    """

    fixed: int | None = None
    by_tier: dict[str, int] | None = None
    otherwise: int | None = None
    formula: str | None = None


class Proration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the first period is shared out (P4): by whole days, the first included, or seconds."""

    by: Literal["days", "seconds"] = "days"
    rounding: Rounding = "down"


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an award carries (P11): when it expires, and how much of what is left rolls over.

    With ``rollover_cap``, what is left of this program's earlier awards beyond the cap expires
    when the next is given.
    """

    expires: Literal["period_end"] | None = None
    expires_days: int | None = None
    rollover_cap: int | None = None
    priority: int = 0
    notices: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Guard rails (P10): ceilings an award, a run and a UTC day; and what needs a second person."""

    award: int | None = None
    run: int | None = None
    day: int | None = None
    approve_above: int | None = None


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A standing rule that gives credit on a schedule or on a claim.

    ``who`` are conditions (CEL) by the reason under which those are counted who fail it, tried in
    order; an empty one is everybody. Of ``keep_reasons`` the excluded holders are kept as well.
    ``reference`` names an award of a period: ``{program}``, ``{period}`` and ``{date}``
    (YYYYMMDD of the period's first day) are filled in; programs that share it pay once between
    them. Without ``starts`` the first period is the first that begins after the program is applied.
    """

    name: str
    asset: str
    schedule: Schedule
    amount: Amount
    description: str = ""
    who: dict[str, str] = {}
    keep_reasons: tuple[str, ...] = ()
    reference: str = "{program}:{period}"
    starts: date | None = None
    proration: Proration | None = None
    on_tier_change: Literal["next_period", "difference_now"] = "next_period"
    catch_up: CatchUp = "latest"
    late_hours: int = 6
    terms: Terms = Terms()
    limits: Limits = Limits()
    enabled: bool = True
    dry_run: bool = False


class Period(msgspec.Struct, frozen=True):
    """From ``start`` to before ``end``; ``key`` is unique among the periods of one program.

    ``whole_days`` is the length, in days of the schedule's zone, of the regular period that this
    one is or is a part of: after a change of schedule the first is shorter.
    """

    key: str
    start: datetime
    end: datetime
    whole_days: int
    partial: bool = False


class RunKind(StrEnum):
    """What a run does."""

    SCHEDULED = "scheduled"
    """everybody, for a period that has begun"""
    JOINERS = "joiners"
    """those who joined or changed since, for the same period"""
    GRANT = "grant"
    """whom an operator named, for once"""
    REVERT = "revert"
    """takes back what another run gave"""


class RunState(StrEnum):
    """How a run stands."""

    WAITING = "waiting"
    """a second person must approve it"""
    RUNNING = "running"
    PAUSED = "paused"
    CANCELED = "canceled"
    """stopped for good; what it has given stays given"""
    FINISHED = "finished"
    REVERTING = "reverting"
    REVERTED = "reverted"
    SKIPPED = "skipped"
    """a period missed in a downtime, left out as the program's catch-up policy says (P9)"""


OPEN_STATES: Final = frozenset({RunState.WAITING, RunState.RUNNING, RunState.PAUSED})


class StandingOf(msgspec.Struct, frozen=True):
    """How far a program has come.

    Its first period is the one that contains ``starts_at``; up to ``paid_until`` its periods are
    taken up; changes of holders before ``news`` and beginnings until ``news_until`` are looked at.
    """

    starts_at: datetime
    paid_until: datetime | None
    news: Mark | None
    news_until: datetime | None


class Switch(msgspec.Struct, frozen=True):
    """Who last switched a program on or off, when and why (P10)."""

    at: datetime
    actor: str
    reason: str


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A program with its number, version and standing; ``author`` made the version."""

    program_id: int
    version: int
    program: Program
    standing: StandingOf
    switched_off: bool
    retired_at: datetime | None
    author: str
    switch: Switch | None = None

    @property
    def gives(self) -> bool:
        """Tell whether the program is neither retired nor off, by its switch or its definition."""
        return self.retired_at is None and not self.switched_off and self.program.enabled


class ProgramVersion(msgspec.Struct, frozen=True):
    """One version of a program."""

    version: int
    program: Program
    made_at: datetime
    actor: str
    reason: str


class Override(msgspec.Struct, frozen=True):
    """What an operator has set for one holder in one program (P3)."""

    amount: int | None = None
    refresh_day: int | None = None
    paused: bool = False


AS_ALL: Final = Override()
"""Nothing is set for this holder alone."""


AlertKind = Literal[
    "approval_needed",
    "awards_failing",
    "day_ceiling",
    "deliveries_parked",
    "dispatch_stuck",
    "duty_failing",
    "failures_of_the_day",
    "mail_server",
    "program_not_planned",
    "reminders_failing",
    "run_broken",
    "run_ceiling",
    "run_failing",
    "run_overflow",
    "template_error",
    "verify_failed",
    "webhook_behind",
    "webhook_forbidden",
    "webhook_gone",
    "webhook_secret",
]


class Alert(msgspec.Struct, frozen=True):
    """A matter for the operators; raised ``times`` times until resolved (P8)."""

    alert_id: int
    kind: str
    subject: str
    message: str
    times: int
    raised_at: datetime
    last_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


class Outage(msgspec.Struct, frozen=True):
    """A window in which holders could not act (P23)."""

    outage_id: int
    starts_at: datetime
    ends_at: datetime
    declared_at: datetime
    actor: str
    reason: str

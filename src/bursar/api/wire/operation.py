"""Alerts, outages, acts, checks and ticks, as they are asked for and answered."""

from datetime import datetime
from typing import Any

import msgspec

from bursar.api.wire.text import Reason
from bursar.operation.model import Verification
from bursar.programs.model import Alert, Outage
from bursar.programs.tick import TickReport
from bursar.trail.model import Act


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """Matters for the operators, the newest first; ``cursor`` is always null: resolve some."""

    items: list[Alert]
    cursor: str | None = None


class OutageList(msgspec.Struct, frozen=True, kw_only=True):
    """Every outage declared, the earliest first."""

    items: list[Outage]


class NewOutage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Between which instants holders could not act, at most 31 days apart, and why."""

    starts_at: datetime
    ends_at: datetime
    reason: Reason


class ActView(msgspec.Struct, frozen=True, kw_only=True):
    """One privileged act: who, what, to which one thing, why, and what it changed."""

    act_id: int
    acted_at: datetime
    actor: str
    act: str
    subject: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ActPage(msgspec.Struct, frozen=True, kw_only=True):
    """Acts, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[ActView]
    cursor: str | None


class VerificationView(msgspec.Struct, frozen=True, kw_only=True):
    """A check of the books; ``sound`` once it has ended and found nothing.

    ``found`` counts the rows that disagree with the entries; ``unverifiable`` are entries under a
    key that this server does not have. ``seen_at`` is its last sign of life.
    """

    verification: int
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    sound: bool
    wallets: int
    entries: int
    unverifiable: int
    found: int
    part: bool
    actor: str
    reason: str


class VerificationList(msgspec.Struct, frozen=True, kw_only=True):
    """The latest checks of the books, the newest first."""

    items: list[VerificationView]


class Ticked(msgspec.Struct, frozen=True, kw_only=True):
    """What a tick has made: runs begun, runs that wait for a person, holders tried again."""

    begun: list[str]
    waiting: list[str]
    retried: int
    more: bool


def act_view(act: Act) -> ActView:
    """Show an act."""
    return ActView(**{name: getattr(act, name) for name in ActView.__struct_fields__})


def verification_view(found: Verification) -> VerificationView:
    """Show a check."""
    shared = set(VerificationView.__struct_fields__) - {"verification", "sound"}
    return VerificationView(
        verification=found.verification_id,
        sound=found.sound,
        **{name: getattr(found, name) for name in shared},
    )


def ticked(report: TickReport) -> Ticked:
    """Show what a tick has made."""
    return Ticked(
        begun=[f"run_{run}" for run in report.begun],
        waiting=[f"run_{run}" for run in report.waiting],
        retried=report.retried,
        more=report.more,
    )

"""The economy file, its versions and its clock, as they are asked for and answered."""

from datetime import datetime

import msgspec

from bursar.api.wire.text import Reason
from bursar.economy.model import Clock, Version, VersionState


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One text that was handed in, but for the text itself.

    ``applied_at`` is null while nothing of it was in force; ``decided_by`` approved or refused it.
    """

    version: int
    name: str
    sha256: str
    state: VersionState
    made_at: datetime
    actor: str
    reason: str
    applied_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None


class EconomyView(VersionView, frozen=True, kw_only=True):
    """A version with its text, TOML as it was handed in."""

    text: str


class VersionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Versions, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[VersionView]
    cursor: str | None


class PlanOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An economy file; ``rename`` allows it another name than the books have.

    Without ``costs`` it is not told what the next periods would cost, which looks at every holder.
    """

    text: str
    rename: bool = False
    costs: bool = True


class ApplyOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An economy file; with ``expect``, a plan's ``hash``, only what that plan showed is done."""

    text: str
    expect: str | None = None
    rename: bool = False
    reason: Reason


class AppliedView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: its version, and whether it was there before.

    A version in state ``waiting`` raises a limit: nothing of it is in force until another person
    approves it.
    """

    unchanged: bool
    version: VersionView


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """The economy's clock: ``offset_s`` is how many seconds a sandbox has been moved ahead."""

    now: datetime
    offset_s: int
    sandbox: bool


class MoveOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to: an instant with a zone, or by how many seconds; exactly one of them."""

    to: datetime | None = None
    by_s: int | None = None
    reason: Reason


def version_view(found: Version) -> VersionView:
    """Show a version without its text."""
    return VersionView(**{name: getattr(found, name) for name in VersionView.__struct_fields__})


def economy_view(found: Version) -> EconomyView:
    """Show a version with its text."""
    return EconomyView(**{name: getattr(found, name) for name in EconomyView.__struct_fields__})


def clock_view(found: Clock) -> ClockView:
    """Show the clock."""
    return ClockView(
        now=found.now, offset_s=int(found.offset.total_seconds()), sandbox=found.sandbox
    )

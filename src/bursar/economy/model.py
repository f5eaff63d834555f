"""The words of the economy file: what it says, what a plan says of it, its versions.

Amounts are minor units; a scale is decimal places.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

import msgspec

from bursar.notices.model import NoticeSettings
from bursar.programs.model import Program

MAX_FILE: Final = 1_000_000
"""Bytes of an economy file."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a file: where, with which key, and how."""

    line: int
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.line}: {self.key}: {self.text}" if self.key else f"{self.line}: {self.text}"


class Economy(msgspec.Struct, frozen=True, kw_only=True):
    """What an economy file says (I7). ``assets`` are scales by code."""

    name: str
    time_zone: str = "UTC"
    sandbox: bool = False
    assets: dict[str, int] = {}
    programs: dict[str, Program] = {}
    notices: NoticeSettings = NoticeSettings()


class Difference(msgspec.Struct, frozen=True):
    """A field that changes, as words; a side that has none is empty."""

    field: str
    before: str
    after: str


class Change(msgspec.Struct, frozen=True):
    """One thing that a version adds, changes or removes, and what comes of it."""

    what: Literal["economy", "asset", "program", "notices"]
    name: str
    action: Literal["added", "changed", "removed"]
    effect: str
    differences: tuple[Difference, ...] = ()


class Cost(msgspec.Struct, frozen=True):
    """What the next period of a program would cost with the holders of today.

    For ``failed`` holders it could not be told; ``excluded`` counts the others by reason.
    """

    program: str
    asset: str
    awards: int
    amount: int
    failed: int
    excluded: dict[str, int]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a text if it were applied on the version in force.

    ``hash`` names this text on that version: whoever applies with it gets what was shown or a
    conflict. ``raises`` are the limits that it raises; a second person must then approve (P10).
    """

    hash: str
    base: int
    name: str
    changes: tuple[Change, ...]
    raises: tuple[str, ...]
    costs: tuple[Cost, ...]


class VersionState(StrEnum):
    """How a version stands."""

    APPLIED = "applied"
    """in force, or once was"""
    WAITING = "waiting"
    """a second person must approve it, nothing of it is in force"""
    REFUSED = "refused"
    """not approved, or overtaken by a later one"""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One text that was handed in. ``applied_at`` is None while nothing of it was in force."""

    version: int
    name: str
    text: str
    sha256: str
    state: VersionState
    made_at: datetime
    actor: str
    reason: str
    applied_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class Applied(msgspec.Struct, frozen=True):
    """What became of a text: its version, and whether it was there before."""

    version: Version
    unchanged: bool


class Clock(msgspec.Struct, frozen=True):
    """The economy's clock: ``offset`` is how far a sandbox has been moved ahead (O4)."""

    now: datetime
    offset: timedelta
    sandbox: bool

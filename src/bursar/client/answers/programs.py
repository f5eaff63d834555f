"""Programs, runs, grants, the economy file."""

from datetime import datetime
from typing import Any

import msgspec


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A standing rule that gives credit; ``definition`` is what the economy file says of it."""

    name: str
    asset: str = ""
    version: int = 0
    description: str = ""
    switched_off: bool = False
    retired_at: datetime | None = None
    definition: dict[str, Any] = {}


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """Programs, by name."""

    items: list[Program]


class ProgramVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a program."""

    version: int
    made_at: datetime
    actor: str
    reason: str


class ProgramVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of a program."""

    items: list[ProgramVersion]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for one holder in one program; nothing set is as all others."""

    amount: int | None = None
    refresh_day: int | None = None
    paused: bool = False


class PreviewAward(msgspec.Struct, frozen=True, kw_only=True):
    """What one holder would be given, and why."""

    holder: str | None = None
    amount: int = 0
    why: str = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would come to; nothing is written."""

    awarded: int = 0
    amount: int = 0
    failed: int = 0
    excluded: dict[str, int] = {}
    awards: list[PreviewAward] = []


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a program or a grant; workers do it, so it may be ``running`` for a time."""

    run: str
    state: str
    kind: str = ""
    program: str | None = None
    asset: str = ""
    period: str | None = None
    awarded: int = 0
    amount: int = 0
    failed: int = 0
    chunks: int = 0
    chunks_done: int = 0
    excluded: dict[str, int] = {}
    dry_run: bool = False
    started_at: datetime | None = None
    started_by: str = ""
    finished_at: datetime | None = None
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Say whether nothing more comes of it."""
        return self.state in ("finished", "canceled", "reverted", "skipped")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A holder whom a run has set aside, and when it tries again."""

    code: str
    message: str
    holder: str | None = None
    attempts: int = 0
    failed_at: datetime | None = None
    retry_at: datetime | None = None
    resolved_at: datetime | None = None


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A holder whom a run has left out, and why."""

    reason: str
    holder: str | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One text of the economy file that was handed in."""

    version: int
    name: str
    state: str
    text: str = ""
    sha256: str = ""
    made_at: datetime | None = None
    actor: str = ""
    reason: str = ""
    applied_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that changes, as words."""

    field: str
    before: str
    after: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a version adds, changes or removes, and what comes of it."""

    what: str
    name: str
    action: str
    effect: str = ""
    differences: list[Difference] = []


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the next period of a program would cost with the holders of today."""

    program: str
    asset: str
    awards: int
    amount: int
    failed: int = 0
    excluded: dict[str, int] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a text; apply with ``expect=plan.hash`` to get just that."""

    hash: str
    base: int
    name: str
    changes: list[Change] = []
    raises: list[str] = []
    costs: list[Cost] = []


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a text: its version, and whether it was there before."""

    version: Version
    unchanged: bool = False


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The economy's clock; a sandbox's may have been moved ahead."""

    now: datetime
    sandbox: bool = False

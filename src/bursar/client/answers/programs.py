"""Programs, runs, grants, the economy file."""

from datetime import datetime
from typing import Any

import msgspec


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """Who last switched a program on or off, when and why."""

    at: datetime
    actor: str
    reason: str


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A standing rule that gives credit; ``definition`` is what the economy file says of it.

    ``gives`` is false while it is retired, switched off or disabled.
    """

    program: str
    version: int
    gives: bool = True
    switched_off: bool = False
    switch: Switch | None = None
    retired_at: datetime | None = None
    starts_at: datetime | None = None
    paid_until: datetime | None = None
    author: str = ""
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
    definition: dict[str, Any] = {}


class ProgramVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of a program."""

    items: list[ProgramVersion]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for one holder in one program; nothing set is as all others.

    ``etag`` is for changing it only if nobody else has since.
    """

    amount: int | None = None
    refresh_day: int | None = None
    paused: bool = False
    etag: str | None = None


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """From ``start`` to before ``end``; ``partial`` if it is shorter than its schedule says."""

    key: str
    start: datetime
    end: datetime
    partial: bool = False


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a run comes to: awards, their sum, failures, and by reason who is left out."""

    holders: int
    awards: int
    amount: int
    failed: int = 0
    excluded: dict[str, int] = {}


class PreviewAward(msgspec.Struct, frozen=True, kw_only=True):
    """What one holder would be given, and why; an erased holder has no name."""

    amount: int
    holder: str | None = None
    why: dict[str, Any] = {}


class PreviewFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A holder for whom it could not be told."""

    code: str
    message: str
    holder: str | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would come to; nothing is written. Of awards and failures the first are shown."""

    program: str
    period: Period
    estimate: Estimate
    awards: list[PreviewAward] = []
    failures: list[PreviewFailure] = []


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has come to so far; ``failed`` are those still set aside."""

    chunks: int
    chunks_done: int
    awarded: int
    amount: int
    failed: int = 0
    excluded: dict[str, int] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a program or a grant; workers do it, so it may be ``running`` for a time."""

    run: str
    kind: str
    state: str
    asset: str
    progress: Progress
    program: str | None = None
    version: int | None = None
    period: Period | None = None
    as_of: datetime | None = None
    started_at: datetime | None = None
    started_by: str = ""
    reason: str = ""
    dry_run: bool = False
    holders: int = 0
    reference: str | None = None
    amount: int | None = None
    target_run: str | None = None
    policy: str | None = None
    estimate: Estimate | None = None
    ceiling: int | None = None
    day_ceiling: int | None = None
    approved_by: str | None = None
    finished_at: datetime | None = None
    note: str | None = None

    @property
    def ended(self) -> bool:
        """Say whether nothing more comes of it by itself."""
        return self.state in ("finished", "canceled", "reverted", "skipped")


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """How many holders are tried again, and the run that does it."""

    retried: int
    run: Run


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
    """A holder whom a run has left out, and why; ``period`` is that of the holder's own cycle."""

    reason: str
    holder: str | None = None
    period: str | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One text of the economy file that was handed in, but for the text itself."""

    version: int
    name: str
    state: str
    sha256: str = ""
    made_at: datetime | None = None
    actor: str = ""
    reason: str = ""
    applied_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class VersionText(Version, frozen=True, kw_only=True):
    """A version with its text; ``etag``, of the one in force, is for applying upon it."""

    text: str
    etag: str | None = None


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
    """The economy's clock; a sandbox's has been moved ahead by ``offset_s`` seconds."""

    now: datetime
    offset_s: int = 0
    sandbox: bool = False

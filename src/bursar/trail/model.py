"""The words of the audit trail: an act, and which acts are looked for. Pure."""

from datetime import datetime
from typing import Any

import msgspec


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One privileged act.

    ``act`` is what was done, as ``thing.verb``; ``subject`` the one thing it was done to, by its
    text form (``run_7``, a program's name, a key's id). ``before`` and ``after`` are what it
    changed, never a secret and never personal data.
    """

    act_id: int
    acted_at: datetime
    actor: str
    act: str
    subject: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which acts of a list; None means all. ``act`` may end in ``.*``, as in ``run.*``."""

    actor: str | None = None
    act: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

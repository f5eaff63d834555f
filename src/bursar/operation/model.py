"""The words of operation: checks of the books, what was forgotten. Pure (O2)."""

from datetime import datetime
from typing import Final, Literal

import msgspec

Forgettable = Literal["failures", "exclusions", "alerts", "verifications"]

FORGETTABLE: Final[tuple[Forgettable, ...]] = (
    "failures",
    "exclusions",
    "alerts",
    "verifications",
)
"""Resolved failures, exclusions of ended runs, closed alerts, checks but for the last."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the books; ``part`` if only some wallets. Times are the world's."""

    verification_id: int
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    wallets: int
    entries: int
    unverifiable: int
    found: int
    part: bool
    actor: str
    reason: str

    @property
    def sound(self) -> bool:
        """Say whether it came to its end and found nothing."""
        return self.ended_at is not None and self.found == 0


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of each kind are, or would be, forgotten."""

    failures: int = 0
    exclusions: int = 0
    alerts: int = 0
    verifications: int = 0

    @property
    def total(self) -> int:
        """Add them up."""
        return self.failures + self.exclusions + self.alerts + self.verifications

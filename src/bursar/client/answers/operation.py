"""Running it: health, alerts, outages, the audit trail, verification."""

from datetime import datetime
from typing import Any

import msgspec


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """``ok``, or why not."""

    status: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A matter for the operators; raised ``times`` times until resolved."""

    alert_id: int
    kind: str
    subject: str
    message: str
    times: int = 1
    raised_at: datetime | None = None
    last_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts."""

    items: list[Alert]


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A window in which holders could not act."""

    starts_at: datetime
    ends_at: datetime
    outage_id: int = 0
    actor: str = ""
    reason: str = ""


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """Outages."""

    items: list[Outage]


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One privileged act: who did what to what, when and why."""

    act_id: int
    acted_at: datetime
    actor: str
    act: str
    subject: str
    reason: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a declaration did: wallets and holds given more time, lots given back."""

    outage_id: int
    extended: int = 0
    given_back: int = 0
    amount: int = 0


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """A check of the books; ``sound`` once it has ended and found nothing."""

    verification: int
    began_at: datetime
    ended_at: datetime | None
    sound: bool
    found: int
    wallets: int = 0
    entries: int = 0
    unverifiable: int = 0
    part: bool = False
    seen_at: datetime | None = None
    actor: str = ""
    reason: str = ""


class Verifications(msgspec.Struct, frozen=True, kw_only=True):
    """Checks of the books, the newest first."""

    items: list[Verification]


class Ticked(msgspec.Struct, frozen=True, kw_only=True):
    """What a tick has made: runs begun, runs that wait for a person, holders tried again."""

    begun: list[str] = []
    waiting: list[str] = []
    retried: int = 0
    more: bool = False

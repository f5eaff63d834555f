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


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How a verification of the books stands, or how it ended."""

    state: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    findings: int | None = None

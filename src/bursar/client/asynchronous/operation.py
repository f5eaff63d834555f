"""Running it: health, alerts, outages, the audit trail, verification."""

from datetime import datetime
from typing import Any

from bursar.client.answers.operation import (
    Act,
    Alert,
    Alerts,
    Health,
    Outage,
    Outages,
    Verification,
)
from bursar.client.asking import Ask, said
from bursar.client.asynchronous.connection import Connection
from bursar.client.asynchronous.pages import PAGE_SIZE, Pages


class AuditCalls:
    """Who did what, when and why."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def acts(
        self,
        *,
        actor: str | None = None,
        act: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Act]:
        """List privileged acts, the newest first; ``act`` may end in ``.*``, as in ``run.*``."""
        return Pages(
            self._connection,
            Act,
            "audit",
            query={
                "actor": actor,
                "act": act,
                "subject": subject,
                "since": since,
                "until": until,
            },
            page_size=page_size,
            cursor=cursor,
        )


class OperationCalls:
    """The operator's desk."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def live(self) -> Health:
        """Tell whether the process answers."""
        return await self._connection.send(Health, Ask(method="GET", path="/health/live"))

    async def ready(self) -> Health:
        """Tell whether requests can be served; raises `Unavailable`."""
        return await self._connection.send(Health, Ask(method="GET", path="/health/ready"))

    async def alerts(self) -> list[Alert]:
        """List what waits for an operator."""
        return (await self._connection.get(Alerts, "alerts")).items

    async def resolve_alert(self, alert_id: int, *, reason: str) -> Alert:
        """Say that a matter is settled."""
        body = {"reason": reason}
        return await self._connection.post(
            Alert, "alerts", alert_id, "resolve", body=body, safe=False
        )

    async def outages(self) -> list[Outage]:
        """List windows in which holders could not act."""
        return (await self._connection.get(Outages, "outages")).items

    async def declare_outage(
        self, starts_at: datetime, ends_at: datetime, *, reason: str
    ) -> Outage:
        """Declare a window in which holders could not act."""
        body = said(starts_at=starts_at, ends_at=ends_at, reason=reason)
        return await self._connection.post(Outage, "outages", body=body, safe=False)

    async def verification(self) -> Verification:
        """Tell how the last verification of the books ended, or how it stands."""
        return await self._connection.get(Verification, "verification")

    async def verify(self) -> Verification:
        """Start a verification of the books."""
        return await self._connection.post(Verification, "verification", body={}, safe=False)

    async def tick(self) -> dict[str, Any]:
        """Begin what is due, as a worker does by itself."""
        return await self._connection.post(dict[str, Any], "tick", body={})

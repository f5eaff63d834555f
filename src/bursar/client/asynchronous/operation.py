"""Running it: health, alerts, outages, the audit trail, verification."""

from datetime import datetime

from bursar.client.answers.operation import (
    Act,
    Alert,
    Alerts,
    Declared,
    Health,
    Outage,
    Outages,
    Ticked,
    Verification,
    Verifications,
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

    async def alerts(self, *, resolved: bool = False, limit: int = 100) -> list[Alert]:
        """List what waits for an operator; with ``resolved`` the others too."""
        query = {"resolved": resolved, "limit": limit}
        return (await self._connection.get(Alerts, "alerts", query=query)).items

    async def resolve_alert(self, alert_id: int, *, reason: str) -> None:
        """Say that a matter is settled; if it comes up again it is a new one."""
        body = {"reason": reason}
        path = ("alerts", alert_id, "resolve")
        await self._connection.post(type(None), *path, body=body, safe=False)

    async def outages(self) -> list[Outage]:
        """List windows in which holders could not act."""
        return (await self._connection.get(Outages, "outages")).items

    async def declare_outage(
        self, starts_at: datetime, ends_at: datetime, *, reason: str
    ) -> Declared:
        """Declare that holders could not act between two instants, and make it good to them.

        The same again is safe: nothing is given back twice.
        """
        body = said(starts_at=starts_at, ends_at=ends_at, reason=reason)
        return await self._connection.post(Declared, "outages", body=body)

    async def verifications(self, *, limit: int = 1) -> list[Verification]:
        """Show the latest check of the books; with ``limit`` those before it too."""
        query = {"limit": limit}
        return (await self._connection.get(Verifications, "verification", query=query)).items

    async def verify(self, *, reason: str) -> Verification:
        """Start a check of all the books; `verifications` tells what has come of it."""
        body = {"reason": reason}
        return await self._connection.post(Verification, "verification", body=body, safe=False)

    async def tick(self) -> Ticked:
        """Make what is due now into runs, as a worker does by itself; workers do the runs."""
        return await self._connection.post(Ticked, "tick", body={})

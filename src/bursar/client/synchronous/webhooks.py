"""Where machines are told."""

from collections.abc import Sequence
from datetime import datetime

from bursar.client.answers.notices import (
    NewWebhook,
    Pinged,
    Removed,
    Replayed,
    Resealed,
    Webhook,
    Webhooks,
)
from bursar.client.asking import said
from bursar.client.synchronous.connection import Connection


class WebhookCalls:
    """Webhooks. One that is added or rotated is not asked for twice: its secret is told once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Webhook]:
        """List the webhooks, without their secrets."""
        return (self._connection.get(Webhooks, "webhooks")).items

    def get(self, webhook_id: int) -> Webhook:
        """Show a webhook."""
        return self._connection.get(Webhook, "webhooks", webhook_id)

    def add(
        self, url: str, *, reason: str, kinds: Sequence[str] = (), description: str = ""
    ) -> NewWebhook:
        """Add a webhook; no kinds are all kinds.

        Where no answer comes it may be there: list the webhooks, and rotate its secret.
        """
        body = {"url": url, "kinds": kinds, "description": description, "reason": reason}
        return self._connection.post(NewWebhook, "webhooks", body=body, safe=False)

    def change(
        self,
        webhook_id: int,
        *,
        reason: str,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        description: str | None = None,
        on: bool | None = None,
        if_match: str | None = None,
    ) -> Webhook:
        """Change what is named; the secret stays, and what is made while it is off waits.

        With ``if_match``, a webhook's ``etag``, only if nobody has changed it since.
        """
        body = said(url=url, kinds=kinds, description=description, on=on, reason=reason)
        return self._connection.patch(
            Webhook, "webhooks", webhook_id, body=body, if_match=if_match, safe=if_match is None
        )

    def remove(self, webhook_id: int, *, reason: str) -> int:
        """Remove a webhook for good; how many deliveries waited for it, and are dropped."""
        query = {"reason": reason}
        return (self._connection.delete(Removed, "webhooks", webhook_id, query=query)).dropped

    def rotate(self, webhook_id: int, *, reason: str, overlap_hours: int = 24) -> NewWebhook:
        """Give a webhook a new secret; for ``overlap_hours`` the old one signs as well."""
        body = {"overlap_hours": overlap_hours, "reason": reason}
        path = ("webhooks", webhook_id, "rotate")
        return self._connection.post(NewWebhook, *path, body=body, safe=False)

    def reseal(self, *, reason: str) -> int:
        """Seal all secrets with the first of the server's keys; of how many webhooks."""
        path = ("webhooks", "reseal")
        answer = self._connection.post(Resealed, *path, body={"reason": reason}, safe=False)
        return answer.resealed

    def ping(self, webhook_id: int, *, reason: str) -> Pinged:
        """Send a ping at once, and tell what was answered; that may take 15 seconds."""
        path = ("webhooks", webhook_id, "ping")
        return self._connection.post(Pinged, *path, body={"reason": reason}, safe=False)

    def replay(
        self,
        webhook_id: int,
        since: datetime,
        until: datetime,
        *,
        reason: str,
        kinds: Sequence[str] = (),
        states: Sequence[str] | None = None,
    ) -> int:
        """Send again what was made for it from ``since`` to before ``until``; how many.

        ``states`` are some of ``sent``, ``parked``, ``dropped`` and ``failing``; all without.
        """
        body = said(since=since, until=until, kinds=kinds, states=states, reason=reason)
        path = ("webhooks", webhook_id, "replay")
        return (self._connection.post(Replayed, *path, body=body, safe=False)).replayed

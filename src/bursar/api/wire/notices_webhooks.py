"""Webhooks as they are asked and answered; a secret is answered once, where it is made (N3)."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from bursar.access import Caller, Scope
from bursar.api.wire.notices import NoticeKind
from bursar.api.wire.text import Reason
from bursar.notices.model import Outcome
from bursar.notices.sending.model import Replayable
from bursar.notices.sending.service import REPLAYABLE
from bursar.notices.webhooks.address import MAX_URL, parse_url
from bursar.notices.webhooks.examine import MAX_DESCRIPTION, MAX_OVERLAP_HOURS
from bursar.notices.webhooks.model import Endpoint, EndpointState, NewSecret

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_URL)]
Description = Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION)]


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a machine listens, without its secret.

    No kinds are all kinds. Of ``url`` the query is shown to admins alone. ``why`` says why it is
    off: an ``operator`` switched it off, or it answered 410 and is ``gone``. Until ``old_until``
    the secret before the last rotation signs as well.
    """

    webhook_id: int
    url: str
    description: str
    kinds: list[NoticeKind]
    on: bool
    why: str
    made_at: datetime
    changed_at: datetime
    old_until: datetime | None


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """The webhooks that there are, the oldest first; there are 100 at most."""

    items: list[WebhookView]


class WebhookWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a machine listens, and for which kinds; none are all."""

    url: Url
    kinds: list[NoticeKind] = []
    description: Description = ""
    reason: Reason


class WebhookFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a webhook; what is left out stays."""

    url: Url | None = None
    kinds: list[NoticeKind] | None = None
    description: Description | None = None
    on: bool | None = None
    reason: Reason


class WebhookMade(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and its secret, which is told this once."""

    webhook: WebhookView
    secret: str


class SecretRotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many hours the old secret signs beside the new one; 0 is not at all."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=MAX_OVERLAP_HOURS)] = 24
    reason: Reason


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many webhooks the secrets are sealed with the first key now."""

    resealed: int


class WebhookRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries waited for it, and are dropped."""

    dropped: int


class PingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a ping; ``status`` is what it answered, null if it did not."""

    outcome: Literal["sent", "failed", "refused", "bounced", "dropped"]
    status: int | None
    detail: str


class ReplayOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries are to be sent again: those made from ``since`` to before ``until``.

    No kinds are all kinds. What is ``failing`` waits for its next try, and is sent at once; what
    waits for its first is left as it is.
    """

    since: datetime
    until: datetime
    kinds: list[NoticeKind] = []
    states: Annotated[tuple[Replayable, ...], msgspec.Meta(min_length=1)] = REPLAYABLE
    reason: Reason


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are sent again."""

    replayed: int


def webhook_view(found: Endpoint, caller: Caller) -> WebhookView:
    """Show a webhook to whoever asks: what is in a query may be a secret of its own."""
    whole = Scope.ADMIN in caller.scopes
    return WebhookView(
        webhook_id=found.endpoint_id,
        url=found.url if whole else parse_url(found.url).told,
        description=found.description,
        kinds=[NoticeKind(kind) for kind in found.kinds],
        on=found.state is EndpointState.ON,
        why=found.why,
        made_at=found.made_at,
        changed_at=found.changed_at,
        old_until=found.old_until,
    )


def webhook_made(made: NewSecret, caller: Caller) -> WebhookMade:
    """Show a webhook that was just added, or given a new secret."""
    return WebhookMade(webhook=webhook_view(made.endpoint, caller), secret=made.secret)


def ping_answer(outcome: Outcome) -> PingAnswer:
    """Show what came of a ping."""
    return PingAnswer(outcome=outcome.outcome, status=outcome.status, detail=outcome.detail)

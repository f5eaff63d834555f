"""Webhooks: where machines listen, their secrets, and what is sent there again (N3)."""

from typing import Final

from litestar import Response, delete, get, patch, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from bursar.api.call import Call
from bursar.api.etags import etag, if_match
from bursar.api.numbers import known
from bursar.api.scopes import ADMINS, OPERATORS, READERS
from bursar.api.wire.notices_webhooks import (
    PingAnswer,
    Replayed,
    ReplayOf,
    Resealed,
    SecretRotation,
    WebhookFields,
    WebhookList,
    WebhookMade,
    WebhookRemoved,
    WebhookView,
    WebhookWanted,
    ping_answer,
    webhook_made,
    webhook_view,
)
from bursar.api.wire.text import Because, QueryReason
from bursar.notices.model import Kind
from bursar.notices.webhooks.model import Endpoint, mark_of

_WEBHOOK: Final = "/v1/webhooks/{webhook:int}"
_TAGGED: Final = {"ETag": "The webhook as it is now, for `If-Match`."}


@get("/v1/webhooks", opt={"scopes": READERS, "rejected": True}, tags=["Webhooks"])
async def list_webhooks(request: Call) -> WebhookList:
    """List the webhooks, the oldest first."""
    found = await request.services.notices.endpoints.list()
    return WebhookList(items=[webhook_view(one, request.caller) for one in found])


@post("/v1/webhooks", opt={"scopes": ADMINS}, tags=["Webhooks"])
async def add_webhook(request: Call, data: JSONBody[WebhookWanted]) -> WebhookMade:
    """Add a webhook, which is on; its secret is told this once.

    The same URL again is refused (`webhook_exists`), so that nothing is told twice: who gets no
    answer lists the webhooks, and rotates the secret of what is there.
    """
    made = await request.services.notices.endpoints.add(
        data.url, data.kinds, data.description, actor=request.caller.actor, reason=data.reason
    )
    return webhook_made(made, request.caller)


@get(_WEBHOOK, opt={"scopes": READERS, "headers": _TAGGED, "rejected": True}, tags=["Webhooks"])
async def show_webhook(request: Call, webhook: FromPath[int]) -> Response[WebhookView]:
    """Show a webhook; its `ETag` is for changing it."""
    found = await request.services.notices.endpoints.get(known(webhook))
    return _shown(request, found)


@patch(_WEBHOOK, opt={"scopes": ADMINS, "headers": _TAGGED}, tags=["Webhooks"])
async def change_webhook(
    request: Call, webhook: FromPath[int], data: JSONBody[WebhookFields]
) -> Response[WebhookView]:
    """Change what is named of a webhook; its secret stays.

    What is made while it is off waits, and is sent when it is on again. With `If-Match` only if
    nobody has changed it since it was read, else 412 `webhook_moved`.
    """
    found = await request.services.notices.endpoints.change(
        known(webhook),
        url=data.url,
        kinds=data.kinds,
        description=data.description,
        on=data.on,
        expect=if_match(request.headers),
        actor=request.caller.actor,
        reason=data.reason,
    )
    return _shown(request, found)


@delete(_WEBHOOK, opt={"scopes": ADMINS}, tags=["Webhooks"], status_code=200)
async def remove_webhook(
    request: Call, webhook: FromPath[int], reason: QueryReason
) -> WebhookRemoved:
    """Remove a webhook for good; what waits for it is dropped. Again is no error."""
    dropped = await request.services.notices.endpoints.remove(
        known(webhook), actor=request.caller.actor, reason=reason
    )
    return WebhookRemoved(dropped=dropped)


@post(_WEBHOOK + "/rotate", opt={"scopes": ADMINS}, tags=["Webhooks"], status_code=200)
async def rotate_webhook(
    request: Call, webhook: FromPath[int], data: JSONBody[SecretRotation]
) -> WebhookMade:
    """Give a webhook a new secret, told this once; for the overlap the old one signs as well."""
    made = await request.services.notices.endpoints.rotate(
        known(webhook), data.overlap_hours, actor=request.caller.actor, reason=data.reason
    )
    return webhook_made(made, request.caller)


@post("/v1/webhooks/reseal", opt={"scopes": ADMINS}, tags=["Webhooks"], status_code=200)
async def reseal_webhooks(request: Call, data: JSONBody[Because]) -> Resealed:
    """Seal all secrets with the first of the keys; they stay what they are.

    Then the keys after it may go. If one cannot be read, none is changed.
    """
    resealed = await request.services.notices.endpoints.reseal(
        actor=request.caller.actor, reason=data.reason
    )
    return Resealed(resealed=resealed)


@post(_WEBHOOK + "/ping", opt={"scopes": OPERATORS}, tags=["Webhooks"], status_code=200)
async def ping_webhook(
    request: Call, webhook: FromPath[int], data: JSONBody[Because]
) -> PingAnswer:
    """Send a `ping` at once, also to one that is off, and tell what it answered within 15 s."""
    outcome = await request.services.notices.ping(
        known(webhook), actor=request.caller.actor, reason=data.reason
    )
    return ping_answer(outcome)


@post(_WEBHOOK + "/replay", opt={"scopes": OPERATORS}, tags=["Webhooks"], status_code=200)
async def replay_webhook(
    request: Call, webhook: FromPath[int], data: JSONBody[ReplayOf]
) -> Replayed:
    """Send a webhook again what was made for it in a span of time, with the same ids."""
    replayed = await request.services.notices.deliveries.replay_range(
        known(webhook),
        data.since,
        data.until,
        kinds=[Kind(kind) for kind in data.kinds],
        states=data.states,
        actor=request.caller.actor,
        reason=data.reason,
    )
    return Replayed(replayed=replayed)


def _shown(request: Call, found: Endpoint) -> Response[WebhookView]:
    view = webhook_view(found, request.caller)
    return Response(view, headers={"etag": etag(mark_of(found))})


ROUTES: Final[list[BaseRouteHandler]] = [
    list_webhooks,
    add_webhook,
    show_webhook,
    change_webhook,
    remove_webhook,
    rotate_webhook,
    reseal_webhooks,
    ping_webhook,
    replay_webhook,
]

"""The endpoints, one file a subject; each translates, and asks a capability."""

from typing import Final

from litestar.handlers import BaseRouteHandler

from bursar.api.routes import (
    access,
    assets,
    economy,
    grants,
    holders,
    holds,
    inbox_events,
    mine,
    notices,
    notices_holders,
    notices_mine,
    notices_sending,
    notices_unsubscribe,
    notices_webhooks,
    operation,
    postings,
    programs,
    reference,
    runs,
    system,
    wallets,
)

ROUTES: Final[list[BaseRouteHandler]] = [
    *system.ROUTES,
    *assets.ROUTES,
    *postings.ROUTES,
    *holders.ROUTES,
    *wallets.ROUTES,
    *holds.ROUTES,
    *mine.ROUTES,
    *notices_mine.ROUTES,
    *inbox_events.ROUTES,
    *programs.ROUTES,
    *runs.ROUTES,
    *grants.ROUTES,
    *notices.ROUTES,
    *notices_holders.ROUTES,
    *notices_unsubscribe.ROUTES,
    *notices_webhooks.ROUTES,
    *notices_sending.ROUTES,
    *economy.ROUTES,
    *operation.ROUTES,
    *access.ROUTES,
    *reference.ROUTES,
]

"""The endpoints, one file a subject; each translates, and asks a capability."""

from typing import Final

from litestar.handlers import BaseRouteHandler

from bursar.api.routes import (
    assets,
    economy,
    grants,
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
    *wallets.ROUTES,
    *programs.ROUTES,
    *runs.ROUTES,
    *grants.ROUTES,
    *economy.ROUTES,
    *operation.ROUTES,
    *reference.ROUTES,
]

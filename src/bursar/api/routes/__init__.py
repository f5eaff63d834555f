"""The endpoints, one file a subject; each translates, and asks a capability."""

from typing import Final

from litestar.handlers import BaseRouteHandler

from bursar.api.routes import assets, postings, reference, system, wallets

ROUTES: Final[list[BaseRouteHandler]] = [
    *system.ROUTES,
    *assets.ROUTES,
    *postings.ROUTES,
    *wallets.ROUTES,
    *reference.ROUTES,
]

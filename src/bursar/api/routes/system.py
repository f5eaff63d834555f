"""Is it alive, is it ready (O2)."""

from typing import Final

import msgspec
from litestar import Response, get
from litestar.handlers import BaseRouteHandler

from bursar.api.call import Call
from bursar.api.scopes import EVERYBODY


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """``ok``, or why not."""

    status: str


@get("/health/live", opt={"scopes": EVERYBODY}, tags=["Operation"])
async def live() -> Health:
    """Say that the process answers; nothing else is looked at."""
    return Health(status="ok")


@get("/health/ready", opt={"scopes": EVERYBODY}, tags=["Operation"])
async def ready(request: Call) -> Response[Health]:
    """Say whether requests can be served: the database answers, and has a schema that is known."""
    await request.services.check()
    return Response(Health(status="ok"))


ROUTES: Final[list[BaseRouteHandler]] = [live, ready]

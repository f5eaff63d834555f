"""Is it alive, is it ready (O2)."""

from typing import Final

import msgspec
from litestar import Response, get
from litestar.handlers import BaseRouteHandler

from bursar.api.call import Call
from bursar.api.scopes import EVERYBODY, READERS
from bursar.api.telemetry import PROMETHEUS, Telemetry
from bursar.operation.metrics import render


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


@get(
    "/metrics",
    opt={"scopes": READERS, "open_by_setting": True, "answers": {200: "text/plain"}},
    tags=["Operation"],
    media_type=PROMETHEUS,
)
async def metrics(request: Call) -> bytes:
    """Write figures for Prometheus: of the economy, and of this server's requests.

    It asks for a key that may read, unless `BURSAR_OPEN_METRICS` is on. docs/metrics.md explains
    each.
    """
    figures = await request.services.operation.figures()
    telemetry: Telemetry = request.app.state.telemetry
    return render(figures) + telemetry.render()


ROUTES: Final[list[BaseRouteHandler]] = [live, ready, metrics]

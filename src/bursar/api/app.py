"""Putting the HTTP application together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.types import ASGIApp

from bursar.api.call import Call
from bursar.api.express import lanes
from bursar.api.gate import Gate
from bursar.api.guard import authorize
from bursar.api.instants import exact_instants
from bursar.api.problems import HANDLERS
from bursar.api.reference import Published
from bursar.api.routes import ROUTES
from bursar.api.services import Services
from bursar.api.telemetry import Telemetry
from bursar.platform.settings import Settings

Opener = Callable[[], Awaitable[Services]]


def application(open_services: Opener, settings: Settings) -> Litestar:
    """Make the application; its services are opened when it starts, closed when it ends."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        services = await open_services()
        app.state.services = services
        try:
            yield
        finally:
            await services.close()

    app = Litestar(
        route_handlers=ROUTES,
        lifespan=[lifespan],
        guards=[authorize, exact_instants],
        exception_handlers=HANDLERS,
        request_class=Call,
        request_max_body_size=settings.max_body,
        openapi_config=None,
        logging_config=None,
    )
    app.state.published = Published(ROUTES)
    return app


def behind_gate(app: Litestar, settings: Settings) -> ASGIApp:
    """Put the gate in front of the application."""
    telemetry = Telemetry()
    app.state.telemetry = telemetry
    return Gate(
        app,
        telemetry,
        lanes(app, settings.max_body),
        max_body=settings.max_body,
        access_log=settings.access_log,
    )

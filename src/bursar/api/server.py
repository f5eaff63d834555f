"""Running the API: processes, signals, and where everything comes from (O1, O2)."""

import errno
import os
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
import structlog
import uvicorn
from litestar.types import ASGIApp

from bursar.api.app import application, behind_gate
from bursar.api.processes import SIGNALS, OneProcess, Supervisor, start_logging
from bursar.api.protocol import BoundedProtocol
from bursar.api.services import Services
from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.settings import Settings

_log: Final = structlog.get_logger("bursar.api")

_SHUTDOWN_S: Final = 30
_IDLE_S: Final = 75
_WAITING: Final = 2048
"""Connections that the system keeps until a process takes them."""


def make(where: str | None, settings: Settings) -> ASGIApp:
    """Make the application of one process."""

    async def open_services() -> Services:
        services = await Services.open(where, settings)
        if not await services.access.keys():
            _log.warning("no_keys", hint="bursar key add --scope admin --owner YOU --name first")
        return services

    return behind_gate(application(open_services, settings), settings)


def serve(
    where: str | None,
    settings: Settings,
    *,
    log_json: bool = False,
    at_once: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT: then take no more, and answer what was accepted.

    A second signal ends it at once, after ``at_once``; what was under way then has happened wholly
    or not at all. Raises `Unavailable` ``address_in_use``, ``api_not_started``, `Invalid`
    ``address_unusable``.
    """
    settings = msgspec.structs.replace(settings, log_json=settings.log_json or log_json)
    run_server(partial(make, where, settings), settings, at_once)


def run_server(
    factory: Callable[[], ASGIApp],
    settings: Settings,
    at_once: Callable[[], None] = lambda: None,
) -> None:
    """Run an application in so many processes, each of which makes its own."""
    config = uvicorn.Config(
        factory,
        factory=True,
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws="none",
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_WAITING,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    start_logging(as_json=settings.log_json)
    with _listen(settings) as listening:
        if settings.processes == 1:

            def end(number: int) -> None:
                at_once()
                os._exit(128 + number)

            OneProcess(config, SIGNALS, again=end).run([listening])
            return
        with tempfile.TemporaryDirectory(prefix="bursar-metrics-") as shared:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            many = Supervisor(
                config,
                listening,
                settings.processes,
                as_json=settings.log_json,
                at_once=at_once,
            )
            many.run()


def _listen(settings: Settings) -> socket.socket:
    """Take the address before anything else; the system keeps who comes too early."""
    address = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_WAITING)
    except OSError as error:
        raise _refused(error, address) from error


def _refused(error: OSError, address: str) -> BursarError:
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            "address_in_use", f"something else listens on {address}", address=address
        )
    said = error.strerror or str(error)
    return Invalid("address_unusable", f"cannot listen on {address}: {said}", address=address)

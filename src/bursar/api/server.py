"""Running the API: processes, signals, and where everything comes from (O1, O2)."""

import logging
import os
import tempfile
from typing import Final

import uvicorn
from litestar.types import ASGIApp

from bursar.api.app import application, behind_gate
from bursar.api.protocol import BoundedProtocol
from bursar.api.services import Services
from bursar.platform.logs import log_to_stderr
from bursar.platform.settings import Settings, load_settings

WHERE: Final = "BURSAR_SERVE_FROM"
"""The database of a server's processes, told by the process that starts them."""

LOG_JSON: Final = "BURSAR_SERVE_LOG_JSON"

_SHUTDOWN_S: Final = 30
_IDLE_S: Final = 75


def from_environment() -> ASGIApp:
    """Make the application of one process, as its environment says."""
    settings = load_settings()
    log_to_stderr(logging.INFO, as_json=os.environ.get(LOG_JSON) == "on")

    async def open_services() -> Services:
        return await Services.open(os.environ.get(WHERE) or None, settings)

    app = application(open_services, settings)
    return behind_gate(app, settings)


def serve(where: str | None, settings: Settings, *, log_json: bool = False) -> None:
    """Serve until SIGTERM or SIGINT: then take no more, and answer what was accepted."""
    if where is not None:
        os.environ[WHERE] = where
    if log_json:
        os.environ[LOG_JSON] = "on"
    run_server("bursar.api.server:from_environment", settings)


def run_server(factory: str, settings: Settings) -> None:
    """Run an application, named by the function that makes it, in so many processes."""
    config = uvicorn.Config(
        factory,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.processes,
        http=BoundedProtocol,
        ws="none",
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    if settings.processes == 1:
        uvicorn.Server(config).run()
        return
    with tempfile.TemporaryDirectory(prefix="bursar-metrics-") as shared:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        _supervise(config)


def _supervise(config: uvicorn.Config) -> None:
    """Run several processes on one socket, and put new ones where one dies."""
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - only here

    with config.bind_socket() as listening:
        Multiprocess(config, sockets=[listening]).run()

"""Running the API: processes, signals, and where everything comes from (O1, O2)."""

import logging
import os
import tempfile
from typing import Final

import msgspec
import structlog
import uvicorn
from litestar.types import ASGIApp

from bursar.api.app import application, behind_gate
from bursar.api.protocol import BoundedProtocol
from bursar.api.services import Services
from bursar.platform.logs import log_to_stderr
from bursar.platform.place import find
from bursar.platform.settings import Settings, load_settings

_log: Final = structlog.get_logger("bursar.api")

_SHUTDOWN_S: Final = 30
_IDLE_S: Final = 75


def from_environment() -> ASGIApp:
    """Make the application of one process, as its environment says."""
    settings = load_settings()
    log_to_stderr(logging.INFO, as_json=settings.log_json)

    async def open_services() -> Services:
        services = await Services.open(None, settings)
        if not await services.access.keys():
            _log.warning("no_keys", hint="bursar key add --scope admin --owner YOU --name first")
        return services

    app = application(open_services, settings)
    return behind_gate(app, settings)


def serve(where: str | None, settings: Settings, *, log_json: bool = False) -> None:
    """Serve until SIGTERM or SIGINT: then take no more, and answer what was accepted."""
    settings = msgspec.structs.replace(settings, log_json=settings.log_json or log_json)
    os.environ |= told_by_environment(where, settings)
    run_server("bursar.api.server:from_environment", settings)


def told_by_environment(where: str | None, settings: Settings) -> dict[str, str]:
    """Say by variables what the processes of a server are to know beyond the environment."""
    told = {"BURSAR_LOG_JSON": "on"} if settings.log_json else {}
    if where is None:
        return told
    found = find(where, settings)
    if found.url is not None:
        return told | {"BURSAR_DATABASE_URL": found.url}
    return told | {"BURSAR_DATABASE_URL": "", "BURSAR_DATA_DIR": str(found.data_dir)}


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

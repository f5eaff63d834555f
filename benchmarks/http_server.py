"""The API as it is, with one endpoint more: it validates a posting, and posts nothing."""

import os

import msgspec
from litestar.types import ASGIApp

from bursar.access import Caller
from bursar.api.app import application
from bursar.api.express import lane, lanes
from bursar.api.gate import Gate
from bursar.api.routes.postings import read_command
from bursar.api.scopes import APPS
from bursar.api.services import Services
from bursar.api.telemetry import Telemetry
from bursar.platform.settings import load_settings

_ANSWER = msgspec.json.encode({"status": "empty"})


async def _validate(
    _services: Services, _caller: Caller, body: bytes, key: str | None
) -> tuple[int, bytes]:
    read_command(body, key)
    return 200, _ANSWER


def from_environment() -> ASGIApp:
    """Make the application of one process, as ``bursar serve`` does."""
    settings = load_settings()

    async def open_services() -> Services:
        return await Services.open(os.environ["BENCHMARK_DATABASE"], settings)

    app = application(open_services, settings)
    app.state.telemetry = telemetry = Telemetry()
    most = settings.max_body
    empty = lane(app, "/empty", APPS, _validate, max_body=most)
    express = {**lanes(app, most), ("POST", "/empty"): empty}
    return Gate(app, telemetry, express, max_body=most, access_log=False)

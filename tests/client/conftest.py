"""Clients of the application on a real database, without a network between."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bursar.api.app import application, behind_gate
from bursar.api.services import Services
from bursar.client import AsyncClient
from bursar.platform.settings import load_settings
from tests.support.serving import add_key

HERE = "http://bursar.test"


@pytest.fixture
async def services(database: Any) -> AsyncIterator[Services]:
    """The capabilities of an economy with ``coins``."""
    opened = await Services.open(database.url, load_settings({}))
    await opened.ledger.add_asset("coins", actor="test", reason="because")
    yield opened
    await opened.close()


@pytest.fixture
async def transport(services: Services) -> httpx.ASGITransport:
    """The application behind its gate, as a transport."""
    settings = load_settings({})

    async def open_services() -> Services:
        return services

    app = application(open_services, settings)
    app.state.services = services  # its life is the fixture's, which ends in another task
    return httpx.ASGITransport(behind_gate(app, settings))  # type: ignore[arg-type]


@pytest.fixture
async def client(database: Any, transport: httpx.ASGITransport) -> AsyncIterator[AsyncClient]:
    """A client that may do everything."""
    key = await add_key(database.url, "admin")
    async with AsyncClient(HERE, key, transport=transport) as client:
        yield client

"""The application behind its gate, on the test's database, and credentials for it.

answer = await api.get("/v1/assets", headers=as_("viewer"))
mine = await api.get("/v1/me", headers=as_holder("maria"))
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from bursar.access import Access, Scope
from bursar.api.app import application, behind_gate
from bursar.api.services import Services
from bursar.ledger import Credit
from bursar.platform.settings import load_settings

Headers = dict[str, str]
As = Callable[..., Headers]


@pytest.fixture
async def services(database: Any) -> AsyncIterator[Services]:
    """The capabilities of an economy with ``coins`` and ``gems``."""
    opened = await Services.open(database.url, load_settings({}))
    await opened.access.close()
    opened.access = Access(
        opened.ledger.database, lease_s=0.01, key_per_minute=600_000, holder_per_minute=600_000
    )
    await opened.ledger.add_asset("coins", actor="test", reason="because")
    await opened.ledger.add_asset("gems", actor="test", reason="because")
    yield opened
    await opened.close()


@pytest.fixture
async def api(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    settings = load_settings({})

    async def open_services() -> Services:
        return services

    app = application(open_services, settings)
    app.state.services = services  # its life is the fixture's, which ends in another task
    transport = httpx.ASGITransport(behind_gate(app, settings))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://b") as api:
        yield api


@pytest.fixture
async def keys(services: Services) -> dict[str, str]:
    """The secret of a key for each scope, each of somebody of that name."""
    scopes = [scope for scope in Scope if scope is not Scope.HOLDER]
    made = await asyncio.gather(
        *(
            services.access.add_key(f"test {s}", str(s), [s], actor="test", reason="because")
            for s in scopes
        )
    )
    return {str(scope): new.secret for scope, new in zip(scopes, made, strict=True)}


@pytest.fixture
def as_(keys: dict[str, str]) -> As:
    """Make the headers of a caller with one scope; further headers by name."""

    def headers(scope: str, **more: str) -> Headers:
        extra = {name.replace("_", "-"): value for name, value in more.items()}
        return {"authorization": f"Bearer {keys[scope]}", **extra}

    return headers


@pytest.fixture
async def as_holder(services: Services) -> Callable[[str], Headers]:
    """Make the headers of somebody with a holder token: of maria, ben or nobody."""
    tokens = {
        holder: (await services.access.issue_token(holder, actor="test")).text
        for holder in ("maria", "ben", "nobody")
    }
    return lambda holder: {"authorization": f"Bearer {tokens[holder]}"}


@pytest.fixture
def give(services: Services) -> Callable[..., Awaitable[None]]:
    """Give credit: ``await give("maria", 500)``."""

    async def give(holder: str, amount: int, asset: str = "coins", reference: str = "gift") -> None:
        credit = Credit(holder=holder, asset=asset, amount=amount, reference=reference)
        (await services.ledger.submit(credit, actor="test", reason="a present")).unwrap()

    return give


def problem(answer: httpx.Response, status: int) -> str:
    """Make sure that an answer is a problem of this status, and tell its code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    return str(said["code"])

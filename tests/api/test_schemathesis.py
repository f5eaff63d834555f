"""The document and the server agree: requests made up from the document, for every credential.

Each scope asks every endpoint it may, with what is in the document and with what is not. The same
requests every time; `BURSAR_TEST_EXAMPLES` asks for more of them.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bursar.access import Scope
from bursar.api.app import application, behind_gate
from bursar.api.openapi import document_of
from bursar.api.routes import ROUTES
from bursar.api.services import Services
from bursar.ledger import Credit
from bursar.platform.settings import load_settings

EXAMPLES = int(os.environ.get("BURSAR_TEST_EXAMPLES", "4"))
PATIENCE_S = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = document_of(ROUTES)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


class Live:
    """A server in a thread, with one event loop and some data, and a credential for each scope."""

    def __init__(self, url: str) -> None:
        self._database = url
        self._ready = threading.Event()
        self.url = ""
        self.secrets: dict[str, str] = {}
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> "Live":
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _serve(self) -> None:
        settings_ = load_settings({})

        async def open_services() -> Services:
            opened = await Services.open(self._database, settings_)
            await self._furnish(opened)
            return opened

        app = behind_gate(application(open_services, settings_), settings_)
        config = uvicorn.Config(app, port=0, lifespan="on", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._ready.set()
        await serving

    async def _furnish(self, services: Services) -> None:
        voice = {"actor": "test", "reason": "something to find"}
        await services.ledger.add_asset("coins", **voice)
        credit = Credit(holder="maria", asset="coins", amount=500, reference="welcome")
        await services.ledger.submit(credit, **voice)
        for scope in Scope:
            if scope is not Scope.HOLDER:
                made = await services.access.add_key(
                    str(scope), str(scope), {scope}, per_minute=10_000_000, **voice
                )
                self.secrets[scope] = made.secret
        token = await services.access.issue_token("maria", actor="test")
        self.secrets[Scope.HOLDER] = token.text


@pytest.fixture(scope="module")
def live(server, admin, migrated) -> Iterator[Live]:
    from tests.support.postgres import database_url

    admin.execute(f"create database made_up template {migrated}")
    with Live(database_url(server.service_url, "made_up")) as started:
        yield started
    admin.execute("drop database made_up with (force)")


def allowed(operation: Any, scope: Scope) -> bool:
    """Say whether the document lets a scope ask."""
    ways = operation.definition.raw.get("security", [])
    return not ways or any(scope in names for way in ways for names in way.values())


OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]


def rounds() -> Iterator[Any]:
    """Every endpoint with data of the document, and with other data those that take any."""
    for operation in OPERATIONS:
        raw = operation.definition.raw
        for mode in GenerationMode:
            if mode is GenerationMode.POSITIVE or raw["parameters"] or "requestBody" in raw:
                name = f"{mode.value} {operation.method} {operation.path}"
                yield pytest.param(operation, mode, id=name)


@pytest.mark.parametrize(("operation", "mode"), rounds())
def test_made_up_requests_are_answered_as_the_document_says(live, operation, mode):
    scopes = [scope for scope in Scope if allowed(operation, scope)][: 1 if EXAMPLES < 10 else None]
    strategy = operation.as_strategy(generation_mode=mode)
    checks = list(CHECKS)
    if mode is GenerationMode.NEGATIVE and "requestBody" in operation.definition.raw:
        checks.append(negative_data_rejection)  # of a query, what is not known is left

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        for scope in scopes:
            headers = {"Authorization": f"Bearer {live.secrets[scope]}"}
            answer = case.call(base_url=live.url, headers=headers)
            case.validate_response(answer, checks=checks, headers=headers)

    ask()

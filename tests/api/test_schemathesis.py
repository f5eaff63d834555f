"""The document and the server agree: requests made up from the document, for every credential.

Each scope asks every endpoint it may, with what is in the document and with what is not. Much of
what is asked names what is there, so that answers of success are compared with the document, too.
The same requests every time; `BURSAR_TEST_EXAMPLES` asks for more of them.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
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
from bursar.platform.sealing import new_key
from bursar.platform.settings import load_settings
from tests.api.furnished import FOUNDER, Names, furnish, prepare

EXAMPLES = int(os.environ.get("BURSAR_TEST_EXAMPLES", "12"))
AN_INSTANT = "2026-03-01T09:00:00Z"
NEVER_MADE_UP = {"by_s"}
"""A clock that is moved for a month does all that falls due in it."""
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


Choose = Callable[[list[Any]], Any]


def allowed(operation: Any) -> list[Scope]:
    """The scopes that the document lets ask."""
    ways = operation.definition.raw.get("security", [])
    named = {name for way in ways for names in way.values() for name in names}
    return [scope for scope in Scope if not ways or scope in named]


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
        settings_ = load_settings(
            {
                "BURSAR_HOLDER_PER_MINUTE": "1000000",
                "BURSAR_SECRETS_KEY": new_key(),
                "BURSAR_WEBHOOK_NETWORKS": "127.0.0.1/32",
            }
        )
        self._loop = asyncio.get_running_loop()

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
        self._furniture = await furnish(services)
        for scope in Scope:
            if scope is not Scope.HOLDER:
                made = await services.access.add_key(
                    str(scope), str(scope), {scope}, per_minute=10_000_000, **FOUNDER
                )
                self.secrets[scope] = made.secret

    def prepare(self, operation: str) -> Names:
        """Make what an endpoint needs, and a token of whom it is asked for."""
        return asyncio.run_coroutine_threadsafe(self._prepare(operation), self._loop).result()

    async def _prepare(self, operation: str) -> Names:
        names = await prepare(self._furniture, operation)
        access = self._furniture.services.access
        token = await access.issue_token(names["holder"][0], actor="test")
        self.secrets[Scope.HOLDER] = token.text
        return names


@pytest.fixture(scope="module")
def live(server, admin, migrated) -> Iterator[Live]:
    from tests.support.postgres import database_url

    admin.execute(f"create database made_up template {migrated}")
    with Live(database_url(server.service_url, "made_up")) as started:
        yield started
    admin.execute("drop database made_up with (force)")


ENDLESS = "text/event-stream"
OPERATIONS = [
    operation
    for result in SCHEMA.get_all_operations()
    if ENDLESS not in str((operation := result.ok()).definition.raw["responses"])
]
"""All but streams, which have no end that an answer could be compared at; see test_live."""

MET: set[tuple[str, str]] = set()
"""Which endpoint has answered with which status to requests that were made up."""

ASKED: set[str] = set()


def id_of(operation: Any) -> str:
    """The name that the document gives it."""
    return str(operation.definition.raw["operationId"])


def successes(operation: Any) -> set[tuple[str, str]]:
    """What the document says of answers that are no refusals."""
    statuses = operation.definition.raw["responses"]
    return {(id_of(operation), status) for status in statuses if status.startswith("2")}


def rounds() -> Iterator[Any]:
    """Every endpoint with data of the document, and with other data those that take any."""
    for operation in OPERATIONS:
        raw = operation.definition.raw
        for mode in GenerationMode:
            if mode is GenerationMode.POSITIVE or (
                raw["security"]  # of what is open to all, any text may be the name
                and (raw["parameters"] or "requestBody" in raw)
            ):
                name = f"{mode.value} {operation.method} {operation.path}"
                yield pytest.param(operation, mode, id=name)


def known(value: Any, names: Names, choose: Choose) -> Any:
    """Put what is there in the place of what was made up, wherever a field's name says so."""
    match value:
        case dict():
            return {
                field: choose(names[field])
                if field in names and told is not None
                else known(told, names, choose)
                for field, told in value.items()
            }
        case list():
            return [known(one, names, choose) for one in value]
        case _:
            return value


def example_of(operation: Any) -> Any:
    """The body that the document shows."""
    media = operation.definition.raw.get("requestBody", {}).get("content", {})
    return media.get("application/json", {}).get("example")


@st.composite
def requests_to(draw: Any, operation: Any, mode: GenerationMode, names: Names) -> Any:
    """Make up a request; in three of four, with names of what is there."""
    case = draw(operation.as_strategy(generation_mode=mode))
    how = draw(st.sampled_from(["made up", "named", "named", "shown"]))
    if how == "made up" and not NEVER_MADE_UP & set(names):
        return case

    def choose(options: list[Any]) -> Any:
        return draw(st.sampled_from(options))

    case.path_parameters = known(case.path_parameters, names, choose)
    if mode is GenerationMode.POSITIVE:
        case.query = known(case.query, names, choose)
        shown = example_of(operation) if how == "shown" else None
        if shown is not None:
            case.body, case.media_type = shown, "application/json"
        if isinstance(case.body, dict):
            case.body = known(case.body, names, choose)
    return case


def bad_body(case: Any) -> bool:
    """Say whether a body is none of the document's: of a query, what is not known is left."""
    told = case.meta and case.meta.components.get(ParameterLocation.BODY)
    return bool(told and told.mode is GenerationMode.NEGATIVE)


def shown_to(operation: Any, names: Names) -> Any:
    """The request that the document shows, with the first names that there are."""
    raw = operation.definition.raw
    path = {one["name"]: "" for one in raw["parameters"] if one["in"] == "path"}
    query = {
        one["name"]: names.get(one["name"], one["schema"].get("enum", [AN_INSTANT]))[0]
        for one in raw["parameters"]
        if one["in"] == "query" and one["required"]
    }
    headers = {
        one["name"]: "shown"
        for one in raw["parameters"]
        if one["in"] == "header" and one["required"]
    }
    more: dict[str, Any] = {"headers": headers} if headers else {}
    if (body := example_of(operation)) is not None:
        body = known(body, names, lambda options: options[0])
        more |= {"body": body, "media_type": "application/json"}
    path = known(path, names, lambda options: options[0])
    return operation.Case(path_parameters=path, query=query, **more)


@pytest.mark.parametrize(("operation", "mode"), [*rounds()])
def test_requests_are_answered_as_the_document_says(live, operation, mode):
    scopes = allowed(operation)[: 1 if EXAMPLES < 20 else None]
    names = live.prepare(id_of(operation))

    reached: set[tuple[str, str]] = set()

    def ask(case: Any, scope: Scope) -> Any:
        headers = {"Authorization": f"Bearer {live.secrets[scope]}"}
        answer = case.call(base_url=live.url, headers=headers)
        checks = [*CHECKS, negative_data_rejection] if bad_body(case) else CHECKS
        case.validate_response(answer, checks=checks, headers=headers)
        reached.add((id_of(operation), str(answer.status_code)))
        return answer

    def ask_on(case: Any, scope: Scope) -> Any:
        """Ask; again what was done now and would be found done, and for the part that follows."""
        answer = ask(case, scope)
        if answer.status_code == 201 and (id_of(operation), "200") in successes(operation):
            ask(case, scope)
        pages = answer.status_code == 200 and "cursor" in case.operation.query
        if pages and (cursor := answer.json()["cursor"]) is not None:
            case.query = {**case.query, "cursor": cursor}
            ask(case, scope)
        return answer

    if mode is GenerationMode.POSITIVE:
        answer = ask_on(shown_to(operation, names), scopes[0])
        assert successes(operation) <= reached, answer.text
        reached.clear()
        names = live.prepare(id_of(operation))

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests_to(operation, mode, names))
    def ask_made_up(case: Any) -> None:
        for scope in scopes:
            ask_on(case, scope)

    ask_made_up()
    if mode is GenerationMode.POSITIVE:
        ASKED.add(id_of(operation))
        MET.update(reached)


def test_every_success_of_the_document_was_met_by_made_up_requests():
    """Beside the requests that the document shows, which all succeed."""
    if len(ASKED) < len(OPERATIONS):
        pytest.skip("not every endpoint was asked in this run")
    promised = {one for operation in OPERATIONS for one in successes(operation)}
    assert promised - MET == set()

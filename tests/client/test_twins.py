"""What stands twice says the same twice: the blocking client, commands, error families (I5)."""

import inspect
from typing import Any, get_args

import msgspec
import pytest

import bursar.client
from bursar.api.problems import STATUS, STATUS_OF_CODE
from bursar.client import AsyncClient, Client, commands, errors
from bursar.ledger import AnyCommand
from bursar.ledger.model import Result, Status
from bursar.platform import errors as domain
from tools.blocking_client import ALONE, CLIENT, blocking, translated

SERVER_COMMANDS = {kind.__name__: kind for kind in get_args(AnyCommand)}
CLIENT_COMMANDS = {kind.__name__: kind for kind in get_args(commands.AnyCommand)}


def test_the_blocking_client_is_what_make_client_writes() -> None:
    written = {path.name: path.read_text("utf-8") for path in (CLIENT / "synchronous").glob("*.py")}
    assert written == translated()


def test_only_what_asyncio_needs_has_no_twin() -> None:
    names = {path.name for path in (CLIENT / "asynchronous").glob("*.py")}
    assert names - {path.name for path in (CLIENT / "synchronous").glob("*.py")} == ALONE


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    def shape(client: Any) -> dict[str, list[str]]:
        return {
            f"{subject}.{name}": [*inspect.signature(method).parameters]
            for subject, calls in vars(client).items()
            if not subject.startswith("_")
            for name, method in inspect.getmembers(calls, inspect.ismethod)
            if not name.startswith("_")
        }

    with Client("http://bursar.test", "key") as client:
        assert shape(client) == shape(AsyncClient("http://bursar.test", "key"))
        assert len(shape(client)) > 60


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    async with a as b:", "    with a as b:"),
        ("x = await f(await g())", "x = f(g())"),
        ("    ) -> A:  # sync: ) -> B:", "    ) -> B:"),
        ("class AsyncClient:", "class Client:"),
        ("awaited = asynchrony", "awaited = asynchrony"),
    ],
)
def test_the_translation_of_a_line(before: str, after: str) -> None:
    assert blocking(before) == after + "\n"


def test_a_line_without_a_twin_is_left_out() -> None:
    assert blocking("a\nfrom x import y  # sync:\nb") == "a\nb\n"


def test_every_command_of_the_server_is_one_of_the_client() -> None:
    assert CLIENT_COMMANDS.keys() == SERVER_COMMANDS.keys()


@pytest.mark.parametrize("name", SERVER_COMMANDS)
def test_a_command_has_the_same_fields_and_defaults_on_both_sides(name: str) -> None:
    def fields(kind: Any) -> dict[str, Any]:
        config = kind.__struct_config__
        found = {field.name: field.default for field in msgspec.structs.fields(kind)}
        return found | {"op": config.tag}

    ours, theirs = fields(CLIENT_COMMANDS[name]), fields(SERVER_COMMANDS[name])
    assert ours.pop("reference") is None  # it is made up where there is none
    theirs.pop("reference")
    assert ours == theirs


def test_every_family_of_the_server_is_a_type_of_the_client() -> None:
    families = {kind.family: kind.__name__ for kind in domain.BursarError.__subclasses__()}
    assert {name: kind.__name__ for name, kind in errors.FAMILIES.items()} == families


@pytest.mark.parametrize("family", STATUS)
def test_a_status_leads_back_to_the_family(family: Any) -> None:
    assert errors.kind_of(STATUS[family], "any_code").family == family


@pytest.mark.parametrize("code", STATUS_OF_CODE)
def test_a_code_with_a_status_of_its_own_leads_to_a_fitting_family(code: str) -> None:
    families = {
        "credential_missing": "denied",
        "credential_invalid": "denied",
        "token_expired": "denied",
        "request_timeout": "unavailable",
        "precondition_failed": "conflict",
        "body_too_large": "invalid",
        "headers_too_large": "invalid",
        "rate_limited": "unavailable",
        "too_many_streams": "unavailable",
        "webhook_moved": "conflict",
    }
    assert errors.kind_of(STATUS_OF_CODE[code], code).family == families[code]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.APPLIED, Status.REPLAYED}))
def test_a_refusal_in_a_batch_has_the_family_that_it_has_alone(status: Status) -> None:
    with pytest.raises(domain.BursarError) as caught:
        Result(status).unwrap()
    refused = errors.refused(status.value, "no", {})
    assert refused.family == caught.value.family
    assert refused.code == caught.value.code


def test_the_tree_at_the_top_of_the_errors_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    for kind in kinds:
        if issubclass(kind, errors.BursarError):
            assert f" {kind.__name__} " in drawn or f" {kind.__name__}\n" in drawn
            assert kind.__name__ in bursar.client.__all__

"""Every method asks for what the API serves, in words that it takes and gives (I1, I5).

Each method is called with a value for each of its parameters, and what it would send is laid beside
the endpoint that it goes to: the path, the query, the body, and the names of what is answered.
"""

import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn, get_args, get_origin
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest
from litestar import Response
from litestar.routes import HTTPRoute

from bursar.api.app import application
from bursar.api.wire.entries import Receipt
from bursar.api.wire.notices import InboxItem
from bursar.client import Client, Credit, HolderChange, LotTerms, Notice, Override, Quiet
from bursar.client.asking import Ask
from bursar.client.events import MEDIA_TYPE
from bursar.ledger import AnyCommand
from bursar.platform.settings import load_settings

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CREDIT = Credit(holder="a/b", asset="coins", amount=5)
CHANGE = HolderChange(external_id="a/b", tier="gold", verified=True, created_at=NOW)

VALUES: dict[str, Any] = {
    **dict.fromkeys(("at", "since", "until", "effective_at", "deadline", "expires_at"), NOW),
    **dict.fromkeys(("starts_at", "ends_at"), NOW),
    **dict.fromkeys(("amount", "limit", "total", "number", "version", "keep", "by_s"), 5),
    **dict.fromkeys(("posting_id", "key_id", "alert_id", "overlap_s", "ttl_s", "scale"), 5),
    **dict.fromkeys(("per_minute", "page_size"), 5),
    **dict.fromkeys(("on", "dry_run", "rename", "keep_rest", "verified", "erased"), True),
    **dict.fromkeys(("everybody", "with_credit", "resolved", "costs"), True),
    **dict.fromkeys(("asset", "code", "program", "name", "owner", "tier", "origin"), "coins"),
    **dict.fromkeys(("reason", "reference", "hold", "target", "source", "text"), "words"),
    **dict.fromkeys(("actor", "act", "subject", "expect", "period", "status"), "words"),
    **dict.fromkeys(("webhook_id", "delivery_id", "dispatch_id", "webhook", "after"), 5),
    **dict.fromkeys(("overlap_hours", "up_to"), 5),
    **dict.fromkeys(("url", "description", "notice"), "words"),
    "by": "effective",
    "channel": "webhook",
    "choices": {"deposit": {"inbox": None, "email": False}},
    "kinds": ["deposit"],
    "language": "de",
    "quiet": Quiet("22:00", "07:00"),
    "states": ["sent"],
    "unread": True,
    "change": CHANGE,
    "changes": [CHANGE],
    "command": CREDIT,
    "commands": [CREDIT],
    "cursor": "7",
    "email": True,
    "holder": "a/b",
    "holders": ["a/b"],
    "if_match": '"7"',
    "kind": "grant",
    "lot": LotTerms(expires_at=NOW, priority=1, origin="promo"),
    "metadata": {"order": 17},
    "override": Override(amount=5, refresh_day=3, paused=True),
    "policy": "net",
    "run": "run_7",
    "scopes": ["viewer"],
    "seen": {"a/b": NOW},
    "state": "frozen",
    "to": "c",
    "username": True,
}
OWN_VALUES: dict[str, dict[str, Any]] = {
    "economy.move_clock": {"to": NOW},
    "deliveries.all": {"kind": "deposit", "state": "sent"},
    "notices.preview": {"kind": "deposit"},
    "postings.debit": {"kind": "adjust"},
}


class Sent(Exception):
    """What would be sent, and what is to be read of the answer."""

    def __init__(self, ask: Ask, kind: Any) -> None:
        super().__init__(ask.path)
        self.ask, self.kind = ask, kind


def calls(client: Client) -> Iterator[tuple[str, Any]]:
    """List the methods, as ``subject.name``."""
    for subject, group in vars(client).items():
        if not subject.startswith("_"):
            for name, method in inspect.getmembers(group, inspect.ismethod):
                if not name.startswith("_"):
                    yield f"{subject}.{name}", method


def recording() -> Client:
    """Make a client that sends nothing."""

    def send(kind: Any, ask: Ask) -> NoReturn:
        raise Sent(ask, kind)

    client = Client("http://bursar.test", "key")
    client._connection.send = send  # type: ignore[method-assign, assignment]
    client._connection.listen = lambda ask, _: send(Notice, ask)  # type: ignore[method-assign]
    return client


CLIENT = recording()
METHODS = dict(calls(CLIENT))
APP = application(None, load_settings({}))  # type: ignore[arg-type]


def sent(name: str) -> Sent:
    """Call a method with everything it takes."""
    method = METHODS[name]
    values = VALUES | OWN_VALUES.get(name, {})
    given = {p: values[p] for p in inspect.signature(method).parameters}
    try:
        found = method(**given)
        next(iter(getattr(found, "pages", found.__iter__)()))
    except Sent as caught:
        return caught
    raise AssertionError(f"{name} sends nothing")


def endpoint(ask: Ask) -> Any:
    """Find the endpoint that answers; None if there is none."""
    path = urlsplit(ask.path).path
    found: dict[int, Any] = {}
    for route in APP.routes:
        if isinstance(route, HTTPRoute):
            pattern = re.sub(r"\{.*?\}", "[^/]+", route.path)
            for handler in route.route_handlers:
                if ask.method in handler.http_methods and re.fullmatch(pattern, path):
                    found[route.path.count("{")] = handler
    return found[min(found)] if found else None  # a word wins over a name


SERVED = [name for name in METHODS if endpoint(sent(name).ask) is not None]


def test_a_method_goes_to_an_endpoint() -> None:
    assert {name for name in METHODS if name not in SERVED} == set()


@pytest.mark.parametrize("name", SERVED)
def test_a_query_has_only_names_that_the_endpoint_knows(name: str) -> None:
    ask = sent(name).ask
    handler = endpoint(ask)
    fields = handler.parsed_fn_signature.parameters
    known = {
        getattr(field.kwarg_definition, "name", None) or name for name, field in fields.items()
    }
    asked = {key for key, _ in parse_qsl(urlsplit(ask.path).query)}
    assert asked <= known


@pytest.mark.parametrize("name", SERVED)
def test_a_body_is_one_that_the_endpoint_takes(name: str) -> None:
    ask = sent(name).ask
    data = endpoint(ask).parsed_data_field
    if data is not None:
        assert ask.body is not None
        msgspec.json.decode(ask.body, type=data.annotation)
    elif ask.path == "/v1/postings":
        assert ask.body is not None
        msgspec.json.decode(ask.body, type=AnyCommand)


@pytest.mark.parametrize("name", SERVED)
def test_what_is_read_of_an_answer_is_in_it(name: str) -> None:
    found = sent(name)
    served = endpoint(found.ask).parsed_return_field.annotation
    if get_origin(served) is not None and issubclass(get_origin(served), Response):
        [served] = get_args(served)
    if served is bytes:  # the express lane writes by itself
        served = Receipt
    if found.ask.accept == MEDIA_TYPE:
        served = InboxItem
    assert [*strangers(found.kind, served)] == []


def strangers(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Name the fields that the client reads and the server does not write."""
    mine, yours = fields_of(ours), fields_of(theirs)
    if mine and not yours:
        yield f"{path}: {theirs}"
        return
    for name, kind in mine.items():
        if name in yours:
            yield from strangers(kind, yours[name], f"{path}.{name}")
        elif name != "etag":
            yield f"{path}.{name}"


def fields_of(kind: Any) -> dict[str, Any]:
    """List the fields of the first struct that a type speaks of, or of several together."""
    if get_origin(kind) is not None and not isinstance(get_origin(kind), type(msgspec.Struct)):
        found: dict[str, Any] = {}
        for part in get_args(kind):
            found |= fields_of(part)
        return found
    structure = get_origin(kind) or kind
    if not (isinstance(structure, type) and issubclass(structure, msgspec.Struct)):
        return {}
    parts = dict(zip(getattr(structure, "__parameters__", ()), get_args(kind), strict=False))
    return {
        field.encode_name: list[parts[get_args(field.type)[0]]]  # type: ignore[misc]
        if parts and get_args(field.type) and get_args(field.type)[0] in parts
        else field.type
        for field in msgspec.structs.fields(structure)
    }


@pytest.mark.parametrize("name", ["wallets.get", "holders.get", "programs.override"])
def test_a_name_in_a_path_is_one_segment(name: str) -> None:
    segments = urlsplit(sent(name).ask.path).path.split("/")
    assert "a/b" in map(unquote, segments)

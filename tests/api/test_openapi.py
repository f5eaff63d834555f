"""The document and the page of the API: complete, true, and made of nothing but the handlers."""

import re
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest

from bursar.api.examples import UNTOLD
from bursar.api.openapi import document_of
from bursar.api.reference import page_of
from bursar.api.routes import ROUTES
from bursar.api.schemas import _AMOUNTS as AMOUNTS
from bursar.api.schemas import schemas_of
from bursar.api.words import TAGS
from bursar.ledger import commands
from bursar.ledger.model import Status
from tests.support import openapi

DOCUMENT = document_of(ROUTES)
OPERATIONS = {
    told["operationId"]: told for methods in DOCUMENT["paths"].values() for told in methods.values()
}


def media() -> list[tuple[str, dict[str, Any]]]:
    """Every body that is described, of requests and answers."""
    found = []
    for name, told in OPERATIONS.items():
        bodies = [told.get("requestBody", {}), *told["responses"].values()]
        found += [(name, part) for body in bodies for part in body.get("content", {}).values()]
    return found


def validator(schema: dict[str, Any]) -> Any:
    """A validator that knows the document's components."""
    return jsonschema_rs.Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, validate_formats=True
    )


def test_the_committed_document_is_that_of_the_program():
    """Who builds a client from the file gets the one that is served: `make openapi` renews it."""
    assert openapi.COMMITTED.read_text("utf-8") == openapi.text()


async def test_it_is_served_to_everybody(api):
    served = await api.get("/openapi.json")
    assert served.status_code == 200
    assert served.headers["content-type"] == "application/json"
    assert served.json() == DOCUMENT


async def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(api):
    served = await api.get("/reference")
    assert served.status_code == 200
    assert served.headers["content-type"] == "text/html; charset=utf-8"
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]+='; base-uri 'none'; "
        r"form-action 'none'; frame-ancestors 'none'",
        served.headers["content-security-policy"],
    )


def test_an_operation_has_a_name_of_its_own_a_tag_that_is_explained_and_a_sentence():
    count = sum(len(methods) for methods in DOCUMENT["paths"].values())
    assert len(OPERATIONS) == count
    for name, told in OPERATIONS.items():
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name)
        assert told["tags"], name
        assert set(told["tags"]) <= set(TAGS), name
        assert told["summary"], name


def test_every_parameter_says_what_it_is():
    silent = {
        (name, one["name"])
        for name, told in OPERATIONS.items()
        for one in told["parameters"]
        if not one.get("description")
    }
    assert silent == set()


def test_requirement_ids_are_for_us_not_for_who_uses_the_api():
    assert re.findall(r'"[^"]*\([A-Z]\d+[^"]*"', openapi.text()) == []


@pytest.mark.parametrize(
    ("name", "part"), media(), ids=lambda part: part if isinstance(part, str) else ""
)
def test_an_example_is_what_its_schema_says(name, part):
    if "example" in part:
        validator(part["schema"]).validate(part["example"])


def test_every_text_of_an_example_has_a_word():
    """A field whose name is new needs a word in the story."""
    wordless = {name for name, part in media() if UNTOLD in _texts(part.get("example"))}
    assert wordless == set()


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for one in value.values() for text in _texts(one)]
        case list():
            return [text for one in value for text in _texts(one)]
        case _:
            return []


def test_numbers_are_int64_and_instants_have_their_format():
    wallet = DOCUMENT["components"]["schemas"]["Wallet"]["properties"]
    assert wallet["balance"] == {"type": "integer", "format": "int64"}
    assert wallet["at"] == {"type": "string", "format": "date-time"}
    assert "format" not in wallet["asset"]


def test_a_command_may_leave_its_reference_to_the_header_and_in_a_batch_may_not():
    command = {"op": "credit", "holder": "maria", "asset": "coins", "amount": 5}
    one = OPERATIONS["postCommand"]["requestBody"]["content"]["application/json"]["schema"]
    many = OPERATIONS["postBatch"]["requestBody"]["content"]["application/json"]["schema"]
    assert validator(one).is_valid(command)
    assert not validator(many).is_valid({"commands": [command]})
    assert validator(many).is_valid({"commands": [command | {"reference": "r"}]})
    assert not validator(one).is_valid(command | {"amount": 0})
    assert not validator(one).is_valid(command | {"amount": 2**63})
    assert not validator(one).is_valid(command | {"unknown": 1})


@pytest.mark.parametrize(("name", "field"), AMOUNTS, ids=str)
async def test_the_bounds_of_amounts_are_the_ledgers(services, name, field):
    """The document's minimum is the smallest that the ledger does not call invalid."""
    least, most = AMOUNTS[name, field]
    more = {"Capture": {"hold": "h"}, "Transfer": {"to": "jun"}, "Reverse": {"target": "t"}}
    kind = getattr(commands, name)
    made = [
        kind(holder="maria", asset="coins", reference=f"r{n}", **{field: n}, **more.get(name, {}))
        for n in (least - 1, least, most, most + 1)
    ]
    results = await services.ledger.post(made, actor="test", reason="bounds")
    invalid = [result.status is Status.INVALID for result in results]
    assert invalid == [True, False, False, True]


def test_two_types_of_one_name_are_refused():
    import msgspec

    one = msgspec.defstruct("Twin", [("a", int)], module="one")
    two = msgspec.defstruct("Twin", [("a", str)], module="two")
    with pytest.raises(LookupError, match="Twin"):
        schemas_of([one, two])


class _Page(HTMLParser):
    """Collects what a page refers to, and checks that its elements are closed in order."""

    void = frozenset({"meta", "wbr", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)
        self.tags.add(tag)
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on") or name in ("style", "src")]
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given["href"]] if given.get("href") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_its_links_lead_somewhere_and_nothing_is_fetched():
    page = _Page()
    page.feed(page_of(DOCUMENT))
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert set(OPERATIONS) <= set(page.ids)


def test_what_is_written_in_a_docstring_cannot_become_markup():
    made = {**DOCUMENT, "info": {**DOCUMENT["info"], "summary": "<script>x</script>"}}
    assert "<script" not in page_of(made)

"""The reference as a page: the document, made readable; no script, and nothing from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from html import escape
from importlib import resources
from typing import Any, Final

import msgspec
from litestar.handlers import BaseRouteHandler

from bursar.api.openapi import document_of
from bursar.api.schemas import PREFIX, Schema

_STYLE: Final = resources.files("bursar.api").joinpath("reference.css").read_text("utf-8")
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's content security policy: its own style, known by its hash, and nothing else."""

_SCOPES: Final = {
    "admin": "everything, keys and the economy file included",
    "operator": "people who run the economy: programs, runs, grants, wallets, the directory",
    "viewer": "reading all of it, changing nothing",
    "ingest": "your own servers: movements, holds, holders, claims, tokens for your people",
    "partner": "a partner's servers",
    "holder": "a holder token: one person's own wallets, inbox, claims and history",
}


class Published:
    """The document as it is served: made when it is first asked for, then kept."""

    def __init__(self, handlers: Iterable[BaseRouteHandler]) -> None:
        self._handlers = handlers

    @cached_property
    def _described(self) -> dict[str, Any]:
        return document_of(self._handlers)

    @cached_property
    def document(self) -> bytes:
        """The document as JSON."""
        return msgspec.json.encode(self._described)

    @cached_property
    def page(self) -> bytes:
        """The document as HTML."""
        return page_of(self._described).encode()


def page_of(document: Mapping[str, Any]) -> str:
    """Write the page."""
    tags = _by_tag(document)
    sections = "".join(_section(document, tag, found) for tag, found in tags)
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(info['title'])}: API reference</title><style>{_STYLE}</style></head><body>"
        '<a class="skip" href="#content">Skip to the content</a>'
        f'<aside><p class="name"><a href="#content">{escape(info["title"])}</a>'
        f"<small>API {escape(info['version'])}</small></p>"
        f'<details class="menu"><summary>Contents</summary>{_contents(tags)}</details>'
        f'<nav class="wide" aria-label="Contents">{_contents(tags)}</nav></aside>'
        f'<main id="content"><header><h1>API reference</h1><p class="lead">'
        f"{escape(info['summary'])}</p>{_prose(info['description'])}{_scope_list()}"
        '<p>The same for programs: <a href="/openapi.json">openapi.json</a>, OpenAPI 3.1.</p>'
        f"</header>{sections}{_types(document)}</main></body></html>\n"
    )


Found = list[tuple[str, str, Schema]]


def _by_tag(document: Mapping[str, Any]) -> list[tuple[Schema, Found]]:
    """Collect the operations of each tag; path, method, operation."""
    found = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    tags = [(tag, [one for one in found if tag["name"] in one[2]["tags"]])
            for tag in document["tags"]]  # fmt: skip
    return [(tag, some) for tag, some in tags if some]


def _contents(tags: list[tuple[Schema, Found]]) -> str:
    parts = (
        f'<li><details><summary><a href="#tag-{escape(tag["name"])}">{escape(tag["name"])}</a> '
        f"<small>{len(found)}</small></summary>{_index(found)}</details></li>"
        for tag, found in tags
    )
    types = '<li class="last"><a href="#types">Types</a></li>'
    return f'<ul class="contents">{"".join(parts)}{types}</ul>'


def _index(found: Found, *, paths: bool = False) -> str:
    """List operations by their names, a line each."""
    entries = "".join(
        f'<li><a href="#{operation["operationId"]}">{_badge(method)}'
        f"<span>{_title(operation['operationId'])}</span>"
        f"{f'<code>{_path(path)}</code>' if paths else ''}</a></li>"
        for path, method, operation in found
    )
    return f'<ul class="index">{entries}</ul>'


def _path(path: str) -> str:
    """Show a path, its names set off, broken where it may be."""
    return re.sub(r"\{(\w+)\}", r"<i>{\1}</i>", escape(path).replace("/", "/<wbr>"))


def _title(name: str) -> str:
    """Make words of an operation's name: listMyAwards is "List my awards"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", escape(name)).capitalize()


def _scope_list() -> str:
    rows = "".join(
        f"<tr><td>{_chip(scope)}</td><td>{escape(told)}</td></tr>"
        for scope, told in _SCOPES.items()
    )
    return f'<div class="scroll"><table class="scopes">{rows}</table></div>'


def _section(document: Mapping[str, Any], tag: Schema, found: Found) -> str:
    name = escape(tag["name"])
    operations = "".join(_operation(document, *one) for one in found)
    return (
        f'<section id="tag-{name}"><h2>{name}</h2><p class="lead">'
        f"{_inline(tag['description'])}</p>{_index(found, paths=True)}{operations}</section>"
    )


def _operation(document: Mapping[str, Any], path: str, method: str, told: Schema) -> str:
    name = told["operationId"]
    parts = [
        f'<article id="{name}"><h3><a href="#{name}">{_inline(told["summary"])}</a></h3>',
        f'<p class="path">{_badge(method)}<code>{_path(path)}</code></p>',
        _prose(told.get("description", "")),
        _who(told["security"]),
        _parameters(told["parameters"]),
    ]
    if "requestBody" in told:
        media = told["requestBody"]["content"]["application/json"]
        parts.append(f"<h4>Body</h4>{_shape(document, media['schema'])}{_sample(media['example'])}")
    parts.append(f"<h4>Answers</h4>{_answers(document, told['responses'])}")
    parts.append(f"<h4>Try it</h4><pre><code>{escape(_curl(path, method, told))}</code></pre>")
    return "".join(parts) + "</article>"


def _who(security: list[Schema]) -> str:
    scopes = [scope for way in security for scopes in way.values() for scope in scopes]
    chips = "".join(_chip(scope) for scope in scopes)
    return f'<p class="who"><span>Who may</span>{chips or _chip("everybody")}</p>'


def _parameters(parameters: list[Schema]) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(one['name'])}</code>"
        f"{' <b>required</b>' if one['required'] else ''}</th>"
        f"<td>{_type(one['schema'])}</td>"
        f"<td>{_inline(one.get('description', ''))} <small>in the {one['in']}</small></td></tr>"
        for one in parameters
    )
    if not rows:
        return ""
    return f'<h4>Parameters</h4><div class="scroll"><table class="fields">{rows}</table></div>'


def _shape(document: Mapping[str, Any], schema: Schema) -> str:
    """Show a body: its type's fields, or the types that it may be."""
    if "$ref" not in schema:
        return f'<p class="oneof">{_type(schema)}</p>'
    name = schema["$ref"].removeprefix(PREFIX)
    component = document["components"]["schemas"][name]
    return _prose(component.get("description", "")) + _fields(component)


def _fields(component: Schema) -> str:
    if "properties" not in component:
        return f'<p class="oneof">{_type(component)}</p>'
    required = set(component.get("required", ()))
    whole = len(required) > 1 and required == component["properties"].keys()
    rows = "".join(
        f"<tr><th scope=row><code>{escape(name)}</code>"
        f"{' <b>required</b>' if name in required and not whole else ''}</th>"
        f"<td>{_type(told)}</td></tr>"
        for name, told in component["properties"].items()
    )
    note = '<p class="note">All fields are required.</p>' if whole else ""
    return f'{note}<div class="scroll"><table class="fields">{rows}</table></div>'


def _answers(document: Mapping[str, Any], responses: Mapping[str, Schema]) -> str:
    good, bad = [], []
    for status, told in responses.items():
        if "$ref" in told:
            name = told["$ref"].rpartition("/")[2]
            about = document["components"]["responses"][name]["description"]
            bad.append(f"<li><b>{status}</b> {_inline(about)}</li>")
            continue
        contents = told.get("content", {})
        content = contents.get("application/json", {})
        kind = _type(content["schema"]) if content.get("schema") else escape(", ".join(contents))
        means = _inline(told["description"]) + (f": {kind}" if kind else "")
        good.append(
            f'<p class="answer"><b>{status}</b> {means}</p>'
            + (_sample(content["example"], folded=True) if "example" in content else "")
        )
    problem = f'<a href="#type-Problem">problem</a>: <ul class="bad">{"".join(bad)}</ul>'
    return "".join(good) + f"<details><summary>Refusals</summary><div>A {problem}</div></details>"


def _curl(path: str, method: str, told: Schema) -> str:
    """Write a line for a shell; what differs is in variables."""
    filled = re.sub(r"\{(\w+)\}", lambda found: _EXAMPLES.get(found[1], found[1]), path)
    lines = [f'curl "$BURSAR{filled}"']
    if told["security"]:
        secret = "$TOKEN" if all("holderToken" in way for way in told["security"]) else "$KEY"
        lines.append(f'-H "Authorization: Bearer {secret}"')
    if method != "get":
        lines[0] = lines[0].replace("curl", f"curl -X {method.upper()}", 1)
    if "requestBody" in told:
        body = told["requestBody"]["content"]["application/json"]["example"]
        text = msgspec.json.encode(body).decode().replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    return " \\\n  ".join(lines)


_EXAMPLES: Final = {
    "holder": "maria",
    "asset": "coins",
    "hold": "seat-12A",
    "program": "monthly",
    "run": "run_7",
    "key": "key_3",
    "alert": "4",
    "version": "2",
    "posting_id": "8812",
}


def _types(document: Mapping[str, Any]) -> str:
    parts = "".join(
        f'<article class="type" id="type-{name}"><h3><a href="#type-{name}">{name}</a></h3>'
        f"{_prose(component.get('description', ''))}{_fields(component)}</article>"
        for name, component in document["components"]["schemas"].items()
    )
    return f'<section id="types"><h2>Types</h2>{parts}</section>'


def _type(schema: Schema) -> str:
    """Name a type, with what is known of it."""
    match schema:
        case {"$ref": str(ref)}:
            name = escape(ref.removeprefix(PREFIX))
            return f'<a href="#type-{name}">{name}</a>'
        case {"anyOf": list(options), **rest}:
            words = " or ".join(dict.fromkeys(_type(option) for option in options))
            return words + _default(rest)
        case {"enum": list(values), **rest}:
            words = " ".join(f"<code>{escape(str(value))}</code>" for value in values)
            return words + _default(rest)
        case {"type": "array", "prefixItems": list(items)}:
            return f"[{', '.join(_type(item) for item in items)}]"
        case {"type": "array", **rest}:
            return f"list of {_type(rest.get('items', {}))}{_limits(rest)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case {"type": kind, **rest}:
            word = {"date-time": "instant", "int64": "int64"}.get(rest.get("format", ""), kind)
            return f"<span>{escape(str(word))}</span>{_limits(rest)}{_default(rest)}"
        case _:
            return "<span>any JSON</span>"


def _limits(rest: Schema) -> str:
    for low, high, unit in _RANGES:
        if low not in rest and high not in rest:
            continue
        least, most = rest.get(low, 0), rest.get(high, 2**63)
        if unit and least <= 1:  # that a text is not empty goes without saying
            return f" <small>up to {most:,}{unit}</small>" if most < 2**53 else ""
        shown = f"{least:,} to {most:,}" if most < 2**53 else f"{least:,} or more"
        return f" <small>{shown}{unit}</small>"
    return ""


_RANGES: Final = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " of them"),
)


def _default(rest: Schema) -> str:
    if rest.get("default") in (None, [], {}):
        return ""
    value = msgspec.json.encode(rest["default"]).decode()
    return f" <small>else <code>{escape(value)}</code></small>"


def _sample(value: Any, *, folded: bool = False) -> str:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    shown = f"<pre><code>{escape(text)}</code></pre>"
    return f"<details><summary>Example</summary>{shown}</details>" if folded else shown


def _badge(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _chip(scope: str) -> str:
    return f'<span class="chip {escape(scope)}">{escape(scope)}</span>'


def _prose(text: str) -> str:
    return "".join(_blocks(text))


def _blocks(text: str) -> Iterator[str]:
    for block in filter(None, (block.strip() for block in text.split("\n\n"))):
        if block.startswith("- "):
            items = (_inline(item) for item in re.split(r"(?:^|\n)- ", block) if item.strip())
            yield f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
        else:
            yield f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown)

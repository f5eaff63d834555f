"""The OpenAPI document: the application's paths, with the types as msgspec reads and writes them.

It is made from the handlers alone: their paths, scopes, parameters, bodies, answers and docstrings.
What a handler's signature cannot tell stands in its ``opt``: ``body`` is the type that it reads
by itself; ``answers`` are its answers by status, each a type or the media
types of a text; ``headers`` are headers of its answer with what they mean; ``missing`` says that
what it shows may not be there, though nothing in the request names it; ``rejected`` that a rule
may say no, though nothing is changed.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final, get_args, get_origin

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.params import ParameterKwarg

from bursar.access import Scope
from bursar.api.examples import example_of
from bursar.api.problems import MEDIA_TYPE, Problem
from bursar.api.schemas import Schema, complete, reached, said, schemas_of
from bursar.api.scopes import EVERYBODY, Scopes
from bursar.api.story_own import AGAIN, NEW, OWN
from bursar.api.words import ABOUT, ERRORS, HEADERS, PARAMETERS, TAGS

_JSON: Final = "application/json"
_OWN: Final = frozenset({"request", "data", "state", "scope", "headers", "cookies", "body"})
_TYPED: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_BOUNDS: Final = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "min_items": "minItems",
    "max_items": "maxItems",
}


class _Operation(msgspec.Struct, frozen=True):
    """An endpoint as the document shows it; types are described all at once, later."""

    handler: HTTPRouteHandler
    path: str
    method: str
    parameters: tuple[tuple[str, str, Any, ParameterKwarg | None, bool, Any], ...]
    body: Any
    answers: Mapping[int, Any]


class _Types:
    """Describes every type of the document together, so that they share components."""

    def __init__(self, types: Iterable[Any]) -> None:
        self._types = list({repr(kind): kind for kind in types}.values())
        found = msgspec.json.encode(schemas_of(self._types))  # tuples are lists from here on
        schemas, self.components = msgspec.json.decode(found)
        self._schemas = {
            repr(kind): schema for kind, schema in zip(self._types, schemas, strict=True)
        }

    def of(self, kind: Any) -> Schema:
        """Describe a type; a schema of its own, which may be changed."""
        copied: Schema = msgspec.json.decode(msgspec.json.encode(self._schemas[repr(kind)]))
        return copied


def document_of(handlers: Iterable[BaseRouteHandler]) -> dict[str, Any]:
    """Describe the endpoints, in the order of their tags and paths."""
    operations = [
        operation
        for handler in handlers
        if isinstance(handler, HTTPRouteHandler)
        for operation in _operations(handler)
    ]
    types = _Types(_types_of(operations))
    asked = [types.of(operation.body) for operation in operations if operation.body is not None]
    answered = [
        types.of(kind)
        for operation in operations
        for kind in operation.answers.values()
        if not _is_media(kind)
    ]
    components = types.components
    complete(components, reached(components, answered) - reached(components, asked))
    _mend_commands(components)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        at = paths.setdefault(operation.path, {})
        at[operation.method] = _describe(operation, types, components)
    for component in components.values():
        component.pop("x-omits", None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bursar",
            "version": version("bursar"),
            "summary": "An app's own virtual currency: issued, earned, spent and accounted for.",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": name, "description": told} for name, told in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": {name: _header(name) for name in HEADERS},
            "responses": {name: _problem(status) for status, (name, _) in ERRORS.items()},
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of your servers, `bsk_…`. It has one or more scopes.",
                },
                "holderToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token for one person, valid for minutes, which your server "
                    "asks for and hands to its app. It reads what is theirs and makes claims.",
                },
            },
        },
    }


def _operations(handler: HTTPRouteHandler) -> Iterable[_Operation]:
    """Read what a handler's signature and ``opt`` say."""
    signature = handler.parsed_fn_signature
    for written in sorted(handler.paths):
        path = _TYPED.sub(r"{\1}", written)
        names = set(_TYPED.findall(written))
        found = []
        for name, parameter in signature.parameters.items():
            if name in _OWN:
                continue
            told = parameter.kwarg_definition
            rules = told if isinstance(told, ParameterKwarg) else None
            place, called = "query", name
            if name in names:
                place = "path"
            elif rules is not None:
                place, called = rules.param_type.value, rules.name or name
            required = parameter.default is inspect.Parameter.empty or place == "path"
            required = required or not parameter.has_default
            found.append((called, place, parameter.annotation, rules, required, parameter.default))
        data = signature.parameters.get("data")
        body = handler.opt.get("body", data.annotation if data is not None else None)
        answers = handler.opt.get("answers") or {
            handler.status_code: _unwrapped(signature.return_type.raw)
        }
        for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
            yield _Operation(handler, path, method.lower(), tuple(found), body, answers)


def _unwrapped(kind: Any) -> Any:
    """Take the type of a body out of ``Response[...]``."""
    kind = get_args(kind)[0] if get_origin(kind) is Response else kind
    return None if kind is type(None) else kind


def _is_media(kind: Any) -> bool:
    return kind is None or isinstance(kind, str | tuple)


def _types_of(operations: Iterable[_Operation]) -> Iterable[Any]:
    yield Problem
    for operation in operations:
        yield from (kind for _, _, kind, _, _, _ in operation.parameters)
        if operation.body is not None:
            yield operation.body
        yield from (kind for kind in operation.answers.values() if not _is_media(kind))


def _describe(operation: _Operation, types: _Types, components: Mapping[str, Schema]) -> Schema:
    handler = operation.handler
    scopes: Scopes = handler.opt.get("scopes", frozenset())
    summary, _, more = inspect.cleandoc(handler.fn.__doc__ or "").partition("\n\n")
    told: Schema = {
        "operationId": _camel(handler.fn.__name__),
        "tags": list(handler.tags or ()),
        "summary": said(summary).removesuffix("."),
        "description": said(more),
        "security": _security(scopes),
        "parameters": [_parameter(*given, types) for given in operation.parameters],
        "responses": {},
    }
    if any(_looks_at(handler, name) for name in _KEYED):
        needed = _looks_at(handler, "reference_of")  # there is no other name that could stand
        told["parameters"].append(_header_parameter("Idempotency-Key", required=needed))
    if _looks_at(handler, "if_match"):
        told["parameters"].append(_header_parameter("If-Match"))
    if _looks_at(handler, "if_none_match"):
        told["parameters"].append(_header_parameter("If-None-Match"))
    if operation.body is not None:
        schema = types.of(operation.body)
        words = OWN.get(told["operationId"], {})
        example = example_of(schema, components, told=words, asked=True)
        media = {"schema": schema, "example": example}
        told["requestBody"] = {"required": True, "content": {_JSON: media}}
    known = scopes is not EVERYBODY
    for status, kind in sorted(operation.answers.items()):
        told["responses"][str(status)] = _answer(handler, status, kind, types, components)
    for status in _failures(operation, known=known):
        told["responses"].setdefault(
            str(status), {"$ref": f"#/components/responses/{ERRORS[status][0]}"}
        )
    if not told["description"]:
        del told["description"]
    return told


def _security(scopes: Scopes) -> list[Schema]:
    """One alternative for each scope: any of them is enough."""
    return [
        {"holderToken" if scope is Scope.HOLDER else "apiKey": [scope.value]}
        for scope in Scope
        if scope in scopes
    ]


def _parameter(
    name: str,
    place: str,
    kind: Any,
    rules: ParameterKwarg | None,
    required: bool,
    default: Any,
    types: _Types,
) -> Schema:
    schema = types.of(kind)
    options = [option for option in schema.get("anyOf", [schema]) if option != {"type": "null"}]
    if len(options) == 1:  # a query parameter is left out, not null
        schema = options[0]
    for rule, word in _BOUNDS.items():
        if rules is not None and (bound := getattr(rules, rule, None)) is not None:
            schema[word] = bound
    if place == "path":
        schema.setdefault("minLength", 1)
    if not required and default is not None and isinstance(default, str | int):
        schema["default"] = default
    about = rules.description if rules is not None and rules.description else PARAMETERS.get(name)
    told: Schema = {"name": name, "in": place, "required": required, "schema": schema}
    if about:
        told["description"] = about
    return told


_KEYED: Final = ("idempotency_key", "named", "reference_of")
"""What a handler calls that takes the `Idempotency-Key`."""


def _looks_at(handler: HTTPRouteHandler, name: str) -> bool:
    """Say whether a handler reads a header that no signature shows: its own code tells."""
    return name in inspect.unwrap(handler.fn).__code__.co_names


def _header_parameter(name: str, *, required: bool = False) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": PARAMETERS[name],
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    }


def _answer(
    handler: HTTPRouteHandler,
    status: int,
    kind: Any,
    types: _Types,
    components: Mapping[str, Schema],
) -> Schema:
    headers: Schema = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if handler.opt.get("scopes") is not EVERYBODY:
        for name in ("RateLimit", "RateLimit-Policy"):
            headers[name] = {"$ref": f"#/components/headers/{name}"}
    for name, about in handler.opt.get("headers", {}).items():
        headers[name] = {"description": about, "required": True, "schema": {"type": "string"}}
    means = _MEANS.get(status, "What was asked for")
    if status == 200 and 201 in handler.opt.get("answers", ()):
        means = "Done, or it was so already"
    told: Schema = {"description": means, "headers": headers}
    if isinstance(kind, str | tuple):
        media = (kind,) if isinstance(kind, str) else kind
        told["content"] = {
            one: {"schema": {} if one == _JSON else {"type": "string"}} for one in media
        }
    elif kind is not None:
        schema = types.of(kind)
        words = OWN.get(_camel(handler.fn.__name__), {})
        if status in (200, 201) and len(handler.opt.get("answers", ())) > 1:
            words = {**words, **(NEW if status == 201 else AGAIN)}
        example = example_of(schema, components, told=words)
        told["content"] = {_JSON: {"schema": schema, "example": example}}
    return told


_MEANS: Final = {
    200: "Done, or what was asked for",
    201: "It was made",
    202: "It was begun",
    204: "Done",
    304: "It has not changed",
}


def _failures(operation: _Operation, *, known: bool) -> list[int]:
    """List the statuses of what an endpoint may refuse."""
    statuses = [400, 503]
    if known:
        statuses += [401, 403, 429]
    if _names_something(operation):
        statuses.append(404)
    if operation.method != "get":
        statuses += [409, 422]
    elif operation.handler.opt.get("rejected", False):
        statuses.append(422)
    if operation.body is not None:
        statuses += [408, 413]
    if _looks_at(operation.handler, "if_match"):
        statuses.append(412)
    return sorted(statuses)


def _names_something(operation: _Operation) -> bool:
    """Say whether a request names what might not be there."""
    if "{" in operation.path or operation.path.startswith("/v1/me/"):  # a token names its holder
        return True
    if operation.handler.opt.get("missing", False):
        return True
    names = {name for name, *_ in operation.parameters}
    for kind in get_args(operation.body) or (operation.body,):
        names.update(getattr(kind, "__struct_fields__", ()))
    return not names.isdisjoint(_NAMES)


_NAMES: Final = frozenset({"holder", "asset", "program", "run"})
"""Parameters and fields, outside of paths, that name what might not be there."""


def _header(name: str) -> Schema:
    about, example = HEADERS[name]
    return {
        "description": about,
        "required": True,
        "schema": {"type": "string"},
        "example": example,
    }


def _problem(status: int) -> Schema:
    _, about = ERRORS[status]
    names = ["X-Request-Id"]
    names += ["WWW-Authenticate"] if status == 401 else []
    names += ["Retry-After"] if status in (429, 503) else []
    return {
        "description": about,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _mend_commands(components: Mapping[str, Schema]) -> None:
    """Let the `Idempotency-Key` stand for a command's reference; in a batch each has its own."""
    for schema in components.values():
        properties = schema.get("properties", {})
        if "op" in properties and "reference" in schema.get("required", ()):
            schema["required"].remove("reference")
    if (batch := components.get("Batch")) is not None:
        items = batch["properties"]["commands"]["items"]
        batch["properties"]["commands"]["items"] = {"required": ["reference"], **items}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)

"""JSON Schemas of what goes over the wire, as msgspec reads and writes it.

msgspec describes its own types: tags, unknown fields, constraints, docstrings. What it leaves out
and a developer needs is added here: that whole numbers are int64, which texts are instants, that
an answer has all its fields, and what the domain says of amounts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from inspect import cleandoc
from typing import Any, Final

import msgspec
from msgspec import inspect

from bursar.ledger import MAX_AMOUNT

Schema = dict[str, Any]

_IDS: Final = re.compile(r"\s*\([A-Z]\d+(?:[-–, ]+[A-Z]?\d+)*\)")
PREFIX: Final = "#/components/schemas/"

_AMOUNTS: Final[Mapping[tuple[str, str], tuple[int, int]]] = {
    ("Credit", "amount"): (1, MAX_AMOUNT),
    ("Debit", "amount"): (1, MAX_AMOUNT),
    ("PlaceHold", "amount"): (1, MAX_AMOUNT),
    ("Capture", "amount"): (1, MAX_AMOUNT),
    ("Transfer", "amount"): (1, MAX_AMOUNT),
    ("Reverse", "amount"): (1, MAX_AMOUNT),
    ("SetLimit", "limit"): (0, MAX_AMOUNT),
    ("Expire", "keep"): (0, MAX_AMOUNT),
}
"""What the domain accepts; a test asks it."""


def schemas_of(types: Iterable[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """Describe types: a schema for each, and the components that they refer to, by name.

    Raises `LookupError` if two structs share a name: the names of the document are for good.
    """
    wanted = list(types)
    schemas, components = msgspec.json.schema_components(
        wanted, ref_template=PREFIX + "{name}", schema_hook=_unknown
    )
    structs = {found.cls.__name__: found for found in _structs(wanted)}
    for name, schema in components.items():
        if "." in name or "_" in name:
            raise LookupError(f"two types of the wire share a name: {name}")
        schema.pop("title", None)
        if "description" in schema:
            schema["description"] = said(schema["description"])
        if name in structs:
            _refine(schema, structs[name])
    found = list(schemas)
    for schema, kind in zip(found, inspect.multi_type_info(wanted), strict=True):
        _mark(schema, kind)
    return found, {name: components[name] for name in sorted(components)}


def said(docstring: str) -> str:
    """Turn a docstring into text for developers: paragraphs, lists, no ids of requirements."""
    text = _IDS.sub("", cleandoc(docstring)).replace("``", "`")
    return re.sub(r"(?<!\n)\n(?!\n|- )", " ", text).strip()


def complete(components: Mapping[str, Schema], used: Iterable[str]) -> None:
    """Say of structs that are only answered that every field is always there."""
    for name in used:
        schema = components[name]
        if "properties" in schema and not schema.pop("x-omits", False):
            schema["required"] = list(schema["properties"])


def reached(components: Mapping[str, Schema], schemas: Iterable[Any]) -> set[str]:
    """Name the components that schemas refer to, directly or through others."""
    found: set[str] = set()
    todo = list(schemas)
    while todo:
        match todo.pop():
            case {"$ref": str(ref)} if (name := ref.removeprefix(PREFIX)) not in found:
                found.add(name)
                todo.append(components[name])
            case dict(item):
                todo.extend(value for key, value in item.items() if key != "discriminator")
            case list(items):
                todo.extend(items)
    return found


def _unknown(kind: type) -> Schema:
    raise LookupError(f"{kind} is no type of the wire")


def _structs(types: Iterable[Any]) -> Iterator[inspect.StructType]:
    """Find the structs in types, each once."""
    seen: set[type] = set()
    todo: list[Any] = list(inspect.multi_type_info(types))
    while todo:
        kind = todo.pop()
        if isinstance(kind, inspect.StructType):
            if kind.cls not in seen:
                seen.add(kind.cls)
                yield kind
                todo.extend(field.type for field in kind.fields)
        else:
            todo.extend(_inner(kind))


def _inner(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """Tell what a type is made of."""
    match kind:
        case inspect.UnionType(types=types):
            return types
        case inspect.TupleType(item_types=types):
            return types
        case inspect.Metadata(type=inner):
            return (inner,)
        case inspect.DictType(value_type=inner):
            return (inner,)
        case (
            inspect.ListType(item_type=inner)
            | inspect.VarTupleType(item_type=inner)
            | inspect.SetType(item_type=inner)
            | inspect.FrozenSetType(item_type=inner)
        ):
            return (inner,)
        case _:
            return ()


def _refine(schema: Schema, struct: inspect.StructType) -> None:
    """Add to a struct's schema what msgspec does not say."""
    name = struct.cls.__name__
    if struct.cls.__struct_config__.omit_defaults:
        schema["x-omits"] = True
    for field in struct.fields:
        told = schema["properties"][field.encode_name]
        _mark(told, field.type)
        if bounds := _AMOUNTS.get((name, field.name)):
            for part in _parts(told, "integer"):
                part["minimum"], part["maximum"] = bounds


def _mark(schema: Schema, kind: inspect.Type) -> None:
    """Write down the formats of numbers and instants, through lists and unions."""
    for part in _parts(schema, "integer"):
        part.setdefault("format", "int64")
    if isinstance(kind, inspect.Metadata):
        _mark(schema, kind.type)
        return
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    if any(isinstance(one, inspect.DateTimeType) for one in kinds) and not any(
        isinstance(one, inspect.StrType) for one in kinds
    ):
        for part in _parts(schema, "string"):
            part["format"] = "date-time"
    for one in kinds:
        if isinstance(one, inspect.TupleType):
            for part in _parts(schema, "array"):
                for item, item_kind in zip(part["prefixItems"], one.item_types, strict=True):
                    _mark(item, item_kind)
        elif inner := _inner(one):
            for part in _parts(schema, "array"):
                _mark(part.get("items", {}), inner[0])
            for part in _parts(schema, "object"):
                if isinstance(part.get("additionalProperties"), dict):
                    _mark(part["additionalProperties"], inner[0])


def _parts(schema: Schema, kind: str) -> list[Schema]:
    """Find the alternatives of a schema that are of a JSON type."""
    options: list[Schema] = schema.get("anyOf", [schema])
    return [option for option in options if option.get("type") == kind]

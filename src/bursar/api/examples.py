"""Examples for the document: made from the schemas and the words of one little story."""

from collections.abc import Mapping
from typing import Any, Final

from bursar.api.story import WORDS
from bursar.api.story_own import ELSEWHERE, LEFT_OUT, SHOWN

Schema = Mapping[str, Any]
Told = Mapping[str, Any]

_PREFIX: Final = "#/components/schemas/"
_DEEPEST: Final = 6
_NOTHING: Final[Told] = {}


def example_of(
    schema: Schema,
    components: Mapping[str, Schema],
    *,
    told: Told = _NOTHING,
    asked: bool = False,
    depth: int = 0,
) -> Any:
    """Make an example; what is ``asked`` has only the fields that matter.

    ``told`` is what the endpoint has of its own: by field, or by type and field, as `Hold.state`.
    """
    if depth > _DEEPEST:
        return None
    match schema:
        case {"$ref": str(ref)}:
            name = ref.removeprefix(_PREFIX)
            return _named(name, components[name], components, told=told, asked=asked, depth=depth)
        case {"anyOf": [first, *_]}:
            return example_of(first, components, told=told, asked=asked, depth=depth)
        case {"example": given}:
            return given
        case {"enum": [first, *_]}:
            return first
        case {"default": given} if given is not None:
            return given
        case {"type": "array", "prefixItems": items}:
            return [
                example_of(item, components, told=told, asked=asked, depth=depth + 1)
                for item in items
            ]
        case {"type": "array", "items": dict(items)} if items:
            return [example_of(items, components, told=told, asked=asked, depth=depth + 1)]
        case {"type": "object"}:
            return {}
        case {"type": "integer" | "number", **rest}:
            return rest.get("minimum", 1)
        case {"type": "boolean"}:
            return False
        case {"format": "date"}:
            return "2026-03-01"
        case {"format": "date-time"}:
            return WORDS["at"]
        case {"type": "string"}:
            return UNTOLD
        case _:
            return None


UNTOLD: Final = "text"
"""Stands where no word is known for a text; a test finds it."""


def _named(
    name: str,
    schema: Schema,
    components: Mapping[str, Schema],
    *,
    told: Told,
    asked: bool,
    depth: int,
) -> Any:
    if "properties" not in schema:
        return example_of(schema, components, told=told, asked=asked, depth=depth)
    required = set(schema.get("required", ()))
    shown = {}
    for field, kind in schema["properties"].items():
        own = f"{name}.{field}"
        place = next((words for words in (told, ELSEWHERE) if own in words), None)
        if place is not None:
            shown[field] = place[own]
        elif field in required or own in SHOWN or (asked and _worth(field)):
            word = told.get(field, WORDS.get(field, _NONE))
            if word is not _NONE and _fits(word, kind):
                shown[field] = word
            else:
                shown[field] = example_of(kind, components, told=told, asked=asked, depth=depth + 1)
    return shown


_NONE: Final = object()


def _worth(field: str) -> bool:
    """Say whether a field that may be missing from a request is worth showing."""
    return field in WORDS and field not in LEFT_OUT


def _fits(value: Any, schema: Schema) -> bool:
    """Say whether a word may stand there, as far as its JSON type and the choices go."""
    kinds = {type(None): "null", bool: "boolean", int: "integer", str: "string", dict: "object",
             list: "array"}  # fmt: skip
    for option in schema.get("anyOf", [schema]):
        if "enum" in option:
            if value in option["enum"]:
                return True
        elif option.get("type", kinds[type(value)]) == kinds[type(value)] and "$ref" not in option:
            return True
    return False

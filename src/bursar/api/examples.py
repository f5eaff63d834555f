"""Examples for the document: made from the schemas and the words of one little story.

Maria is a member of a club that gives coins. A field's name says what stands in it, so every
endpoint tells the same story, and a new one does from its first day.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_PREFIX: Final = "#/components/schemas/"
_DEEPEST: Final = 6

WORDS: Final[Mapping[str, Any]] = {
    "holder": "maria",
    "holder_id": 1041,
    "holders": ["maria", "jun"],
    "to": "jun",
    "asset": "coins",
    "code": "coins",
    "scale": 0,
    "amount": 250,
    "balance": 1250,
    "available": 1000,
    "held": 250,
    "held_change": 0,
    "credit_limit": 0,
    "limit": 500,
    "owed": 0,
    "remaining": 250,
    "priority": 0,
    "seq": 7,
    "posting_id": 8812,
    "reference": "order-1042",
    "target": "order-1042",
    "hold": "seat-12A",
    "origin": "monthly",
    "source": "shop",
    "house_account": "issued",
    "reason": "refund of order 1042",
    "actor": "api:shop",
    "at": "2026-03-01T09:00:00Z",
    "effective_at": "2026-03-01T09:00:00Z",
    "recorded_at": "2026-03-01T09:00:00.120000Z",
    "expires_at": "2026-09-01T00:00:00Z",
    "deadline": "2026-03-01T09:15:00Z",
    "until": "2026-09-01T00:00:00Z",
    "checksum": "5f2c1e77a90b4d3c8e6f0a1b2c3d4e5f5f2c1e77a90b4d3c8e6f0a1b2c3d4e5f",
    "metadata": {"cart": "c-77"},
    "cursor": None,
    "state": "active",
    "status": "applied",
    "message": "the wallet has 120 available",
    "fields": {"available": 120},
    "applied": 1,
    "replayed": 0,
    "refused": 0,
    "group": None,
    "program": "monthly",
    "external_id": "maria",
    "username": "maria",
    "email": "maria@example.org",
    "locale": "pt-PT",
    "time_zone": "Europe/Lisbon",
    "tier": "gold",
    "outcome": "changed",
    "field": "tier",
    "unknown": ["nobody"],
    "logins": {"maria": "2026-03-01T08:55:00Z"},
    "by": "recorded",
    "why": "period 2026-04, for everybody at once",
    "owner": "shop",
    "secret": "bsk_…",
    "run": "run_7",
    "target_run": None,
    "period": "2026-03",
    "key": "2026-03",
    "starts": "2026-03-01",
    "formula": None,
    "started_by": "api:ada",
    "approved_by": "api:grace",
    "decided_by": "api:grace",
    "author": "api:ada",
    "note": None,
    "begun": ["run_7"],
    "waiting": [],
    "name": "sportsclub",
    "text": '[economy]\nname = "sportsclub"\n\n[assets.coins]\n',
    "sha256": "9f2b1c77a90b4d3c8e6f0a1b2c3d4e5f9f2b1c77a90b4d3c8e6f0a1b2c3d4e5f",
    "hash": "5f2c1e77a90b4d3c8e6f0a1b2c3d4e5f",
    "raises": ["programs.monthly.limits.award: 100 to 250"],
    "effect": "from the next period on",
    "act": "run.approve",
    "subject": "run_7",
    "resolved_by": None,
}
"""What stands in a field of this name, wherever it occurs."""

ELSEWHERE: Final[Mapping[tuple[str, str], Any]] = {
    ("AwardView", "kind"): "scheduled",
    ("MyAward", "kind"): "scheduled",
    ("MyEntry", "kind"): "spend",
    ("MyEntry", "amount"): -250,
    ("AwardView", "reference"): "monthly:2026-03",
    ("KeyView", "name"): "checkout",
    ("KeyWanted", "name"): "checkout",
    ("HolderRefusal", "code"): "invalid",
    ("PeriodView", "key"): "2026-03",
    ("Health", "status"): "ok",
    ("Receipt", "status"): "applied",
    ("EntryView", "kind"): "spend",
    ("EntryView", "amount"): -250,
    ("EntryView", "detail"): None,
    ("EntryView", "house_account"): "revenue",
    ("Wallet", "lots"): [],
    ("Hold", "state"): "open",
    ("Credit", "kind"): "grant",
    ("Alert", "kind"): "approval_needed",
    ("Program", "name"): "monthly",
    ("Change", "name"): "monthly",
    ("NewGrant", "program"): None,
    ("NewGrant", "run"): None,
    ("MoveOf", "to"): "2026-03-31T00:00:00Z",
    ("ApplyOf", "expect"): "5f2c1e77a90b4d3c8e6f0a1b2c3d4e5f",
}
"""Where a name means something else than in other places."""

_LEFT_OUT: Final = frozenset({"holder_id", "to_id", "group", "effective_at", "keep_rest"})
"""Fields that a first request does without."""

_SHOWN: Final = frozenset({("Outcome", "entry")})
"""Fields of answers that may be missing, and are not here."""


def example_of(
    schema: Schema, components: Mapping[str, Schema], *, asked: bool = False, depth: int = 0
) -> Any:
    """Make an example; what is ``asked`` has only the fields that matter."""
    if depth > _DEEPEST:
        return None
    match schema:
        case {"$ref": str(ref)}:
            name = ref.removeprefix(_PREFIX)
            return _named(name, components[name], components, asked=asked, depth=depth)
        case {"anyOf": [first, *_]}:
            return example_of(first, components, asked=asked, depth=depth)
        case {"example": given}:
            return given
        case {"enum": [first, *_]}:
            return first
        case {"default": given} if given is not None:
            return given
        case {"type": "array", "prefixItems": items}:
            return [example_of(item, components, asked=asked, depth=depth + 1) for item in items]
        case {"type": "array", "items": dict(items)} if items:
            return [example_of(items, components, asked=asked, depth=depth + 1)]
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
    name: str, schema: Schema, components: Mapping[str, Schema], *, asked: bool, depth: int
) -> Any:
    if "properties" not in schema:
        return example_of(schema, components, asked=asked, depth=depth)
    required = set(schema.get("required", ()))
    shown = {}
    for field, told in schema["properties"].items():
        if field not in required and not _worth(name, field, asked=asked):
            continue
        if (name, field) in ELSEWHERE:
            shown[field] = ELSEWHERE[name, field]
        elif field in WORDS and _fits(WORDS[field], told):
            shown[field] = WORDS[field]
        else:
            shown[field] = example_of(told, components, asked=asked, depth=depth + 1)
    return shown


def _worth(name: str, field: str, *, asked: bool) -> bool:
    """Say whether a field that may be missing is worth showing."""
    if (name, field) in ELSEWHERE or (name, field) in _SHOWN:
        return True
    return asked and field in WORDS and field not in _LEFT_OUT


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

"""How a file's columns become holders: the plan of an import (H2, H3). Pure.

A plan is the same on the command line and as a TOML file:

    name = "launch"
    delimiter = ";"
    map = { external_id = "customerID", status = "Churn", "attributes.plan" = "Contract" }
    values.status = { Yes = "canceled", No = "active" }
    defaults = { tier = "free" }
    openings = { coins = "Balance" }
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from bursar.platform.errors import Invalid

ROW: Final = "@row"
"""The column that every file has: the number of the row, 1 for the first below the header."""

FIELDS: Final = (
    "external_id",
    "username",
    "email",
    "locale",
    "time_zone",
    "created_at",
    "status",
    "tier",
    "verified",
    "subscription_start",
    "billing_anchor",
    "last_login_at",
    "attributes",
    "at",
)
"""What a column can be mapped to, as in `HolderChange`, and ``attributes.NAME``."""

_ATTRIBUTE: Final = "attributes."
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class ImportPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read a file.

    ``map`` is field to column; without one the columns named as fields are taken. ``values`` says
    by field what a cell's text stands for, ``defaults`` what an empty cell or a field without a
    column means. ``openings`` is asset to column: opening balances, in the asset's own notation,
    under the reference ``opening:`` and ``name``. ``texts`` are attributes whose cells stay texts
    though they look like numbers, ``flags`` attributes of yes and no. Dates without a zone are of
    ``zone``; ``date_format`` is strptime's, ISO 8601 by default. ``strict`` imports nothing if a
    row is rejected.
    """

    map: Mapping[str, str] = {}
    values: Mapping[str, Mapping[str, str]] = {}
    defaults: Mapping[str, str] = {}
    openings: Mapping[str, str] = {}
    texts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    name: str = ""
    format: Literal["csv", "jsonl"] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    date_format: str = ""
    zone: str = "UTC"
    strict: bool = False


def plan_of(shape: Mapping[str, Any]) -> ImportPlan:
    """Read a plan from what a TOML file says; raises `Invalid` ``import_plan``."""
    try:
        return check_plan(msgspec.convert(shape, ImportPlan))
    except msgspec.ValidationError as error:
        raise Invalid("import_plan", f"the plan of the import: {error}") from None


def check_plan(plan: ImportPlan) -> ImportPlan:
    """Refuse a plan that names what is not there or contradicts itself."""
    named = [*plan.map, *plan.values, *plan.defaults, *plan.texts, *plan.flags]
    for field in named:
        if not is_field(field):
            raise wrong(f"{field!r} is no field of a holder", field)
    for field in (*plan.texts, *plan.flags):
        if not field.startswith(_ATTRIBUTE):
            raise wrong(f"only attributes are texts or flags, {field!r} is none", field)
    whole = "attributes" in {*plan.map, *plan.defaults}
    if whole and any(field.startswith(_ATTRIBUTE) for field in named):
        raise wrong("attributes as a whole and one by one exclude each other", "attributes")
    if plan.openings and not _NAME.fullmatch(plan.name):
        raise wrong("opening balances need a name of the import, of letters, digits, _ . -", "name")
    single = len(plan.delimiter) == 1 and plan.delimiter.isascii()
    if not single or plan.delimiter in '"\r\n\0':
        raise wrong("a delimiter is one character, not a quote", "delimiter")
    return plan


def is_field(field: str) -> bool:
    """Can a column be mapped to this?"""
    if field.startswith(_ATTRIBUTE):
        name = field.removeprefix(_ATTRIBUTE)
        return 0 < len(name) <= 100 and name.isprintable()
    return field in FIELDS


def attribute_of(field: str) -> str | None:
    """Name the attribute that a field is; None if it is another."""
    return field.removeprefix(_ATTRIBUTE) if field.startswith(_ATTRIBUTE) else None


def pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """Read ``FIELD=TEXT`` once for each field."""
    found: dict[str, str] = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not (field and equals):
            raise wrong(f"{option} {text!r}: write it FIELD=…", field)
        if field in found:
            raise wrong(f"{option} names {field!r} twice", field)
        found[field] = value
    return found


def value_pairs(given: Iterable[str]) -> dict[str, dict[str, str]]:
    """Read ``FIELD:FROM=TO``; FROM may itself hold an equals sign."""
    found: dict[str, dict[str, str]] = {}
    for text in given:
        field, colon, rest = text.partition(":")
        before, equals, after = rest.rpartition("=")
        if not (field and colon and equals):
            raise wrong(f"--value {text!r}: write it FIELD:FROM=TO", field)
        if found.setdefault(field, {}).setdefault(before, after) != after:
            raise wrong(f"--value gives {before!r} of {field!r} two meanings", field)
    return found


def wrong(problem: str, field: str = "") -> Invalid:
    """Make the error of a plan."""
    return Invalid("import_plan", f"the plan of the import: {problem}", field=field)

"""From the cells of a row to a change of a holder (H2). Pure.

Whatever a cell holds is data: nothing is executed or interpreted but as the plan says. An empty
cell says nothing, so that a sparse file takes nothing away; a null of JSON clears what may be
empty. Cells that are alike in many rows are looked at once.
"""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import UNSET

from bursar.holders.examine import CHECKS
from bursar.holders.importing.import_plan import FIELDS, ImportPlan, attribute_of, wrong
from bursar.holders.model import HolderChange
from bursar.ledger.model import MAX_AMOUNT, Asset

Convert = Callable[[Any], Any]

_NEW: Final = object()
_MANY: Final = 10_000
_SINGULAR: Final = {"external_id", "username", "email"}
"""Cells of which no two are alike: not worth remembering."""

_NUMBERS: Final = msgspec.json.Encoder(decimal_format="number")
_YES: Final = {"yes", "true", "1", "y", "t", "on"}
_NO: Final = {"no", "false", "0", "n", "f", "off"}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?")
_AMOUNT: Final = re.compile(r"[0-9]{1,19}(?:\.[0-9]{0,12})?")


class BadCell(Exception):
    """A cell that cannot be what the plan says; the text is for whoever mends the file."""


class Column:
    """One field of the change, and how a cell becomes its value."""

    __slots__ = ("convert", "default", "field", "known", "singular", "source")

    def __init__(self, field: str, source: str | None, convert: Convert, default: Any) -> None:
        self.field = field
        self.source = source
        self.default = default
        self.convert = convert
        self.singular = field in _SINGULAR
        self.known: dict[str, Any] = {}

    def value(self, cell: Any) -> Any:
        """Turn a cell into a value of the change, and remember a text's; raises `BadCell`."""
        value = self._value(cell)
        known = self.known
        if type(cell) is str and not self.singular:
            if len(known) >= _MANY:
                known.clear()
            known[cell] = value
        return value

    def _value(self, cell: Any) -> Any:
        if type(cell) is str:
            cell = cell.strip()
        if cell == "" or cell is UNSET:
            return self.default
        try:
            return self.convert(cell)
        except BadCell as bad:
            raise BadCell(f"{self.field} {bad}") from None


class Layout(msgspec.Struct, frozen=True):
    """The columns of a plan, ready for rows."""

    plain: tuple[tuple[int, Column], ...]
    attributes: tuple[tuple[str, Column], ...]
    openings: tuple[tuple[Asset, Column], ...]

    def columns(self) -> list[Column]:
        """List every column, in the order in which `change` takes its cells."""
        groups = (self.plain, self.attributes, self.openings)
        return [column for group in groups for _, column in group]

    def change(self, cells: Sequence[Any]) -> tuple[HolderChange, Sequence[int]]:
        """Make a change and its opening balances (0 for none); raises `BadCell`."""
        values = _TEMPLATE.copy()
        at = 0
        for position, column in self.plain:
            cell = cells[at]
            at += 1
            value = column.known.get(cell, _NEW) if type(cell) is str else _NEW
            values[position] = column.value(cell) if value is _NEW else value
        if self.attributes:
            values[_ATTRIBUTES] = named = {}
            for name, column in self.attributes:
                cell = cells[at]
                at += 1
                value = column.known.get(cell, _NEW) if type(cell) is str else _NEW
                if value is _NEW:
                    value = column.value(cell)
                if value is not UNSET:
                    named[name] = value
            if (bad := CHECKS["attributes"](named)) is not None:
                raise BadCell(f"attributes {bad}")
        if values[0] is UNSET:
            raise BadCell("external_id is empty")
        if values[_AT] is UNSET:
            values[_AT] = None
        if not self.openings:
            return HolderChange(*values), ()
        amounts = [column.value(cells[at + n]) for n, (_, column) in enumerate(self.openings)]
        return HolderChange(*values), amounts


_TEMPLATE: Final[list[Any]] = [UNSET] * len(FIELDS)
_ATTRIBUTES: Final = FIELDS.index("attributes")
_AT: Final = FIELDS.index("at")


def layout_of(
    plan: ImportPlan,
    names: Container[str] | None,
    assets: Mapping[str, Asset],
    zone: tzinfo,
    zones: Container[str],
) -> Layout:
    """Prepare a plan; ``names`` are the columns of a file that without a map names fields itself.

    None is for JSON Lines, whose values have types. Raises `Invalid` ``import_plan`` for a
    default that cannot be a value of its field.
    """
    mapping = dict(plan.map)
    if not mapping and names is not None:
        mapping = {field: field for field in FIELDS if field in names}
    for field in plan.defaults:
        mapping.setdefault(field, "")
    if "external_id" not in mapping:
        raise wrong("nothing says which column is external_id", "external_id")
    plain: list[tuple[int, Column]] = []
    attributes: list[tuple[str, Column]] = []
    for field, source in mapping.items():
        column = _column(plan, field, source or None, zone, zones, typed=names is None)
        if (name := attribute_of(field)) is None:
            plain.append((FIELDS.index(field), column))
        else:
            attributes.append((name, column))
    openings = tuple(
        (assets[code], Column(f"opening of {code}", source, _amount(assets[code]), 0))
        for code, source in plan.openings.items()
    )
    return Layout(tuple(sorted(plain, key=_position)), tuple(attributes), openings)


def _position(pair: tuple[int, Column]) -> int:
    return pair[0]


def _column(
    plan: ImportPlan,
    field: str,
    source: str | None,
    zone: tzinfo,
    zones: Container[str],
    *,
    typed: bool,
) -> Column:
    plain = _converter(plan, field, zone, zones)
    if plain is _attribute and typed:
        plain = _typed_attribute
    convert = _mapped(plain, plan.values.get(field))
    column = Column(field, source, convert, UNSET)
    if field in plan.defaults:
        try:
            default = column.value(plan.defaults[field])
        except BadCell as bad:
            raise wrong(f"the default of {bad}", field) from None
        column = Column(field, source, convert, default)
    return column


def _converter(plan: ImportPlan, field: str, zone: tzinfo, zones: Container[str]) -> Convert:
    """Choose how a cell of this field is read, and check what comes of it."""
    if field in plan.texts:
        return _text
    if field in plan.flags:
        return _flag
    if attribute_of(field) is not None:
        return _attribute
    match field:
        case "verified":
            return _checked(field, _flag)
        case "attributes":
            return _checked(field, _object)
        case "created_at" | "subscription_start" | "billing_anchor" | "last_login_at" | "at":
            return _checked(field, _instant(plan.date_format, zone))
        case "time_zone":
            return _checked(field, _zone(zones))
        case _:
            return _checked(field, _text)


def _checked(field: str, convert: Convert) -> Convert:
    """Let only pass what a change may say; a null of JSON is silence where nothing is cleared."""
    check = CHECKS[field]
    may_be_empty = check(None) is None

    def checked(cell: Any) -> Any:
        if cell is None:
            return None if may_be_empty else UNSET
        value = convert(cell)
        if (bad := check(value)) is not None:
            raise BadCell(f"{bad}: {_shown(cell)}")
        return value

    return checked


def _mapped(convert: Convert, values: Mapping[str, str] | None) -> Convert:
    """Say first what a cell's text stands for."""
    if not values:
        return convert

    def mapped(cell: Any) -> Any:
        text = _spelled(cell)
        return convert(values.get(text, cell))

    return mapped


def _spelled(cell: Any) -> str:
    match cell:
        case bool():
            return "true" if cell else "false"
        case None:
            return "null"
        case _:
            return str(cell)


def _text(cell: Any) -> str | None:
    if type(cell) is str or cell is None:
        return cell
    if type(cell) is int or isinstance(cell, Decimal):
        return str(cell)
    raise BadCell("must be a text")


def _flag(cell: Any) -> bool | None:
    if type(cell) is bool or cell is None:
        return cell
    word = str(cell).lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadCell(f"must be yes or no: {_shown(cell)}")


def _attribute(cell: Any) -> Any:
    """Read a number or true and false where a cell looks so, else a text."""
    match cell:
        case str():
            if _NUMBER.fullmatch(cell) and cell != "-0":
                return msgspec.json.decode(cell)
            return {"true": True, "false": False}.get(cell.lower(), cell)
        case Decimal():
            return _object(str(cell))
        case dict() | list():
            raise BadCell("must be a single value, not a nested one")
        case _:
            return cell


def _typed_attribute(cell: Any) -> Any:
    """Take a value as JSON says it: a text that looks like a number is a text."""
    return cell if type(cell) is str else _attribute(cell)


def _object(cell: Any) -> Any:
    """Read JSON that stands in a cell, or take the object that it is."""
    try:
        if isinstance(cell, str):
            return msgspec.json.decode(cell)
        return msgspec.json.decode(_NUMBERS.encode(cell))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError):
        raise BadCell(f"is not JSON: {_shown(cell)}") from None


def _zone(zones: Container[str]) -> Convert:
    def convert(cell: Any) -> str:
        if not isinstance(cell, str) or cell not in zones:
            raise BadCell(f"is not known here: {_shown(cell)}")
        return cell

    return convert


def _instant(date_format: str, zone: tzinfo) -> Convert:
    def convert(cell: Any) -> datetime:
        if not isinstance(cell, str):
            raise BadCell(f"must be a date: {_shown(cell)}")
        try:
            if date_format:
                at = datetime.strptime(cell, date_format)  # noqa: DTZ007 - its zone follows
            else:
                at = datetime.fromisoformat(cell)
        except (ValueError, OverflowError):
            how = f"like {date_format}" if date_format else "like 2026-03-31 or 2026-03-31T18:30Z"
            raise BadCell(f"is no date {how}: {_shown(cell)}") from None
        return at.replace(tzinfo=zone) if at.tzinfo is None else at

    return convert


def _amount(asset: Asset) -> Convert:
    """Read an amount in the asset's units, ``1 234.50``, as minor units."""
    places = f"an amount of {asset.code} with at most {asset.scale} decimal places"

    def convert(cell: Any) -> int:
        if cell is None:
            return 0
        text = format(cell, "f") if isinstance(cell, Decimal) else str(cell).replace(" ", "")
        if isinstance(cell, bool) or not _AMOUNT.fullmatch(text):
            raise BadCell(f"is not {places}: {_shown(cell)}")
        whole, _, part = text.partition(".")
        part = part.rstrip("0") if asset.scale < len(part) else part
        if len(part) > asset.scale:
            raise BadCell(f"is not {places}: {_shown(cell)}")
        amount = int(whole + part.ljust(asset.scale, "0"))
        if amount > MAX_AMOUNT:
            raise BadCell(f"is too large: {_shown(cell)}")
        return amount

    return convert


def _shown(cell: Any) -> str:
    """Quote a cell, cut short."""
    text = str(cell)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")

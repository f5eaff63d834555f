"""Showing things: tables and sentences for people, JSON in minor units for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bursar.ledger import Entry

_PIPED_WIDTH: Final = 4096
"""Nobody looks at the width of a file: there a row is a line, whatever its length."""


_LONG: Final = {"holder", "reference", "source", "origin", "where", "the entries say", "there is"}
"""The columns whose texts may go over several lines where a terminal is narrow."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Make a console that shows text as it is; colour only where a terminal can show it."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return _Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)


def say(text: str) -> None:
    """Write a line for people to standard output."""
    sys.stdout.write(text + "\n")


def emit(answer: object) -> None:
    """Write one JSON object to standard output."""
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")


def tabulate(columns: Sequence[str | Column], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; a column whose name ends in ``>`` is of numbers."""
    named = [_column(c) if isinstance(c, str) else c for c in columns]
    table = Table(*named, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    _print(table)


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Write names and values under one another."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))
    _print(table)


def amount(minor: int, scale: int, code: str = "") -> str:
    """Spell an amount in the asset's units: ``1 234.50 coins``."""
    whole, part = divmod(abs(minor), 10**scale)
    text = f"{whole:,}".replace(",", " ")
    if scale:
        text += f".{part:0{scale}}"
    sign = "-" if minor < 0 else ""
    return f"{sign}{text} {code}".rstrip()


def change(minor: int, scale: int, code: str = "") -> str:
    """Spell a change of a balance, its sign always shown; nothing for none."""
    if not minor:
        return ""
    return ("+" if minor > 0 else "") + amount(minor, scale, code)


def instant(at: datetime | None, *, none: str = "never") -> str:
    """Spell an instant in UTC, to the second."""
    return none if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def entry_json(entry: Entry, *, asset: str, holder: str | None) -> dict[str, Any]:
    """Give an entry the shape that programs see: names beside numbers, the checksum in hex."""
    shape: dict[str, Any] = {"holder": holder, "asset": asset}
    shape |= msgspec.structs.asdict(entry)
    metadata = entry.metadata
    return shape | {
        "metadata": None if metadata is None else msgspec.Raw(metadata.encode()),
        "checksum": entry.checksum.hex(),
    }


def counted(number: int, what: str, plural: str | None = None) -> str:
    """Spell a number of things: ``1 line``, ``2 000 lines``."""
    name = what if number == 1 else plural or f"{what}s"
    return f"{amount(number, 0)} {name}"


def compact(values: Mapping[str, object]) -> str:
    """Spell fields on one line: ``line 3, kind earn``."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _print(table: Table) -> None:
    """Write a table without the blanks that fill its lines."""
    shown = console()
    with shown.capture() as captured:
        shown.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _column(name: str) -> Column:
    if name.endswith(">"):
        return Column(name[:-1], justify="right", no_wrap=True)
    return Column(name, overflow="fold", no_wrap=name not in _LONG)

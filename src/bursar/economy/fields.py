"""Reading the values of a TOML table, one key at a time, and collecting all that is wrong. Pure.

A value that is wrong reads as its default, so that reading goes on: what comes of it counts only
while there are no problems.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final, TypeVar

from bursar.economy.locate import Lines, Path
from bursar.economy.model import Problem
from bursar.ledger.model import MAX_AMOUNT

T = TypeVar("T")

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
MAX_TEXT: Final = 500
_MOST_PROBLEMS: Final = 200
_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOUR: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Problems:
    """What is wrong with a file; of very many the first are kept and the rest counted."""

    def __init__(self, lines: Lines) -> None:
        self.count = 0
        self._lines = lines
        self._found: list[Problem] = []

    @property
    def found(self) -> list[Problem]:
        """The problems in the order of the file."""
        return sorted(self._found, key=lambda problem: problem.line)

    @property
    def full(self) -> bool:
        """Whether enough were found for anybody to read."""
        return self.count >= _MOST_PROBLEMS

    def add(self, path: Path, text: str) -> None:
        """Note what is wrong with the value at a path."""
        self.count += 1
        if len(self._found) < _MOST_PROBLEMS:
            self._found.append(Problem(self._lines.find(path), dotted(path), text))


class Fields:
    """One table while it is read. `end` complains of what nobody asked for."""

    def __init__(self, values: Mapping[str, Any], path: Path, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self._values = values
        self._asked: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str | None, text: str) -> None:
        """Note what is wrong with a key, or with the table."""
        self.problems.add(self.path if key is None else (*self.path, key), text)

    def take(self, key: str) -> Any:
        """Return the value of a key as it stands, None if there is none."""
        if key not in self._asked:
            self._asked.append(key)
        return self._values.get(key)

    def required(self, key: str) -> bool:
        """Complain if a key is missing."""
        if key not in self._values:
            self.wrong(None, f"{key} is missing")
        return key in self._values

    def text(self, key: str, default: str = "", *, most: int = MAX_TEXT) -> str:
        """Read a line of text."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str):
            return self._no(key, default, f"must be text, not {kind(value)}")
        if len(value) > most:
            return self._no(key, default, f"may have {most:,} characters at most")
        if not value.isprintable():
            return self._no(key, default, "may not have control characters")
        return value

    def name(self, key: str) -> str:
        """Read a name of the economy's own."""
        value = self.text(key)
        if value and not NAME.fullmatch(value):
            return self._no(key, "", NOT_A_NAME)
        if not value and isinstance(self.take(key), str):
            self.wrong(key, "may not be empty")
        return value

    def source(self, key: str) -> str:
        """Read an expression; it may go over several lines."""
        value = self.take(key)
        if isinstance(value, str) and value.strip():
            return value
        said = "may not be empty" if isinstance(value, str) else f"is text, not {kind(value)}"
        return self._no(key, "", f"an expression {said}")

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self.take(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        return self._no(key, default, f"must be true or false, not {kind(value)}")

    def number(self, key: str, least: int, most: int) -> int | None:
        """Read a whole number."""
        value = self.take(key)
        if value is None:
            return None
        if type(value) is not int:
            return self._no(key, None, f"must be a whole number, not {kind(value)}")
        if not least <= value <= most:
            return self._no(key, None, f"must be from {least:,} to {most:,}")
        return value

    def amount(self, key: str, least: int = 1) -> int | None:
        """Read an amount in minor units."""
        return self.number(key, least, MAX_AMOUNT)

    def choice(self, key: str, choices: Sequence[str], default: Any = None) -> Any:
        """Read one of a few words."""
        value = self.take(key)
        if value is None:
            return default
        listed = one_of(choices)
        if not isinstance(value, str):
            return self._no(key, default, f"must be {listed}, not {kind(value)}")
        if value not in choices:
            return self._no(key, default, f"must be {listed}{suggestion(value, choices)}")
        return value

    def day(self, key: str) -> date | None:
        """Read a date."""
        value = self.take(key)
        if value is None or type(value) is date:
            return value
        return self._no(key, None, f"must be a date like 2026-01-31, not {kind(value)}")

    def hour(self, key: str, default: str | None) -> str | None:
        """Read an hour of the day."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str) or not _HOUR.fullmatch(value):
            return self._no(key, default, 'must be an hour in quotes, like "18:30"')
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """Read a list of names, each once."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return self._no(key, (), 'must be a list of names, like ["one", "two"]')
        if not all(NAME.fullmatch(item) for item in value):
            return self._no(key, (), NOT_A_NAME)
        if len(set(value)) < len(value):
            return self._no(key, (), "names something twice")
        return tuple(value)

    def table(self, key: str, example: str = "") -> "Fields | None":
        """Begin to read a table within this one."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            shown = f", like {example}" if example else ""
            return self._no(key, None, f"must be a table{shown}, not {kind(value)}")
        return Fields(value, (*self.path, key), self.problems)

    @property
    def empty(self) -> bool:
        """Whether nothing stands in the table."""
        return not self._values

    def each(self) -> Iterator[str]:
        """Go through the keys of a table, whatever they are."""
        for key in self._values:
            self._asked.append(key)
            yield key

    def keys(self, what: str) -> Iterator[str]:
        """Go through the keys of a table that are names of the economy's own."""
        for key in self.each():
            if not NAME.fullmatch(key):
                self.wrong(key, f"is no name for {what}: {NOT_A_NAME}")
            yield key

    def end(self) -> None:
        """Complain of every key that nobody asked for."""
        for key in [key for key in self._values if key not in self._asked]:
            near = "" if self.problems.full else suggestion(key, self._asked)
            self.wrong(key, f"unknown key{near}")

    def _no(self, key: str, default: T, text: str) -> T:
        self.wrong(key, text)
        return default


NOT_A_NAME: Final = "a name is 1 to 32 of a-z, 0-9 and _, a letter first"


def suggestion(wrong: str, known: Collection[str]) -> str:
    """Say which known word may have been meant."""
    near = difflib.get_close_matches(wrong[:64].lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def one_of(choices: Sequence[str]) -> str:
    """Spell the words to choose from."""
    *first, last = (f'"{choice}"' for choice in choices)
    return f"{', '.join(first)} or {last}" if first else last


def kind(value: object) -> str:
    """Say what a value is."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "text"
        case int():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case datetime():
            return "a date with a time"
        case date():
            return "a date"
        case time():
            return "a time of day"
        case _:
            return "a number with a decimal point"


def dotted(path: Path) -> str:
    """Spell a path as the file would, however strange its keys."""
    return ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in path)


def _quoted(part: str) -> str:
    cut = part if len(part) <= 40 else f"{part[:40]}…"
    return '"' + "".join(c if c.isprintable() and c != '"' else ascii(c)[1:-1] for c in cut) + '"'

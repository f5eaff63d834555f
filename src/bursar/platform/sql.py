"""Named queries out of ``.sql`` files.

A query begins at ``-- name: what_it_does`` and runs to the next name; comment lines that follow
the name say its purpose. Parameters are psycopg's named ones, ``%(now)s``. They are numbered once,
when the file is read: the driver would look for them anew at each call of a long query.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final, LiteralString, NamedTuple, cast

_NAME: Final = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\n", re.MULTILINE)


_PARAMETER: Final = re.compile(r"%\((\w+)\)s")


class Query(NamedTuple):
    """A query with numbered parameters, and their names in the order of the numbers."""

    text: LiteralString
    names: tuple[str, ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Put values in the order of the numbers; one that is missing raises `KeyError`."""
        return [values[name] for name in self.names]


class Queries:
    """The queries of one file, by name: ``queries["read_wallets"]``; a wrong name raises."""

    def __init__(self, package: str, file: str = "queries.sql") -> None:
        text = files(package).joinpath(file).read_text(encoding="utf-8")
        parts = _NAME.split(text)[1:]
        self._by_name = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
        if len(self._by_name) * 2 != len(parts):
            raise ValueError(f"{package}/{file} names a query twice")
        self._numbered = {name: _number(text) for name, text in self._by_name.items()}

    def __getitem__(self, name: str) -> LiteralString:
        """Return the text; what stands in the package's own files is as good as a literal."""
        return cast("LiteralString", self._by_name[name])

    def numbered(self, name: str) -> Query:
        """Return the query with its parameters numbered, for `database.fetch`."""
        return self._numbered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)


def _number(text: str) -> Query:
    names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
    numbers = {name: f"${number}" for number, name in enumerate(names, 1)}
    numbered = _PARAMETER.sub(lambda match: numbers[match[1]], text).replace("%%", "%")
    return Query(numbered, names)

"""Named queries out of ``.sql`` files.

A query begins at ``-- name: what_it_does`` and runs to the next name; comment lines that follow
the name say its purpose. Parameters are psycopg's named ones, ``%(now)s``.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, LiteralString, cast

_NAME: Final = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\n", re.MULTILINE)


class Queries:
    """The queries of one file, by name: ``queries["read_wallets"]``; a wrong name raises."""

    def __init__(self, package: str, file: str = "queries.sql") -> None:
        text = files(package).joinpath(file).read_text(encoding="utf-8")
        parts = _NAME.split(text)[1:]
        self._by_name = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
        if len(self._by_name) * 2 != len(parts):
            raise ValueError(f"{package}/{file} names a query twice")

    def __getitem__(self, name: str) -> LiteralString:
        """Return the text; what stands in the package's own files is as good as a literal."""
        return cast("LiteralString", self._by_name[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

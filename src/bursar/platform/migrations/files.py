"""Migration files: numbered plain SQL, read whole and cut into statements.

A file is ``NNNN_name.sql``. When its first line is ``-- no-transaction`` it runs statement by
statement outside a transaction, and must then be written so that it can be run again.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple, Self

# The number that the last release shipped as its latest; moved once, when a release is cut. Every
# migration above it must let the processes of that release go on working.
PREVIOUS_RELEASE: Final = 0

_FILE: Final = re.compile(r"(\d{4})_([a-z][a-z0-9_]*)\.sql")
_TOKEN: Final = re.compile(
    r"""--[^\n]*                    # a comment to the end of its line
      | /\*.*?\*/                   # a block comment
      | '(?:[^']|'')*'              # a string
      | "[^"]*"                     # a quoted name
      | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$   # a dollar-quoted body
      | (?P<end>;)
    """,
    re.DOTALL | re.VERBOSE,
)


class Statement(NamedTuple):
    """One statement and the line of the file on which it begins."""

    line: int
    sql: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; ``checksum`` is the SHA-256 of its bytes."""

    number: int
    name: str
    sql: str
    checksum: str

    @property
    def file(self) -> str:
        """The file's name, for messages."""
        return f"{self.number:04}_{self.name}.sql"

    @property
    def in_transaction(self) -> bool:
        """False for a file that asks, on its first line, to run outside a transaction."""
        return self.sql.partition("\n")[0].strip() != "-- no-transaction"

    def statements(self) -> Iterator[Statement]:
        """Cut at the semicolons that are not inside a comment, a string, a name or a body.

        Function bodies must be dollar-quoted: the runner does not read ``begin atomic``.
        """
        start = 0
        for token in _TOKEN.finditer(self.sql):
            if token["end"]:
                yield self._statement(start, token.end())
                start = token.end()
        rest = _TOKEN.sub(lambda token: "" if _is_comment(token[0]) else token[0], self.sql[start:])
        if rest.strip():
            yield self._statement(start, len(self.sql))

    def _statement(self, start: int, end: int) -> Statement:
        while start < end:  # the comments above a statement are not its first line
            comment = _TOKEN.match(self.sql, start)
            if self.sql[start].isspace():
                start += 1
            elif comment and _is_comment(comment[0]):
                start = comment.end()
            else:
                break
        return Statement(self.sql.count("\n", 0, start) + 1, self.sql[start:end])


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """The migrations of one program, numbered 1, 2, 3 … without a gap.

    ``previous_release`` is the latest number that the release before this one knew; it is what
    the database will tell older programs (see `runner.require_schema`).
    """

    migrations: tuple[Migration, ...]
    previous_release: int

    @property
    def latest(self) -> int:
        """The schema that this program is written for."""
        return len(self.migrations)

    @classmethod
    def read(cls, directory: Traversable, *, previous_release: int) -> Self:
        """Read every ``NNNN_name.sql`` of a directory; raises ValueError on a gap or a double."""
        found = sorted(
            (_read(file, int(match[1]), match[2]) for file, match in _numbered(directory)),
            key=lambda migration: migration.number,
        )
        if [migration.number for migration in found] != list(range(1, len(found) + 1)):
            names = ", ".join(migration.file for migration in found)
            raise ValueError(f"migrations must be numbered 0001, 0002 … once each, not: {names}")
        return cls(tuple(found), previous_release)


def _numbered(directory: Traversable) -> Iterator[tuple[Traversable, re.Match[str]]]:
    for file in directory.iterdir():
        if match := _FILE.fullmatch(file.name):
            yield file, match


def _read(file: Traversable, number: int, name: str) -> Migration:
    content = file.read_bytes()
    return Migration(number, name, content.decode("utf-8"), hashlib.sha256(content).hexdigest())


def _is_comment(token: str) -> bool:
    return token.startswith(("--", "/*"))


SHIPPED: Final = MigrationSet.read(
    files("bursar.platform.migrations"), previous_release=PREVIOUS_RELEASE
)

"""Reading commands from JSON Lines: one command a line, checked without looking at the books.

A line that is no command becomes a `Problem`; reading goes on after it, so that all the problems of
a file can be told at once. Whatever comes, no more than one line is in memory.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

import msgspec

from bursar.ledger import MAX_BATCH, AnyCommand
from bursar.ledger.decision.examine import examine

MAX_LINE: Final = 65_536

_DECODER: Final = msgspec.json.Decoder(AnyCommand)
_AT: Final = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_LACKING: Final = re.compile(r"Object missing required field `(.*)`")
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A command and the number of its line."""

    number: int
    command: AnyCommand


class Problem(NamedTuple):
    """What is wrong with a line, and in which field if it is known."""

    number: int
    field: str
    text: str

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return f"line {self.number}: {field}{self.text}"


def read(stream: BinaryIO) -> Iterator[Line | Problem]:
    """Read one command or problem from each line that is not blank."""
    number = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            yield Problem(number, "", f"is longer than {MAX_LINE:,} bytes")
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_LINE)
            continue
        if number == 1:
            raw = raw.removeprefix(_BOM)
        if raw.strip():
            yield _decode(number, raw)


def units(lines: Iterable[Line | Problem]) -> Iterator[list[Line] | Problem]:
    """Put the lines of a group together; what has no group stands alone.

    The lines of a group must follow one another, for they are posted together: a group that
    comes back later, or is larger than a batch may be, is a problem. A group is given out when
    the line after it has been seen, everything else at once.
    """
    unit: list[Line] = []
    ended: set[int] = set()
    for line in lines:
        if isinstance(line, Problem):
            yield line
            continue
        group = line.command.group
        if unit and group == unit[0].command.group:
            unit.append(line)
            if len(unit) == MAX_BATCH + 1:
                yield Problem(line.number, "group", f"has more than {MAX_BATCH:,} lines")
            continue
        if unit:
            yield unit
            unit = []
        if group is None:
            yield [line]
            continue
        if hash(group) in ended:
            text = f"{group!r} began in an earlier line; its lines must follow one another"
            yield Problem(line.number, "group", text)
        ended.add(hash(group))
        unit = [line]
    if unit:
        yield unit


def check(stream: BinaryIO, assets: Container[str]) -> Iterator[Problem | None]:
    """Check every command as far as that goes without the books; None for each sound unit."""
    for unit in units(read(stream)):
        if isinstance(unit, Problem):
            yield unit
            continue
        found = [problem for line in unit if (problem := _examine(line, assets))]
        if found:
            yield from found
        else:
            yield None


def _examine(line: Line, assets: Container[str]) -> Problem | None:
    refusal = examine(line.command)
    if refusal is not None:
        field = str(refusal.fields.get("field", ""))
        return Problem(line.number, field, refusal.message.removeprefix(field).strip())
    if line.command.asset not in assets:
        return Problem(line.number, "asset", f"there is no asset {line.command.asset!r}")
    return None


def _decode(number: int, raw: bytes) -> Line | Problem:
    try:
        return Line(number, _DECODER.decode(raw.decode("utf-8")))
    except UnicodeDecodeError as error:
        return Problem(number, "", f"is not UTF-8 (byte {error.start + 1})")
    except msgspec.ValidationError as error:
        return _misfit(number, str(error))
    except msgspec.DecodeError as error:
        said = str(error).removeprefix("JSON is malformed: ")
        return Problem(number, "", f"is not JSON: {_lower(said)}")
    except RecursionError:
        return Problem(number, "", "is nested too deeply")


def _misfit(number: int, said: str) -> Problem:
    """Say which field does not fit the command, and how."""
    at = _AT.search(said)
    field = at[1] if at else ""
    said = _AT.sub("", said)
    for pattern, text in ((_UNKNOWN, "is no field of this command"), (_LACKING, "is missing")):
        if match := pattern.fullmatch(said):
            return Problem(number, ".".join(filter(None, (field, match[1]))), text)
    return Problem(number, field, _lower(said).replace("`", ""))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

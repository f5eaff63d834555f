"""From the bytes of an economy file to what it says, or to all that is wrong with it (I7). Pure."""

import re
import tomllib
from typing import Any, Final

from bursar.economy.check import check_programs
from bursar.economy.fields import Fields, Problems
from bursar.economy.locate import Lines
from bursar.economy.model import MAX_FILE, Economy, Problem
from bursar.economy.read_notices import read_notices
from bursar.economy.read_program import read_program, zone
from bursar.platform.errors import Invalid

FILE: Final = "economy.toml"
_BOM: Final = b"\xef\xbb\xbf"
_MAX_LINE: Final = 20_000
_TOO_DOTTED: Final = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){16}"""
)
_AT: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_LATER: Final = ("rules", "offers")


def parse(content: bytes | str, file: str = FILE) -> Economy:
    """Read an economy file; raises `Invalid` ``economy_invalid`` with every problem and its line.

    ``file`` is its name in the message. Whatever the bytes, there is no other error.
    """
    economy, problems = _whole(content, file)
    if problems.count:
        raise invalid(file, problems.found, problems.count)
    return economy


def parse_applied(text: str) -> Economy:
    """Read a text that was in force, and so was sound by the rules of its day.

    What a later release refuses reads as its default, so that books whose file it refuses can still
    be given another.
    """
    economy, _ = _whole(text, FILE)
    return economy


def invalid(file: str, problems: list[Problem], count: int | None = None) -> Invalid:
    """Make the error that tells all problems of a file, one a line."""
    more = (count or 0) - len(problems)
    lines = [f"{file}:{problem}" for problem in problems]
    if more > 0:
        lines.append(f"{file}: and {more} more")
    return Invalid("economy_invalid", "\n".join(lines), file=file, problems=problems)


def _whole(content: bytes | str, file: str) -> tuple[Economy, Problems]:
    """Read a text and all that is wrong with it; raises where it is no TOML of a sensible size."""
    text = _decode(content, file)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise invalid(file, [Problem(1, "", "brackets are nested too deeply")]) from None
    except ValueError as error:
        raise invalid(file, [_syntax(error, text)]) from None
    problems = Problems(Lines(text))
    return _read(tables, problems), problems


def _decode(content: bytes | str, file: str) -> str:
    """Refuse what is no text of a sensible size, before anything is made of it."""
    try:
        raw = content.encode("utf-8") if isinstance(content, str) else content
        if len(raw) > MAX_FILE:
            raise invalid(file, [Problem(1, "", f"is larger than {MAX_FILE:,} bytes")])
        text = raw.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise invalid(file, [Problem(line, "", f"is not UTF-8 (byte {error.start + 1})")]) from None
    except UnicodeEncodeError as error:
        line = error.object.count("\n", 0, error.start) + 1
        raise invalid(file, [Problem(line, "", "is not text: half of a character")]) from None
    for number, content_of_line in enumerate(text.split("\n"), 1):
        if len(content_of_line) > _MAX_LINE:
            said = f"is longer than {_MAX_LINE:,} characters"
            raise invalid(file, [Problem(number, "", said)])
        if _TOO_DOTTED.search(content_of_line):
            raise invalid(file, [Problem(number, "", "a key of more than 16 parts")])
    return text.replace("\r\n", "\n")


def _syntax(error: ValueError, text: str) -> Problem:
    """Say where the text is no TOML."""
    said = str(error)
    if not isinstance(error, tomllib.TOMLDecodeError):
        line = next((n for n, s in enumerate(text.split("\n"), 1) if re.search(r"\d{4300}", s)), 1)
        return Problem(line, "", "a number of thousands of digits")
    at = _AT.search(said)
    said = _AT.sub("", said)
    if at is None:
        return Problem(1, "", said)
    if at[1] is None:
        return Problem(text.count("\n") + 1, "", f"{said} at the end of the file")
    return Problem(int(at[1]), "", f"{said} (column {at[2]})")


def _read(tables: dict[str, Any], problems: Problems) -> Economy:
    """Read every table; what has problems reads as its default."""
    file = Fields(tables, (), problems)
    about = file.table("economy")
    name, time_zone, sandbox = "", "UTC", False
    if about is None:
        if "economy" not in file:
            file.wrong(None, "the table [economy] is missing")
    else:
        about.required("name")
        name = about.name("name")
        time_zone = zone(about, "UTC")
        sandbox = about.flag("sandbox", False)
        about.end()
    assets = _assets(file.table("assets"))
    notices = read_notices(file.table("notices"), assets, product=name, time_zone=time_zone)
    programs = file.table("programs")
    read = {}
    unsound = set()
    if programs is not None:
        for key in programs.keys("a program"):
            table = programs.table(key)
            before = problems.count
            if table is not None:
                read[key] = read_program(table, key, time_zone)
                if problems.count > before:
                    unsound.add(key)
        check_programs(read, assets, problems, unsound=unsound)
    for key in _LATER:
        if file.take(key) is not None:
            file.wrong(key, "not in this release")
    file.end()
    return Economy(
        name=name,
        time_zone=time_zone,
        sandbox=sandbox,
        assets={code: scale for code, scale in assets.items() if scale is not None},
        programs=read,
        notices=notices,
    )


def _assets(table: Fields | None) -> dict[str, int | None]:
    """Read the scales by code; None where one is wrong, so that its programs still find it."""
    read: dict[str, int | None] = {}
    if table is None:
        return read
    for code in table.keys("an asset"):
        read[code] = None
        asset = table.table(code, "{ scale = 2 }")
        if asset is not None:
            scale = asset.number("scale", 0, 12)
            read[code] = 0 if scale is None else scale
            asset.end()
    return read

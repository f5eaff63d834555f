"""How the command line says what went wrong: one line for people, one object for programs.

| exit code | means                                                                  |
|-----------|------------------------------------------------------------------------|
| 0         | done                                                                   |
| 1         | `post`: every command was answered, and some were refused;             |
|           | a run set somebody aside, or was stopped before its end; a template    |
|           | failed, a delivery was given up, a webhook did not take its ping       |
| 2         | invalid: the command line, a file or a value is malformed              |
| 3         | missing: what was named does not exist                                 |
| 4         | rejected: a rule of the domain says no                                 |
| 5         | conflict: same reference with other content, or a version has moved    |
| 6         | unavailable: try later                                                 |
| 7         | denied: who asks may not                                               |
| 70        | broken: a bug or damage; `verify` found damage                         |
| 130, 141  | interrupted; whoever read the output went away                         |
"""

import errno
import sys
from typing import Any, Final, cast

import msgspec
from typer.exceptions import TyperException

from bursar.platform.errors import BursarError, Family, Invalid, Unavailable

REFUSED: Final = 1
_USAGE: Final = 2
EXIT_CODES: Final[dict[Family, int]] = {
    "invalid": _USAGE,
    "missing": 3,
    "rejected": 4,
    "conflict": 5,
    "unavailable": 6,
    "denied": 7,
    "broken": 70,
}

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def report(error: BursarError, *, as_json: bool) -> int:
    """Write an error to standard error; return the exit code of its family."""
    if as_json:
        write_json({"code": error.code, "message": error.message, "fields": error.fields})
    else:
        sys.stderr.write(f"error: {error.message.strip()} ({error.code})\n")
    return EXIT_CODES[error.family]


def report_usage(error: TyperException, *, as_json: bool) -> int:
    """Write what is wrong with the command line itself."""
    if as_json:
        text = error.format_message()
        write_json({"code": "usage", "message": text, "fields": {}})
        return _USAGE
    from typer.rich_utils import rich_format_error  # noqa: PLC0415 - rich is slow to import

    rich_format_error(cast("Any", error))
    return _USAGE


def tell(text: str) -> None:
    """Write a remark for people to standard error."""
    sys.stderr.write(text + "\n")


def write_json(answer: object) -> None:
    """Write one object to standard error; what JSON does not know is written as text."""
    sys.stderr.write(msgspec.json.encode(answer, enc_hook=str).decode() + "\n")


def of_file(error: OSError, name: object) -> BursarError:
    """Say what the file system said of a file."""
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return Unavailable("disk_full", f"no room left to write {name}", path=str(name))
    return Invalid("file_unusable", f"{name}: {said}", path=str(name))

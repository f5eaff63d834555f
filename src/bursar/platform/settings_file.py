"""A file of settings beside the environment's: the same names, and the environment wins (O5).

`BURSAR_CONFIG` names a TOML file. A key is a variable's name in lower case without ``BURSAR_``:
``data_dir = "/srv/books"``, ``programs = true``, ``tick_s = 30``. Tables and names that are no
setting are refused: a setting misspelt would otherwise be one that is not in force.
"""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from bursar.platform.errors import Invalid

VARIABLE: Final = "BURSAR_CONFIG"
_LARGEST: Final = 1_000_000


def with_file(environ: Mapping[str, str], known: Collection[str]) -> Mapping[str, str]:
    """Add what the file says to the environment; a variable that is set and not empty wins.

    Raises `Invalid` ``setting_invalid`` for a file that cannot be read or is not one of settings.
    """
    named = environ.get(VARIABLE)
    if not named:
        return environ
    path = Path(named).expanduser()
    said = {
        f"BURSAR_{name.upper()}": _text(path, name, value)
        for name, value in _read(path).items()
        if _check_name(path, name, known)
    }
    return said | {name: value for name, value in environ.items() if value or name not in said}


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(_LARGEST).decode("utf-8"))
    except OSError as error:
        raise _refusal(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _refusal(f"{path} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise _refusal(f"{path} is not TOML: {error}") from None


def _check_name(path: Path, name: str, known: Collection[str]) -> bool:
    if name not in known:
        raise _refusal(f"{path}: there is no setting {name!r}")
    return True


def _text(path: Path, name: str, value: object) -> str:
    """Spell a value as the environment would; its form is judged where all settings are."""
    match value:
        case bool():
            return "on" if value else "off"
        case str() | int():
            return str(value)
        case _:
            raise _refusal(f"{path}: {name} is text, a whole number, true or false")


def _refusal(why: str) -> Invalid:
    return Invalid("setting_invalid", f"{VARIABLE}: {why}", setting=VARIABLE)

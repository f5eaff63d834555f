"""Running PostgreSQL's client programs: passwords out of sight, their last words in the error."""

import os
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bursar.platform.errors import BursarError, Invalid, Rejected, Unavailable

_LAST_WORDS: Final = 5


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """Split an address into what may stand on a command line, and the environment for the rest.

    Our own settings, the checksum key among them, are not handed on.
    """
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    password = parts.pop("password", None)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BURSAR_")}
    environment |= {"LC_ALL": "C"}
    if password is not None:
        environment["PGPASSWORD"] = password
    return make_conninfo(**parts), environment


def explain(said: str, *, code: str, what: str) -> BursarError:
    """Choose the error that fits what a client program wrote before it failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = "\n".join(lines[:_LAST_WORDS])
    if "No space left" in said or "Disk quota exceeded" in said:
        return Unavailable("disk_full", f"{what}: no room is left\n{told}", said=lines)
    if "permission denied" in said or "must be owner" in said:
        return Rejected("owner_needed", f"{what}: use the owner's address\n{told}", said=lines)
    if "archive" in said or "input file" in said or "unsupported version" in said:
        return Invalid("backup_unreadable", f"{what}: not a whole backup\n{told}", said=lines)
    return Unavailable(code, f"{what}\n{told}", said=lines)

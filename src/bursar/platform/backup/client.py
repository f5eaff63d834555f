"""Running PostgreSQL's client programs: passwords out of sight, their words in the error."""

import os
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bursar.platform.errors import BursarError, Invalid, Rejected, Unavailable

_FIRST_WORDS: Final = 5


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


def words(said: str) -> str:
    """Keep the first lines of what a client program wrote."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "\n".join(lines[:_FIRST_WORDS])


def known_error(said: str, what: str) -> BursarError | None:
    """Recognise what a client program wrote before it failed; None for something else."""
    told = f"{what}\n{words(said)}"
    if "No space left" in said or "Disk quota exceeded" in said:
        return Unavailable("disk_full", told)
    if any(sign in said for sign in ("permission denied", "must be owner", "may lack SELECT")):
        return Rejected("owner_needed", f"{told}\nuse the address of the tables' owner")
    if any(sign in said for sign in ("archive", "input file", "unsupported version")):
        return Invalid("backup_unreadable", told)
    return None

"""The operating-system account that PostgreSQL runs as (O1).

PostgreSQL refuses to run as root. A root process therefore starts it as an unprivileged account:
the owner of the existing data, else the first of ``bursar``, ``postgres`` and ``nobody`` that the
machine knows. Anyone else runs it as themselves.
"""

import os
import pwd
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import msgspec

from bursar.platform.errors import Invalid

CANDIDATES = ("bursar", "postgres", "nobody")


class PopenAs(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the account of the child."""

    user: int
    group: int
    extra_groups: list[int]


class Account(msgspec.Struct, frozen=True):
    """Who the server is; ``dropped`` is true when that is not who we are (we are root)."""

    uid: int
    gid: int
    name: str
    dropped: bool

    @property
    def known(self) -> bool:
        """Whether the system's list of accounts has it, as initdb and pg_upgrade demand."""
        return _entry(self.uid) is not None

    def popen(self) -> PopenAs:
        """Say how a child becomes this account."""
        if not self.dropped:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account(*existing: Path) -> Account:
    """Choose the account; ``existing`` are the places whose owner decides, most telling first.

    Raises `Invalid` ``server_account_missing`` when root finds no account to become.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), _name(os.geteuid()), dropped=False)
    for path in existing:
        if path.exists():
            found = path.stat()
            if found.st_uid != 0:
                entry = _entry(found.st_uid)
                group = entry.pw_gid if entry else found.st_gid
                return Account(found.st_uid, group, _name(found.st_uid), dropped=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid, name, dropped=True)
    raise Invalid(
        "server_account_missing",
        "PostgreSQL does not run as root, and none of the accounts "
        f"{', '.join(CANDIDATES)} exists; create one of them",
        accounts=list(CANDIDATES),
    )


def first_blocked(account: Account, paths: Iterable[Path]) -> Path | None:
    """Find the first of ``paths`` the account may not enter or execute, by asking as it.

    The kernel answers (access control lists and mounts included), not a reading of mode bits.
    """
    asked = [str(path) for path in paths]
    answer = subprocess.run(
        ["/bin/sh", "-c", 'for p; do [ -x "$p" ] || { printf %s "$p"; exit; }; done', "sh", *asked],
        check=False,
        capture_output=True,
        cwd="/",
        **account.popen(),
    )
    found = os.fsdecode(answer.stdout)
    return Path(found) if found else None


def _name(uid: int) -> str:
    found = _entry(uid)
    return found.pw_name if found else str(uid)


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None

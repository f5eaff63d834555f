"""Reaching keys and tokens from the command line (I2)."""

import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from bursar.access import Access
from bursar.cli.session import with_ledger
from bursar.ledger import Ledger
from bursar.platform.errors import Invalid
from bursar.platform.settings import load_settings

T = TypeVar("T")

_DURATION: Final = re.compile(r"([0-9]{1,8})([smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def with_access(where: str | None, use: Callable[[Access], Awaitable[T]]) -> T:
    """Open the database, use its keys and tokens, close it."""
    said = load_settings()

    async def go(ledger: Ledger) -> T:
        access = Access(
            ledger.database,
            key_per_minute=said.key_per_minute,
            holder_per_minute=said.holder_per_minute,
        )
        try:
            return await use(access)
        finally:
            await access.close()

    return with_ledger(where, go)


def seconds_of(text: str, option: str) -> int:
    """Read a length of time: 90, 90s, 15m, 24h, 7d; raises `Invalid` ``option_invalid``."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Invalid(
            "option_invalid",
            f"{option}: {text!r} is no length of time; write it like 90s, 15m, 24h or 7d",
            option=option,
        )
    return int(match[1]) * _UNITS[match[2]]

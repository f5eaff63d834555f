"""When a request is sent again, and how long is waited before (I5).

A request that is safe to repeat is sent again whenever its answer did not come or said *later*.
One that is not is sent again only where it is certain that nothing was done: no connection was
made, or the server turned it away unread for coming too often.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

LATER: Final = frozenset({408, 429, 502, 503, 504})
"""Answers after which the same request may succeed."""

TURNED_AWAY: Final = frozenset({429})
"""Those of them before which nothing of the request was looked at."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to try.

    An attempt may take ``timeout_s`` to connect, and as long without a word from the server. No
    attempt begins ``deadline_s`` after the first. Waits grow from ``first_wait_s``
    to ``longest_wait_s`` and are drawn evenly from nothing to that, so that many who failed at once
    do not come back at once; a `Retry-After` is kept to.
    """

    timeout_s: float = 10.0
    deadline_s: float = 60.0
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0

    def wait_s(
        self,
        attempt: int,
        left_s: float,
        retry_after_s: float | None = None,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> float | None:
        """Say how long to wait after the ``attempt``-th failed (from 0), or None to give up."""
        most_s = min(self.longest_wait_s, self.first_wait_s * 2 ** min(attempt, 30))
        wait_s = (retry_after_s or 0.0) + chance(0.0, most_s)
        return wait_s if wait_s < left_s else None


def may_repeat(status: int | None, *, safe: bool, connected: bool = True) -> bool:
    """Say whether an attempt that ended with this status, or without one, may be made again."""
    if status is None:
        return safe or not connected
    return status in LATER if safe else status in TURNED_AWAY


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After`, in seconds or as a date; None for none or nonsense."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())

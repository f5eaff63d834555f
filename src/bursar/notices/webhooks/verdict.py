"""What an answer to a webhook means for its delivery (N3). Pure."""

import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec
from msgspec import json

from bursar.notices.model import Outcome

MAX_DETAIL: Final = 300
_DAY_S: Final = 86_400
_TRY_LATER: Final = (429, 503)
_GONE: Final = 410
_SHORTEST: Final = 3
"""What is shorter stands in any text."""


class Answer(msgspec.Struct, frozen=True):
    """What the other side said: ``text`` is how its body begins."""

    status: int
    retry_after: str | None
    text: str

    @property
    def gone(self) -> bool:
        """Whether it says that nobody listens there any more, and nobody will."""
        return self.status == _GONE


def judge(answer: Answer, now: datetime) -> Outcome:
    """Tell what came of a delivery.

    Any 2xx took it. 410 is refused for good. All else may be another tomorrow: it has failed, and a
    redirect is not followed, for it could lead anywhere.
    """
    status = answer.status
    if 200 <= status <= 299:
        return Outcome(outcome="sent", status=status)
    if answer.gone:
        return Outcome(outcome="refused", status=status, detail="gone")
    if 300 <= status <= 399:
        return Outcome(outcome="failed", status=status, detail="redirect")
    wait = wait_of(answer.retry_after, now) if status in _TRY_LATER else None
    return Outcome(
        outcome="failed", status=status, detail=one_line(answer.text), retry_after_s=wait
    )


def wait_of(text: str | None, now: datetime) -> int | None:
    """Read a Retry-After, in seconds or as a date: up to a day; None if it asks for no wait."""
    if text is None:
        return None
    given = text.strip()
    if given.isascii() and given.isdigit():
        seconds = int(given[:9])
    else:
        try:
            until = parsedate_to_datetime(given)
        except (ValueError, IndexError, TypeError, OverflowError):
            return None
        if until.utcoffset() is None:
            return None
        left = until - now
        seconds = left.days * _DAY_S + left.seconds
    return min(seconds, _DAY_S) if seconds > 0 else None


def hidden(text: str, private: Iterable[str]) -> str:
    """Take out of an answer what is not for whoever reads the log of deliveries.

    Servers repeat what they were asked: the query of the URL, which may be a secret, and the ids of
    people, who may be erased while the log stays (H4).
    """
    said = {spelled for one in private for spelled in (one, json.encode(one).decode()[1:-1])}
    for one in sorted(said, key=lambda one: (-len(one), one)):
        if len(one) >= _SHORTEST and one in text:
            text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", "…", text)
    return text


def one_line(text: str) -> str:
    """Make what strangers wrote fit for a log: one line, no control characters, cut short."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: MAX_DETAIL * 4])
    return " ".join(clean.split())[:MAX_DETAIL]

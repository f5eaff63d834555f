"""What an answer to a webhook means for its delivery (N3). Pure."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from bursar.notices.model import Outcome

MAX_DETAIL: Final = 300
_DAY_S: Final = 86_400
_TRY_LATER: Final = (429, 503)
_GONE: Final = 410


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


def one_line(text: str) -> str:
    """Make what strangers wrote fit for a log: one line, no control characters, cut short."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: MAX_DETAIL * 4])
    return " ".join(clean.split())[:MAX_DETAIL]

"""Who acts, and why: what every movement and every privileged act must say (I2).

An actor is written ``channel:name``: ``cli:ada`` and ``api:ada`` are one person at two doors.
"""

from typing import Final
from unicodedata import normalize

from bursar.platform.errors import Invalid

MAX_ACTOR: Final = 200
MAX_REASON: Final = 500
_CHANNELS: Final = ("cli", "api", "console")


def is_reason(text: object) -> bool:
    """Say whether this can be a reason."""
    return isinstance(text, str) and 0 < len(text) <= MAX_REASON and text.isprintable()


def check_voice(actor: str, reason: str) -> None:
    """Refuse what does not say who and why; raises `Invalid` ``posting_voice``."""
    for name, text, most in (("actor", actor, MAX_ACTOR), ("reason", reason, MAX_REASON)):
        if not isinstance(text, str) or not 0 < len(text) <= most or not text.isprintable():
            raise Invalid(
                "posting_voice",
                f"{name} is 1 to {most} printable characters",
                field=name,
            )


def person_of(actor: str) -> str:
    """Name the person behind an actor, whichever door they came through (P10).

    Two keys, or a key and a command line, do not make a second person; nor do capitals, blanks, a
    door named twice, or the other ways in which Unicode spells the same letters.
    """
    person = " ".join(normalize("NFKC", normalize("NFKC", actor).casefold()).split())
    while True:
        channel, colon, name = (part.strip() for part in person.partition(":"))
        if not (colon and channel in _CHANNELS and name):
            return person
        person = name

"""What is asked of endpoints, looked at before anything is done. Pure."""

from collections.abc import Collection
from typing import Final

from bursar.notices.model import Kind
from bursar.platform.errors import Invalid

MAX_DESCRIPTION: Final = 500
MAX_OVERLAP_HOURS: Final = 30 * 24


def kinds_of(given: Collection[str]) -> tuple[Kind, ...]:
    """Read kinds, each once, in their usual order; raises `Invalid` ``webhook_invalid``."""
    wanted = [given] if isinstance(given, str) else list(given)
    known = set(Kind)
    for one in wanted:
        if one not in known:
            raise Invalid(
                "webhook_invalid",
                f"{str(one)[:40]!r} is no kind of notice; there are {', '.join(Kind)}",
                field="kinds",
            )
    return tuple(kind for kind in Kind if kind in wanted)


def check_description(text: str) -> None:
    """Refuse what describes nothing to a person; raises `Invalid` ``webhook_invalid``."""
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION or not text.isprintable():
        raise Invalid(
            "webhook_invalid",
            f"a description is at most {MAX_DESCRIPTION} printable characters",
            field="description",
        )


def check_overlap(hours: int) -> None:
    """Refuse an overlap that is none; raises `Invalid` ``overlap``."""
    if type(hours) is not int or not 0 <= hours <= MAX_OVERLAP_HOURS:
        raise Invalid(
            "overlap",
            f"an overlap is a whole number of hours from 0 to {MAX_OVERLAP_HOURS}",
            overlap_hours=hours,
        )

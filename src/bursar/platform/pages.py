"""Pages of long lists: the same shape and the same limits wherever something is listed."""

from typing import Final, Generic, TypeVar

import msgspec

from bursar.platform.errors import Invalid

T = TypeVar("T")

MAX_PAGE: Final = 1_000
_MOST: Final = 2**63 - 1


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; ``cursor`` asks for the part that follows, None at the end."""

    items: tuple[T, ...]
    cursor: str | None


def check_limit(limit: int) -> None:
    """Refuse a page that is empty or too large."""
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise Invalid("page_limit", f"a page has 1 to {MAX_PAGE} items", limit=limit)


def place_of(cursor: str, most: int = _MOST) -> int:
    """Read a cursor that is a number, as an earlier page gave it; raises `Invalid` ``cursor``."""
    sound = isinstance(cursor, str) and cursor.isascii() and cursor.isdigit() and len(cursor) < 20
    if not sound or int(cursor) > most:
        raise Invalid("cursor", "the cursor is not one that a page gave", cursor=str(cursor)[:80])
    return int(cursor)

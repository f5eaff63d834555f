"""Names in paths: one segment each, whatever characters the app's own ids have.

A server that decodes a whole path cannot tell a slash in an id (``%2F``) from one between two
segments. So each segment is decoded for itself, and what would be taken for structure stays
encoded until the name is read.
"""

from typing import Any
from urllib.parse import unquote_to_bytes

from bursar.platform.errors import Invalid


class Segment(str):
    """A name as the caller meant it."""

    __slots__ = ()


def separate(raw_path: bytes) -> str:
    """Decode a path segment by segment; raises `Invalid` ``path_invalid`` for what is no UTF-8."""
    try:
        parts = [unquote_to_bytes(part).decode() for part in raw_path.split(b"/")]
    except UnicodeDecodeError:
        raise Invalid("path_invalid", "the path is not UTF-8") from None
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def is_segment(kind: Any) -> bool:
    """Say whether a parameter is read by `read_segment`."""
    return kind is Segment


def read_segment(_kind: type[Segment], text: Any) -> Segment:
    """Read a name out of a path that `separate` has made."""
    return Segment(str(text).replace("%2F", "/").replace("%25", "%"))

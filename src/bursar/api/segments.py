"""Names in paths: one segment each, whatever characters the app's own ids have.

A server that decodes a whole path cannot tell a slash in an id (``%2F``) from one between two
segments. So each segment is decoded for itself, and what would be taken for structure stays
encoded until the name is read.
"""

from typing import Final
from urllib.parse import unquote_to_bytes

from litestar.params import FromPath

from bursar.platform.errors import Invalid

Segment = FromPath[str]
"""A name in a path; `Call.path_params` hands it over as the caller meant it."""

_HOLDERS: Final = "/v1/holders"
_POSTED: Final = frozenset({"bulk", "logins"})
"""What stands beside the holders' ids, and is only ever posted to."""

_ASIDE: Final = "%."
"""`separate` never writes it."""


def separate(raw_path: bytes) -> str:
    """Decode a path segment by segment; raises `Invalid` ``path_invalid`` for what is no UTF-8."""
    try:
        parts = [unquote_to_bytes(part).decode() for part in raw_path.split(b"/")]
    except UnicodeDecodeError:
        raise Invalid("path_invalid", "the path is not UTF-8") from None
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def aside(method: str, path: str) -> str:
    """Let somebody whose id is the name of an endpoint be asked for as any other."""
    start, _, name = path.rpartition("/")
    taken = start == _HOLDERS and name in _POSTED and method != "POST"
    return f"{start}/{_ASIDE}{name}" if taken else path


def read_segment(text: str) -> str:
    """Read a name out of a path that `separate` and `aside` have made."""
    return text.removeprefix(_ASIDE).replace("%2F", "/").replace("%25", "%")

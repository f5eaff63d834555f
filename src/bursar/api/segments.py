"""Names in paths: one segment each, whatever characters the app's own ids have.

A server that decodes a whole path cannot tell a slash in an id (``%2F``) from one between two
segments. So each segment is decoded for itself, and what would be taken for structure stays
encoded until the name is read.
"""

from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from litestar.params import FromPath

from bursar.platform.errors import Invalid

_HOLDERS: Final = "/v1/holders/"
_WORDS: Final = ("bulk", "logins")
"""What stands where a holder's name may; it is meant where something is sent to just that."""

Segment = FromPath[str]
"""A name in a path; `Call.path_params` hands it over as the caller meant it."""


def separate(raw_path: bytes) -> str:
    """Decode a path segment by segment; raises `Invalid` ``path_invalid``.

    What is no UTF-8 or holds a NUL names nothing: the database could not even look for it.
    """
    try:
        parts = [unquote_to_bytes(part).decode() for part in raw_path.split(b"/")]
    except UnicodeDecodeError:
        raise Invalid("path_invalid", "the path is not UTF-8") from None
    if any("\0" in part for part in parts):
        raise Invalid("path_invalid", "a name in the path holds a NUL character")
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def spare_names(method: str, path: str) -> str:
    """Keep a holder whose name is a word of the API apart from that word."""
    if not path.startswith(_HOLDERS):
        return path
    name, slash, rest = path.removeprefix(_HOLDERS).partition("/")
    if name not in _WORDS or (method == "POST" and not slash):
        return path
    return f"{_HOLDERS}%{ord(name[0]):X}{name[1:]}{slash}{rest}"


def read_segment(text: str) -> str:
    """Read a name out of a path that `separate` and `spare_names` have made."""
    return unquote(text)

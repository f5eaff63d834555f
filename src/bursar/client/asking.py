"""A request, before it is sent: path, query, body, and whether it may be sent twice."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import msgspec

Query = Mapping[str, str | int | bool | datetime | None]

_NOTHING: Final[Query] = {}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the API. ``safe`` says that repeating it does no more than doing it once.

    ``key`` is the movement's reference; ``in_body`` where the body says it as well, so that letters
    that no header may have are no hindrance.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    body: bytes | None = None
    key: str | None = None
    in_body: bool = False
    if_match: str | None = None
    safe: bool = True
    accept: str = "application/json"
    last_event_id: str | None = None

    def headers(self) -> dict[str, str]:
        """Write what goes beside the body."""
        headers = {"accept": self.accept}
        if self.body is not None:
            headers["content-type"] = "application/json"
        if self.key is not None and not (self.in_body and not _fits(self.key)):
            headers["idempotency-key"] = _header(self.key)
        if self.if_match is not None:
            headers["if-match"] = self.if_match
        if self.last_event_id is not None:
            headers["last-event-id"] = self.last_event_id
        return headers


def at(*segments: str | int, query: Query = _NOTHING) -> str:
    """Write a path below /v1; every segment is a name, whatever characters it has."""
    path = "/v1/" + "/".join(_segment(str(segment)) for segment in segments)
    asked = {name: _value(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(asked, quote_via=quote)}" if asked else path


def said(**fields: Any) -> dict[str, Any]:
    """Write a body of what was said; None was not."""
    return {name: value for name, value in fields.items() if value is not None}


def encode(body: object) -> bytes:
    """Write a body."""
    return msgspec.json.encode(body)


def new_reference() -> str:
    """Make up a reference that nobody else does."""
    return uuid4().hex


def check_url(url: str) -> str:
    """Return the address without a slash at its end; raises ValueError for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the address of a Bursar begins with http:// or https:// and a host")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("the address of a Bursar has no user, query or fragment")
    return url.rstrip("/")


def check_key(key: str) -> str:
    """Return the credentials without space around them; raises ValueError for what is none."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("an API key or a holder token is printable ASCII without spaces")
    return key


def _fits(key: str) -> bool:
    return key.isascii() and key.isprintable()


def _header(key: str) -> str:
    if not _fits(key):
        raise ValueError("a reference that goes in a header is printable ASCII")
    return f'"{key}"' if key[:1] == '"' else key


def _segment(name: str) -> str:
    if not name:
        raise ValueError("a name in a path is empty")
    if name.strip(".") == "":  # a dot or two would be taken for a step in the path
        return name.replace(".", "%2E")
    return quote(name, safe="")


def _value(value: str | int | bool | datetime | None) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)

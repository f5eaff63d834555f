"""Is a change of a holder well formed, whatever is known of the holder? Pure.

Ids and usernames are 1 to 200 printable characters; a status or tier is a lower-case word of at
most 32 (the set is open); attributes are a JSON object of at most 8,192 bytes; instants have a
zone. What may be empty is cleared by None, not by an empty text.
"""

import re
from collections.abc import Callable, Container, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import UNSET

from bursar.holders.model import TOMBSTONE, HolderChange, Refusal

MAX_ATTRIBUTES: Final = 8_192
_MAX_TEXT: Final = 200
_MAX_EMAIL: Final = 254
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}")

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, None if nothing is."""


def examine(change: HolderChange, zones: Container[str]) -> Refusal | None:
    """Say what is malformed in a change, if anything; ``zones`` are the time zones there are."""
    for name, check in CHECKS.items():
        value = getattr(change, name)
        if value is not UNSET and (wrong := check(value)) is not None:
            return Refusal("invalid", f"{name} {wrong}", name)
    zone = change.time_zone
    if isinstance(zone, str) and zone not in zones:
        return Refusal("invalid", f"time_zone {zone[:40]!r} is not known here", "time_zone")
    return None


def external_id(value: object) -> str | None:
    """An id of the app's own, which may not look like an erased one's."""
    if not _is_text(value, _MAX_TEXT):
        return f"must be 1 to {_MAX_TEXT} printable characters"
    return f"may not begin with {TOMBSTONE!r}" if str(value).startswith(TOMBSTONE) else None


def _username(value: object) -> str | None:
    if value is None or _is_text(value, _MAX_TEXT):
        return None
    return f"must be 1 to {_MAX_TEXT} printable characters"


def _email(value: object) -> str | None:
    if value is None:
        return None
    local, at, host = value.rpartition("@") if isinstance(value, str) else ("", "", "")
    if not _is_text(value, _MAX_EMAIL) or not (local and at and host) or " " in str(value):
        return f"must be an e-mail address of at most {_MAX_EMAIL} characters"
    return None


def _locale(value: object) -> str | None:
    if value is None or (isinstance(value, str) and _LOCALE.fullmatch(value)):
        return None
    return "must be a language tag such as en or pt-BR"


def _time_zone(value: object) -> str | None:
    if value is None or _is_text(value, _MAX_TEXT):
        return None
    return "must be the name of a time zone such as Europe/Oslo"


def _status(value: object) -> str | None:
    if isinstance(value, str) and _WORD.fullmatch(value):
        return None
    return "must be a lower-case word of a-z, 0-9 and _, at most 32 long"


def _tier(value: object) -> str | None:
    return None if value is None or value == "" else _status(value)


def _flag(value: object) -> str | None:
    return None if type(value) is bool else "must be true or false"


def instant(value: object) -> str | None:
    """An instant with a zone, in the years 1900 to 9998."""
    aware = isinstance(value, datetime) and value.utcoffset() is not None
    if aware and isinstance(value, datetime) and 1900 <= value.year < 9999:
        return None
    return "must be an instant with a time zone, from 1900 on"


def _maybe_instant(value: object) -> str | None:
    return None if value is None else instant(value)


def attributes(value: object) -> str | None:
    """A JSON object within its size; `merged` ones are measured again."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return "must be a JSON object"
    try:
        text = msgspec.json.encode(value)
        finite = b"null" not in text or _is_finite(value)
    except (TypeError, ValueError, RecursionError):
        return "must be a JSON object"
    if b"\\u0000" in text:
        return "must not hold NUL characters"
    return too_large(text) if finite else "must not hold NaN or infinity"


def too_large(text: bytes | str) -> str | None:
    """Attributes travel with every reading of people: they stay small."""
    size = len(text.encode() if isinstance(text, str) else text)
    return None if size <= MAX_ATTRIBUTES else f"are larger than {MAX_ATTRIBUTES:,} bytes of JSON"


def _is_finite(value: object) -> bool:
    """JSON has no NaN and no infinity; the encoder would write null in their place."""
    rest = [value]
    while rest:
        match rest.pop():
            case float() as number if not isfinite(number):
                return False
            case Mapping() as inner:
                rest += inner.values()
            case list() | tuple() as inner:
                rest += inner
            case _:
                pass
    return True


def _is_text(value: object, most: int) -> bool:
    return type(value) is str and 0 < len(value) <= most and value.isprintable()


CHECKS: Final[Mapping[str, Check]] = {
    "external_id": external_id,
    "username": _username,
    "email": _email,
    "locale": _locale,
    "time_zone": _time_zone,
    "created_at": instant,
    "status": _status,
    "tier": _tier,
    "verified": _flag,
    "subscription_start": _maybe_instant,
    "billing_anchor": _maybe_instant,
    "last_login_at": instant,
    "attributes": attributes,
    "at": _maybe_instant,
}
"""What each field of a change must be; a change's fields in their order."""

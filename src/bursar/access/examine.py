"""What is asked of access, looked at before anything is done. Pure."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from bursar.access.model import HOLDER_ACTOR, Scope
from bursar.access.tokens import MAX_TTL_S
from bursar.platform.errors import Invalid

MAX_RATE: Final = 100_000_000
MAX_OVERLAP_S: Final = 30 * 86_400
_LAST_YEAR: Final = 9999
_MAX_NAME: Final = 100
_MAX_HOLDER: Final = 200


def scopes_of(given: Collection[str]) -> frozenset[Scope]:
    """Read the scopes of a key; raises `Invalid` ``key_invalid``."""
    try:
        scopes = frozenset(map(Scope, () if isinstance(given, str) else given))
    except ValueError:
        scopes = frozenset()
    if not scopes or Scope.HOLDER in scopes:
        known = ", ".join(sorted(set(Scope) - {Scope.HOLDER}))
        raise Invalid("key_invalid", f"a key has one scope or several of {known}", field="scopes")
    return scopes


def check_key(name: str, owner: str, per_minute: int | None) -> None:
    """Refuse what cannot be a key's; raises `Invalid` ``key_invalid`` naming the field.

    An owner has no colon: ``api:cli:ada`` would be a second person beside ada (P10).
    """
    for field, text in (("name", name), ("owner", owner)):
        if not _is_line(text, _MAX_NAME) or text != text.strip():
            raise Invalid(
                "key_invalid",
                f"a key's {field} is 1 to {_MAX_NAME} printable characters, no blanks around them",
                field=field,
            )
    if ":" in owner or f"api:{owner}" == HOLDER_ACTOR:
        raise Invalid("key_invalid", "an owner has no colon, and is not 'holder'", field="owner")
    if per_minute is not None and (type(per_minute) is not int or not 1 <= per_minute <= MAX_RATE):
        raise Invalid(
            "key_invalid", f"a rate is a whole number from 1 to {MAX_RATE}", field="per_minute"
        )


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Refuse an end without a zone, in the past or in the last year that there is.

    Late in that year an instant may be past all years in UTC, and could not be read back. Raises
    `Invalid` ``key_invalid``.
    """
    if expires_at is None:
        return
    if expires_at.utcoffset() is None or expires_at <= now or expires_at.year >= _LAST_YEAR:
        raise Invalid(
            "key_invalid",
            f"a key expires in the future, before the year {_LAST_YEAR}, in a zone",
            field="expires_at",
        )


def check_overlap(overlap_s: int) -> None:
    """Refuse an overlap that is none; raises `Invalid` ``overlap``."""
    if type(overlap_s) is not int or not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise Invalid(
            "overlap",
            f"an overlap is a whole number of seconds from 0 to {MAX_OVERLAP_S}",
            overlap_s=overlap_s,
        )


def check_token(holder: str, ttl_s: int) -> None:
    """Refuse a token that cannot be; raises `Invalid` ``external_id`` or ``token_ttl``."""
    if not _is_line(holder, _MAX_HOLDER):
        raise Invalid("external_id", f"an external id is 1 to {_MAX_HOLDER} printable characters")
    if type(ttl_s) is not int or not 1 <= ttl_s <= MAX_TTL_S:
        raise Invalid(
            "token_ttl",
            f"a token lasts a whole number of seconds from 1 to {MAX_TTL_S}",
            ttl_s=ttl_s,
        )


def _is_line(text: object, most: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= most and text.isprintable()

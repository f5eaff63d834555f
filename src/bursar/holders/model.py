"""The words of the directory: holders, changes of them, what became of a change, the past.

Instants are aware datetimes in UTC. A change names only what it changes: `UNSET` leaves a field as
it is, None clears one that may be empty. Personal data stands in a holder's own row and nowhere
else, so that one row is all an erasure must empty (H4).
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from bursar.platform.errors import Invalid, Rejected

MAX_CHANGES: Final = 10_000
LOGIN_DAYS: Final = 63
"""So many days back a holder's logins are known one by one."""

DEFAULT_STATUS: Final = "active"
ERASED_STATUS: Final = "canceled"
TOMBSTONE: Final = "erased:"
"""An erased holder's external id begins so; nobody may be enrolled under such a name."""

Kind = Literal["text", "bool", "instant", "json", "int"]

FACTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "external_id": "text",
        "status": "text",
        "tier": "text",
        "verified": "bool",
        "locale": "text",
        "time_zone": "text",
        "created_at": "instant",
        "subscription_start": "instant",
        "billing_anchor": "instant",
        "last_login_at": "instant",
        "attributes": "json",
    }
)
"""What programs may ask about a holder, and of which kind it is; an absent text is None."""

NameKind = Literal["username", "email"]


class HolderChange(msgspec.Struct, frozen=True, gc=False):
    """What the app says of one holder (H2); a holder that isn't there is enrolled.

    ``attributes`` are merged name by name, None takes a name away; as a whole None empties them.
    ``last_login_at`` only ever moves forward. ``at`` is when it happened in the app, now by
    default: it dates the change of what matters to programs, and may not lie in the future, nor
    before what is known since later.
    """

    external_id: str
    username: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    created_at: datetime | UnsetType = UNSET
    status: str | UnsetType = UNSET
    tier: str | UnsetType | None = UNSET
    verified: bool | UnsetType = UNSET
    subscription_start: datetime | UnsetType | None = UNSET
    billing_anchor: datetime | UnsetType | None = UNSET
    last_login_at: datetime | UnsetType = UNSET
    attributes: Mapping[str, Any] | UnsetType | None = UNSET
    at: datetime | None = None


class Holder(msgspec.Struct, frozen=True, gc=False):
    """A person of the app (H1).

    ``attributes`` is canonical JSON text of an object. ``matters_since`` says since when status,
    tier, verification, subscription start and billing anchor are what they are; ``changes`` counts
    how often one of them changed.
    """

    holder_id: int
    external_id: str
    username: str | None
    email: str | None
    locale: str | None
    time_zone: str | None
    created_at: datetime
    status: str
    tier: str
    verified: bool
    subscription_start: datetime | None
    billing_anchor: datetime | None
    last_login_at: datetime | None
    attributes: str
    matters_since: datetime
    changes: int
    erased_at: datetime | None = None


class Past(msgspec.Struct, frozen=True, gc=False):
    """What was in force in [since, until), and who ended it why (H1); no personal data."""

    number: int
    since: datetime
    until: datetime
    status: str
    tier: str
    verified: bool
    subscription_start: datetime | None
    billing_anchor: datetime | None
    recorded_at: datetime
    actor: str
    reason: str


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a change was not made: a stable code, a sentence, the field if it is one field's."""

    code: Literal["invalid", "in_future", "outdated", "username_taken", "email_taken"]
    message: str
    field: str = ""


Outcome = Literal["created", "changed", "unchanged", "refused"]


class Upserted(msgspec.Struct, frozen=True, gc=False):
    """What became of one change; a refused one of a stranger has no number."""

    external_id: str
    outcome: Outcome
    holder_id: int | None = None
    refusal: Refusal | None = None


class Wanted(msgspec.Struct, frozen=True):
    """Which holders of a list; None means all. Erased ones are left out unless asked for."""

    status: str | None = None
    tier: str | None = None
    verified: bool | None = None
    erased: bool = False


class Login(msgspec.Struct, frozen=True):
    """That somebody was here, now or ``at`` an instant; one may be here several times."""

    external_id: str
    at: datetime | None = None


class Seen(msgspec.Struct, frozen=True):
    """Of how many holders logins were noted, and which ids belong to nobody in the directory."""

    noted: int
    unknown: tuple[str, ...]


class Unique(msgspec.Struct, frozen=True):
    """Which names only one holder may have."""

    username: bool
    email: bool


class Mark(msgspec.Struct, frozen=True, order=True):
    """A place in the order of commits: whatever changed before it can be seen."""

    epoch: int
    xid: int


class People(msgspec.Struct, frozen=True):
    """Holders by column, in the order of their numbers.

    ``facts`` are tuples of hashable values in the order asked; ``settled`` is `matters_since`.
    """

    holder_ids: list[int]
    facts: list[tuple[Any, ...]]
    settled: list[datetime]
    subscription_starts: list[datetime | None]
    created: list[datetime]


def folded(name: str) -> str:
    """Write a username or e-mail address the way in which two are compared."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def version_of(holder: Holder) -> str:
    """Name what a holder is now; any change gives another name, but a login does not."""
    still = msgspec.structs.replace(holder, last_login_at=None)
    return hashlib.sha256(msgspec.json.encode(still)).hexdigest()[:20]


def as_error(refusal: Refusal) -> Invalid | Rejected:
    """Turn a refusal into an error, for whoever asked for one change only."""
    if refusal.code == "invalid":
        return Invalid("holder_refused", refusal.message, field=refusal.field)
    return Rejected("holder_refused", refusal.message, field=refusal.field, why=refusal.code)

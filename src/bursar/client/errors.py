"""What can go wrong, as types; the families are those of the server (docs/errors.md).

    BursarError
    ├── Invalid                 the request is malformed; sending it again cannot help
    ├── Denied                  these credentials are none, or do not allow it
    ├── Missing                 what it names does not exist
    ├── Rejected                a rule of the domain says no
    │   └── InsufficientFunds   more is asked for than is available
    ├── Conflict                same reference with other content, or a version that has moved
    ├── Unavailable             try later
    │   ├── RateLimited         too many requests in a minute
    │   └── NoAnswer            nothing, or no whole answer, came back
    └── Broken                  a bug or damage on the server, or an answer that makes no sense

`BursarError.uncertain` says whether an attempt of the same call was sent and what became of it was
not told (no answer, or one of 500 and above): it may have been done, or may still be. To find out,
make the call again with the same reference: ``idempotency_key`` is the one that was sent.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final


class BursarError(Exception):
    """The root. ``code`` is stable and documented; ``fields`` are what a program needs to act."""

    family: ClassVar[str] = ""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        fields: Mapping[str, Any] | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.detail = detail
        self.fields: dict[str, Any] = dict(fields or {})
        self.status = status
        self.request_id = request_id
        self.uncertain = False
        self.idempotency_key: str | None = None


class Invalid(BursarError):
    """Malformed: no change of the world would make this request acceptable."""

    family = "invalid"


class Denied(BursarError):
    """The credentials are missing, unknown or expired, or lack the scope."""

    family = "denied"


class Missing(BursarError):
    """What the request names does not exist."""

    family = "missing"


class Rejected(BursarError):
    """A rule of the domain says no; another state of the world might say yes."""

    family = "rejected"


class InsufficientFunds(Rejected):
    """More is asked for than is available; the wallet's figures are in ``fields``."""

    @property
    def available(self) -> int:
        """What could have been spent, in minor units."""
        return int(self.fields.get("available", 0))


class Conflict(BursarError):
    """The same reference came with other content, or a version has moved."""

    family = "conflict"


class Unavailable(BursarError):
    """It could not be done now; the same call may succeed later."""

    family = "unavailable"

    @property
    def retry_after_s(self) -> float | None:
        """How long the server asks to be left alone, if it said."""
        given = self.fields.get("retry_after_s")
        return given if isinstance(given, int | float) else None


class RateLimited(Unavailable):
    """These credentials have sent too many requests in a minute."""


class NoAnswer(Unavailable):
    """The server could not be reached, or its answer was lost; see `BursarError.uncertain`."""


class Broken(BursarError):
    """Something is broken on the server, or what answered is no Bursar."""

    family = "broken"


FAMILIES: Final[Mapping[str, type[BursarError]]] = {
    kind.family: kind
    for kind in (Invalid, Denied, Missing, Rejected, Conflict, Unavailable, Broken)
}

_BY_CODE: Final[Mapping[str, type[BursarError]]] = {
    "insufficient_funds": InsufficientFunds,
    "rate_limited": RateLimited,
}

_BY_STATUS: Final[Mapping[int, type[BursarError]]] = {
    401: Denied,
    403: Denied,
    404: Missing,
    408: Unavailable,
    409: Conflict,
    412: Conflict,
    422: Rejected,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}

_REFUSALS: Final[Mapping[str, type[BursarError]]] = {
    "invalid": Invalid,
    "asset_unknown": Missing,
    "wallet_unknown": Missing,
    "hold_unknown": Missing,
    "entry_unknown": Missing,
    "reference_conflict": Conflict,
    "database_refused": Unavailable,
}
"""The refusals of one command of a batch that are not `Rejected`."""


def kind_of(status: int, code: str) -> type[BursarError]:
    """Choose the type of an answer's error; a code that has a type of its own wins."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    return _BY_STATUS.get(status, Invalid if 400 <= status < 500 else Broken)


def refused(status: str, message: str, fields: Mapping[str, Any]) -> BursarError:
    """Turn what a batch says of a refused command into an error of its family."""
    kind = _BY_CODE.get(status) or _REFUSALS.get(status, Rejected)
    return kind(status, message, fields=fields)

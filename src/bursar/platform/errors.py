"""The error families, the same in Python, on the command line and over HTTP.

    BursarError
    ├── Invalid       the request is malformed; sending it again cannot help
    ├── Denied        who asks may not; ask with other credentials
    ├── Missing       what it names does not exist
    ├── Rejected      a rule of the domain says no
    ├── Conflict      same reference with other content, or a version that has moved
    ├── Unavailable   try later: the database is away, full, starting or too busy
    └── Broken        an invariant failed: a bug or damage, raise the alarm

Every error carries a stable ``code`` and the ``fields`` that a caller needs to act; neither the
code nor the family ever says how an edge will show it.
"""

from typing import ClassVar, Literal

Family = Literal["invalid", "denied", "missing", "rejected", "conflict", "unavailable", "broken"]


class BursarError(Exception):
    """The root. ``code`` is stable and documented; ``fields`` are JSON-ready values."""

    family: ClassVar[Family]

    def __init__(self, code: str, message: str, **fields: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields


class Invalid(BursarError):
    """Malformed: no change of the world would make this request acceptable."""

    family = "invalid"


class Denied(BursarError):
    """Who asks may not; with other credentials it might be granted."""

    family = "denied"


class Missing(BursarError):
    """What the request names does not exist."""

    family = "missing"


class Rejected(BursarError):
    """A rule of the domain says no; another state of the world might say yes."""

    family = "rejected"


class Conflict(BursarError):
    """The same reference came with other content, or a version has moved."""

    family = "conflict"


class Unavailable(BursarError):
    """Nothing was done; the same request may succeed later."""

    family = "unavailable"


class Broken(BursarError):
    """An invariant failed: a bug or damaged data."""

    family = "broken"

"""The words of webhooks: an endpoint, and what is known of it when something is sent there."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType

import msgspec

from bursar.notices.model import Kind

EndpointId = NewType("EndpointId", int)

MAX_ENDPOINTS: Final = 100

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EndpointState(StrEnum):
    """Whether anything is sent there; what is made while it is off waits."""

    ON = "on"
    OFF = "off"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a machine listens; its secrets are told once, and are no part of it.

    No kinds are all kinds. ``why`` says why it is off: ``operator`` switched it off, or it answered
    410 and is ``gone``. Until ``old_until`` the secret before the last rotation signs as well.
    """

    endpoint_id: EndpointId
    url: str
    description: str
    kinds: tuple[Kind, ...]
    state: EndpointState
    why: str
    made_at: datetime
    changed_at: datetime
    old_until: datetime | None

    @property
    def subject(self) -> str:
        """The text form of its id."""
        return subject_of(self.endpoint_id)


class NewSecret(NamedTuple):
    """An endpoint and its secret, which is told this once."""

    endpoint: Endpoint
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret({self.endpoint.subject})"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What sending needs of an endpoint; the secrets are sealed, ``now`` is the world's instant."""

    endpoint_id: EndpointId
    url: str
    state: EndpointState
    changed_at: datetime
    secret: bytes
    old_secret: bytes | None
    now: datetime

    def __repr__(self) -> str:
        return f"Target({subject_of(self.endpoint_id)})"


class Told(msgspec.Struct, frozen=True):
    """A notice as a delivery to a machine keeps it; ``happened_at`` is RFC 3339."""

    id: str
    holder_id: int | None
    happened_at: str
    data: dict[str, Any]


class Batch(msgspec.Struct, frozen=True):
    """The data of a delivery to a machine: one notice, or several of one run."""

    notices: tuple[Told, ...]
    run: str | None = None


def subject_of(endpoint_id: int) -> str:
    """Write the id of an endpoint as alerts and the audit trail do."""
    return f"webhook_{endpoint_id}"


def mark_of(endpoint: Endpoint) -> str:
    """Name the version of an endpoint, for whoever changes only what they have seen."""
    return str((endpoint.changed_at - _EPOCH) // timedelta(microseconds=1))

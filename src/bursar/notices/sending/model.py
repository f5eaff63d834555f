"""The words of the queue: what is put into it, what is taken out, what is looked for. Pure."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from bursar.notices.model import Attempt, Channel, Delivery, DeliveryState, Kind, NoticeId

COUNTED_TO: Final = 10_000
"""Figures of a queue say so much for more."""

FAILURES: Final = 3
"""What has failed so often and still waits, after some three minutes, is more than a hiccup."""

Replayable = Literal["sent", "parked", "dropped", "failing"]
"""How a delivery stands that may be sent again; one that is ``failing`` waits for its next try."""


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent to one place; ``due_at`` None is at once.

    An e-mail has a ``holder_id``, or for operators an ``address``; what goes to a webhook has an
    ``endpoint_id``. With a ``parked_note`` it is not sent unless somebody replays it.
    """

    notice_id: NoticeId
    channel: Channel
    kind: Kind
    happened_at: datetime
    data: dict[str, Any]
    due_at: datetime | None = None
    holder_id: int | None = None
    endpoint_id: int = 0
    address: str = ""
    dispatch_id: int | None = None
    parked_note: str | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is ours to carry until its lease runs out.

    Its ``delivery.attempts`` is the number of this attempt, by which it is told of. ``wait_s`` is
    how long it has to wait for its turn, where there is a pace. ``behind`` is the host of an
    endpoint that is so far behind that this should have been sent a day ago.
    """

    delivery: Delivery
    wait_s: float
    behind: str = ""


class GivenUp(msgspec.Struct, frozen=True):
    """A delivery that has been parked; ``place`` is an endpoint's host, else ``email``."""

    kind: Kind
    place: str
    note: str


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What claiming has come to; ``again_s`` is when there is a turn again, if all are taken."""

    claims: tuple[Claim, ...] = ()
    given_up: tuple[GivenUp, ...] = ()
    dropped: int = 0
    again_s: float | None = None


class Standing(msgspec.Struct, frozen=True):
    """How a delivery stands: whether somebody has it under way, or its endpoint has gone."""

    state: DeliveryState
    note: str
    under_way: bool
    endpoint_gone: bool


class DeliveryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its attempts, the first first."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


class WantedDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries of a list; None means all."""

    channel: Channel | None = None
    state: DeliveryState | None = None
    kind: Kind | None = None
    endpoint_id: int | None = None
    holder_id: int | None = None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What was put into the queue from ``since`` to before ``until`` and has ended or failed.

    Of those ``kinds`` and ``states``; no kind is every kind. Both are in order, each there once.
    """

    since: datetime
    until: datetime
    kinds: tuple[Kind, ...]
    states: tuple[Replayable, ...]


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel's queue stands; ``waiting`` and ``parked`` are counted to `COUNTED_TO`.

    ``behind_s`` is for how long the one that has waited longest for a sender has been due.
    ``failing`` of those that wait have failed `FAILURES` times or more; ``example`` is the number
    of one. Each try puts off when they are due, so that they may never be behind.
    """

    channel: Channel
    waiting: int
    parked: int
    behind_s: int
    failing: int = 0
    example: int | None = None

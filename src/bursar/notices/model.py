"""The words of notices: kinds, channels, a notice, what the economy and a holder wish of them.

Amounts are whole minor units, instants aware datetimes in UTC. A notice's data holds no personal
data: whom it is for is looked up when it is shown or sent (H4).
"""

import hashlib
from datetime import datetime, time
from enum import StrEnum
from typing import Any, Final, Literal, NewType
from uuid import UUID

import msgspec

NoticeId = NewType("NoticeId", UUID)


class Kind(StrEnum):
    """Every kind of notice there is, closed (N4); `kinds` says when each is sent, and to whom."""

    DEPOSIT = "deposit"
    REFRESH_DONE = "refresh_done"
    REFRESH_FAILED = "refresh_failed"
    REMINDER = "reminder"
    CORRECTED = "corrected"
    EXPIRING_SOON = "expiring_soon"
    LOW_BALANCE = "low_balance"
    HOLD_LAPSED = "hold_lapsed"
    OPERATOR_ALERT = "operator_alert"
    FAILURE_SUMMARY = "failure_summary"


class Channel(StrEnum):
    """How a notice reaches somebody; a webhook reaches machines, whatever holders wish."""

    INBOX = "inbox"
    EMAIL = "email"
    WEBHOOK = "webhook"


Personal = Literal["inbox", "email"]
"""The channels that reach a holder, and about which a holder may choose."""


class QuietHours(msgspec.Struct, frozen=True):
    """From when until when e-mail waits, in the holder's zone; it may go over midnight.

    Hours that end when they begin are none.
    """

    start: time
    until: time


class NoticeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the economy file says of notices (N5).

    ``send`` are kinds told of what no program does; a program names its own in its terms.
    ``channels`` are the defaults of all kinds, ``by_kind`` those of some. ``below`` is under how
    much a balance is low, by asset. ``names`` are what people call an asset, by asset and language.
    """

    product: str = ""
    time_zone: str = "UTC"
    send: tuple[Kind, ...] = ()
    channels: tuple[Personal, ...] = ("inbox", "email")
    by_kind: dict[Kind, tuple[Personal, ...]] = {}
    below: dict[str, int] = {}
    reminder_days: int = 3
    expiring_days: int = 7
    quiet: QuietHours | None = None
    language: str = "en"
    keep_days: int = 365
    operators: tuple[str, ...] = ()
    names: dict[str, dict[str, str]] = {}

    def defaults(self, kind: Kind) -> tuple[Personal, ...]:
        """Say which channels a kind has unless a holder chooses."""
        return self.by_kind.get(kind, self.channels)


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder wishes: ``choices`` by kind and channel, where they differ from the defaults.

    ``quiet`` stands in place of the economy's quiet hours; ``revision`` counts changes, 0 if there
    was none.
    """

    choices: dict[Kind, dict[Personal, bool]] = {}
    quiet: QuietHours | None = None
    revision: int = 0


NEVER_QUIET: Final = QuietHours(time(0), time(0))
"""E-mail never waits, whatever the economy's quiet hours are."""

NO_PREFERENCES: Final = Preferences()


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that a holder is told, once (N5).

    ``data`` has what templates say, by kind; see `kinds`.
    """

    notice_id: NoticeId
    holder_id: int
    kind: Kind
    happened_at: datetime
    data: dict[str, Any]


class InboxNotice(Notice, frozen=True, kw_only=True):
    """A notice in its inbox; ``number`` is its place, the newest has the highest."""

    number: int
    made_at: datetime
    read_at: datetime | None = None


class DeliveryState(StrEnum):
    """How a delivery stands."""

    WAITING = "waiting"
    """to be sent, for the first time or again"""
    SENT = "sent"
    """the other side took it"""
    PARKED = "parked"
    """given up, until somebody replays it"""
    DROPPED = "dropped"
    """not to be sent: nobody wants it any more, or there is nowhere to send it"""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notice, or for machines several of one run, on its way to one place.

    ``attempts`` counts all, ``tries`` those since it was made or replayed. ``holder_id`` is None
    for operators and for a batch; ``address`` is an operator's e-mail address.
    """

    delivery_id: int
    notice_id: NoticeId
    channel: Channel
    kind: Kind
    state: DeliveryState
    attempts: int
    tries: int
    happened_at: datetime
    made_at: datetime
    due_at: datetime
    ended_at: datetime | None
    holder_id: int | None
    endpoint_id: int
    dispatch_id: int | None
    address: str
    note: str
    data: dict[str, Any]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a delivery was tried; ``status`` is SMTP's or HTTP's, if it came to one."""

    number: int
    began_at: datetime
    took_ms: int
    outcome: Literal["sent", "failed", "refused", "bounced", "dropped"]
    status: int | None
    detail: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of trying a delivery.

    ``failed`` may go better later, after ``retry_after_s`` if the other side asked for that;
    ``refused`` never will: it is parked at once. ``bounced`` says that there is no such address,
    ``dropped`` that there is nobody to send to. ``detail`` is for operators, without personal data.
    """

    outcome: Literal["sent", "failed", "refused", "bounced", "dropped"]
    status: int | None = None
    detail: str = ""
    retry_after_s: int | None = None


def notice_id_of(holder_id: int, fact: str) -> NoticeId:
    """Name a notice after what it tells: the same fact has the same id, however often it is made.

    What is for operators has the holder 0.
    """
    return named(f"bursar:{holder_id}:{fact}".encode())


def named(content: bytes) -> NoticeId:
    """Make an id of a content: a UUID of version 8, out of its SHA-256."""
    digest = bytearray(hashlib.sha256(content).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return NoticeId(UUID(bytes=bytes(digest)))

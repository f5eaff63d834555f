"""Notices, what is wished of them, and what is on its way to people and machines."""

from datetime import datetime
from typing import Any

import msgspec


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder is told: ``title`` and ``text`` in their language, ``data`` for programs.

    ``place`` counts up: what came into the inbox last has the highest.
    """

    id: str
    kind: str
    title: str
    text: str
    data: dict[str, Any]
    happened_at: datetime
    made_at: datetime
    read_at: datetime | None = None
    place: int


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an inbox was not read; from 1,000 on that is not counted."""

    unread: int


class WasRead(msgspec.Struct, frozen=True, kw_only=True):
    """How many notices had not been read before."""

    read: int


class Quiet(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """Between which times of the day e-mail waits, as "22:00", in the holder's zone."""

    start: str
    until: str


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a holder, by kind and way (``inbox``, ``email``), and what of it they chose.

    With ``own_quiet`` the quiet hours in force are the holder's own. ``etag`` is for changing it
    only if nobody else has since.
    """

    kinds: dict[str, dict[str, bool]]
    chosen: dict[str, dict[str, bool]]
    quiet: Quiet | None = None
    own_quiet: bool = False
    etag: str | None = None


class NoticeKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of notice, to whom it goes, and by which ways unless a holder chooses."""

    kind: str
    to: str
    channels: list[str]


class NoticeKinds(msgspec.Struct, frozen=True, kw_only=True):
    """Every kind that there is."""

    items: list[NoticeKind]


class NoticeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the economy file says of notices, as it is in force."""

    product: str
    time_zone: str
    send: list[str]
    channels: list[str]
    by_kind: dict[str, list[str]]
    below: dict[str, int]
    reminder_days: int
    expiring_days: int
    quiet: Quiet | None
    language: str
    keep_days: int
    operators: list[str]
    names: dict[str, dict[str, str]]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as it would be written."""

    subject: str
    summary: str
    text: str
    html: str


class TemplateFailure(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a template; line 0 is the file as a whole."""

    file: str
    line: int
    what: str


class TemplateFailures(msgspec.Struct, frozen=True, kw_only=True):
    """What fails of the templates, if anything; ``languages`` are those that have texts."""

    items: list[TemplateFailure]
    languages: list[str] = []


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a machine listens, without its secret; no kinds are all kinds.

    ``etag`` is for changing it only if nobody else has since.
    """

    webhook_id: int
    url: str
    description: str
    kinds: list[str]
    on: bool
    why: str = ""
    made_at: datetime
    changed_at: datetime
    old_until: datetime | None = None
    etag: str | None = None


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """Webhooks."""

    items: list[Webhook]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and its secret, which is told this once."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"NewWebhook(webhook_id={self.webhook.webhook_id})"


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries waited for a webhook, and are dropped."""

    dropped: int


class Pinged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a ping: ``sent`` if it was taken; ``status`` is what was answered."""

    outcome: str
    status: int | None = None
    detail: str = ""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are sent again."""

    replayed: int


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many webhooks the secrets are sealed anew."""

    resealed: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notice on its way to one place; ``waiting``, ``sent``, ``parked`` or ``dropped``."""

    delivery_id: int
    notice_id: str
    channel: str
    kind: str
    state: str
    note: str = ""
    holder: str | None = None
    address: str = ""
    webhook_id: int | None = None
    dispatch_id: int | None = None
    attempts: int = 0
    tries: int = 0
    happened_at: datetime
    made_at: datetime
    due_at: datetime
    ended_at: datetime | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a delivery was tried; ``status`` is SMTP's or HTTP's."""

    number: int
    began_at: datetime
    took_ms: int
    outcome: str
    status: int | None = None
    detail: str = ""


class DeliveryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with what it says and how it was tried."""

    delivery: Delivery
    data: dict[str, Any]
    attempts: list[Attempt]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are sent after all."""

    released: int


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent of a run, or ahead of a period, and how far that has come."""

    dispatch_id: int
    run: str | None = None
    program: str | None = None
    period: str | None = None
    state: str
    holders: int
    looked: int
    made: int
    sent: int
    waiting: int
    started_at: datetime
    ended_at: datetime | None = None


class Bounce(msgspec.Struct, frozen=True, kw_only=True):
    """An address to which nothing is sent, by its hash, and what a mail server said of it."""

    address_hash: str
    holder: str | None = None
    status: int
    bounced_at: datetime
    detail: str = ""


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """How many addresses were blocked."""

    cleared: int

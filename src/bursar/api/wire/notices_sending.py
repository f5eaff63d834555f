"""What is on its way: deliveries, their attempts, dispatches, blocked addresses (N3, N5)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from bursar.api.wire.notices import NoticeKind
from bursar.api.wire.text import Reason
from bursar.notices.mail.model import Bounce
from bursar.notices.making.model import Dispatch, DispatchState
from bursar.notices.model import Attempt, Delivery, DeliveryState
from bursar.notices.sending.model import DeliveryDetail, Replayable
from bursar.notices.sending.service import NOT_TAKEN

SentBy = Literal["email", "webhook"]
Names = Mapping[int, str]


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One notice on its way to one place; for a webhook up to 500 at once.

    ``waiting`` is to be sent at ``due_at``, ``sent`` was taken by the other side, ``parked`` was
    given up until somebody replays it, ``dropped`` is not to be sent; ``note`` says why.
    ``attempts`` counts all, ``tries`` those since it was made or replayed. ``address`` is an
    operator's; whose ``holder`` is, the directory says.
    """

    delivery_id: int
    notice_id: str
    channel: SentBy
    kind: NoticeKind
    state: DeliveryState
    note: str
    holder: str | None
    address: str
    webhook_id: int | None
    dispatch_id: int | None
    attempts: int
    tries: int
    happened_at: datetime
    made_at: datetime
    due_at: datetime
    ended_at: datetime | None


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[DeliveryView]
    cursor: str | None


class DeliveryWhole(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with what it says and how it was tried, the first time first."""

    delivery: DeliveryView
    data: dict[str, Any]
    attempts: list[Attempt]


class ReplayOfMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which letters are to be sent again: those made from ``since`` to before ``until``.

    No kinds are all kinds; without ``states`` those that no mail server has taken. What waits for
    its first try is left as it is.
    """

    since: datetime
    until: datetime
    kinds: list[NoticeKind] = []
    states: Annotated[tuple[Replayable, ...], msgspec.Meta(min_length=1)] = NOT_TAKEN
    reason: Reason


class ChannelRelease(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On which channel what a restore has parked is to be sent after all, and why."""

    channel: SentBy
    reason: Reason


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are sent after all."""

    released: int


class DispatchView(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent of a run, or ahead of a period, and how far that has come.

    ``looked`` of ``holders`` have been looked at; of them ``made`` deliveries came, which are
    ``sent`` or still ``waiting``. A webhook's holds up to 500 notices.
    """

    dispatch_id: int
    run: str | None
    program: str | None
    period: str | None
    state: DispatchState
    holders: int
    looked: int
    made: int
    sent: int
    waiting: int
    started_at: datetime
    ended_at: datetime | None


class DispatchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Dispatches, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[DispatchView]
    cursor: str | None


class BounceView(msgspec.Struct, frozen=True, kw_only=True):
    """An address to which nothing is sent, and what a mail server said of it; kept as a hash."""

    address_hash: str
    holder: str | None
    status: int
    bounced_at: datetime
    detail: str


class BouncePage(msgspec.Struct, frozen=True, kw_only=True):
    """Blocked addresses, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[BounceView]
    cursor: str | None


class BouncesCleared(msgspec.Struct, frozen=True, kw_only=True):
    """How many addresses were blocked."""

    cleared: int


def holders_in(found: Sequence[Delivery | Bounce]) -> list[int]:
    """Name the holders that a list is about."""
    return list({one.holder_id for one in found if one.holder_id is not None})


def delivery_view(found: Delivery, names: Names) -> DeliveryView:
    """Show a delivery."""
    return DeliveryView(
        delivery_id=found.delivery_id,
        notice_id=str(found.notice_id),
        channel="email" if found.channel.value == "email" else "webhook",
        kind=NoticeKind(found.kind),
        state=found.state,
        note=found.note,
        holder=None if found.holder_id is None else names.get(found.holder_id),
        address=found.address,
        webhook_id=found.endpoint_id or None,
        dispatch_id=found.dispatch_id,
        attempts=found.attempts,
        tries=found.tries,
        happened_at=found.happened_at,
        made_at=found.made_at,
        due_at=found.due_at,
        ended_at=found.ended_at,
    )


def delivery_whole(found: DeliveryDetail, names: Names) -> DeliveryWhole:
    """Show a delivery with its attempts."""
    return DeliveryWhole(
        delivery=delivery_view(found.delivery, names),
        data=found.delivery.data,
        attempts=list(found.attempts),
    )


def dispatch_view(found: Dispatch) -> DispatchView:
    """Show a dispatch."""
    return DispatchView(**{name: getattr(found, name) for name in DispatchView.__struct_fields__})


def bounce_view(found: Bounce, names: Names) -> BounceView:
    """Show a blocked address."""
    return BounceView(
        address_hash=found.address_hash,
        holder=None if found.holder_id is None else names.get(found.holder_id),
        status=found.status,
        bounced_at=found.bounced_at,
        detail=found.detail,
    )

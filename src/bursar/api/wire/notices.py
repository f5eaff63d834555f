"""Notices as a holder's inbox shows them, and what is wished of them (N1, N5)."""

from collections.abc import Sequence
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from bursar.api.wire.text import Reason
from bursar.notices.model import InboxNotice, Personal, QuietHours
from bursar.notices.preferences import Effective
from bursar.notices.service import Notices


class NoticeKind(StrEnum):
    """What a notice tells of; the last two are for operators."""

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


Place = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class InboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """A notice, in the holder's language and for programs.

    ``title`` and ``text`` are a line each, amounts and days written as the holder writes them.
    ``data`` is what they are made of, by kind. ``happened_at`` is the economy's time, ``made_at``
    when it came into the inbox. ``place`` counts up: what came into the inbox last has the highest.
    """

    id: str
    kind: NoticeKind
    title: str
    text: str
    data: dict[str, Any]
    happened_at: datetime
    made_at: datetime
    read_at: datetime | None
    place: int


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """Notices, the newest first; ``cursor`` asks for older ones, null at the end."""

    items: list[InboxItem]
    cursor: str | None


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """How many notices were not read; from 1,000 on they are not counted."""

    unread: int


class ReadUpTo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to which place all was shown; without it, all that there is."""

    up_to: Place | None = None


class WasRead(msgspec.Struct, frozen=True, kw_only=True):
    """How many notices had not been read before."""

    read: int


class Ways(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By which ways a kind of notice comes."""

    inbox: bool | UnsetType = UNSET
    email: bool | UnsetType = UNSET


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wished of a kind; null is the economy's default again, what is left out stays."""

    inbox: bool | UnsetType | None = UNSET
    email: bool | UnsetType | None = UNSET


Clock = Annotated[str, msgspec.Meta(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Quiet(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"start": "from"},
):
    """Between which times of the day e-mail waits, in the holder's zone; over midnight, too.

    If both are the same, it never waits.
    """

    start: Clock
    until: Clock


class PreferencesView(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a holder.

    ``kinds`` says of every kind and way whether it comes, ``chosen`` what of that the holder chose.
    ``quiet`` are the quiet hours in force; with ``own_quiet`` they are the holder's own.
    """

    kinds: dict[NoticeKind, Ways]
    chosen: dict[NoticeKind, Ways]
    quiet: Quiet | None
    own_quiet: bool


class MyWishes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; what is left out stays, and null is the economy's default again."""

    choices: dict[NoticeKind, Choice] = {}
    quiet: Quiet | UnsetType | None = UNSET


class Wishes(MyWishes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a holder's preferences, and why."""

    reason: Reason


async def inbox_items(
    notices: Notices, holder: str, found: Sequence[InboxNotice]
) -> list[InboxItem]:
    """Show notices of one holder, in their order."""
    briefs = await notices.shown(holder, found)
    return [
        InboxItem(
            id=str(notice.notice_id),
            kind=NoticeKind(notice.kind),
            title=brief.subject,
            text=brief.summary,
            data=notice.data,
            happened_at=notice.happened_at,
            made_at=notice.made_at,
            read_at=notice.read_at,
            place=notice.number,
        )
        for notice, brief in zip(found, briefs, strict=True)
    ]


def preferences_view(found: Effective) -> PreferencesView:
    """Show what holds for a holder."""
    return PreferencesView(
        kinds={NoticeKind(kind): _ways(ways) for kind, ways in found.kinds.items()},
        chosen={NoticeKind(kind): _ways(ways) for kind, ways in found.chosen.items()},
        quiet=quiet_view(found.quiet),
        own_quiet=found.own_quiet,
    )


def quiet_view(quiet: QuietHours | None) -> Quiet | None:
    """Show quiet hours, to the minute."""
    if quiet is None:
        return None
    return Quiet(start=f"{quiet.start:%H:%M}", until=f"{quiet.until:%H:%M}")


def choices_of(wishes: MyWishes) -> dict[str, dict[str, bool | None]]:
    """Read what is wished of each kind."""
    return {kind.value: msgspec.to_builtins(choice) for kind, choice in wishes.choices.items()}


def quiet_of(wishes: MyWishes) -> QuietHours | UnsetType | None:
    """Read the quiet hours that are wished."""
    if isinstance(wishes.quiet, Quiet):
        start, until = map(time.fromisoformat, (wishes.quiet.start, wishes.quiet.until))
        return QuietHours(start, until)
    return wishes.quiet


def _ways(ways: dict[Personal, bool]) -> Ways:
    return Ways(**ways)

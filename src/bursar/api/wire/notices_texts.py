"""What notices there are, what is in force of them, and how they read (N2, N4)."""

from typing import Literal

import msgspec

from bursar.api.wire.notices import NoticeKind, Quiet, quiet_view
from bursar.notices.kinds import OF_OPERATORS
from bursar.notices.mail.model import Failure, Rendered
from bursar.notices.model import Kind, NoticeSettings, Personal


class KindView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of notice: to whom it goes, and by which ways unless a holder chooses.

    Webhooks get what they ask for, whatever holders choose.
    """

    kind: NoticeKind
    to: Literal["holders", "operators"]
    channels: list[Personal]


class KindList(msgspec.Struct, frozen=True, kw_only=True):
    """Every kind of notice that there is."""

    items: list[KindView]


class NoticeSettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """What the economy file says of notices, as it is in force.

    ``send`` are kinds told of what no program does. ``channels`` are the defaults of all kinds,
    ``by_kind`` those of some. ``below`` is under how much a balance is low, by asset; ``names`` are
    what people call an asset, by asset and language. ``operators`` are addresses.
    """

    product: str
    time_zone: str
    send: list[NoticeKind]
    channels: list[Personal]
    by_kind: dict[NoticeKind, list[Personal]]
    below: dict[str, int]
    reminder_days: int
    expiring_days: int
    quiet: Quiet | None
    language: str
    keep_days: int
    operators: list[str]
    names: dict[str, dict[str, str]]


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as it would be written: two lines for an inbox, and a letter in both forms."""

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
    languages: list[str]


def kind_views(settings: NoticeSettings) -> list[KindView]:
    """Show every kind, with the defaults in force."""
    return [_kind_view(kind, settings) for kind in Kind]


def _kind_view(kind: Kind, settings: NoticeSettings) -> KindView:
    if kind in OF_OPERATORS:
        mailed: list[Personal] = ["email"] if settings.operators else []
        return KindView(kind=NoticeKind(kind), to="operators", channels=mailed)
    return KindView(kind=NoticeKind(kind), to="holders", channels=list(settings.defaults(kind)))


def settings_view(settings: NoticeSettings) -> NoticeSettingsView:
    """Show what is in force."""
    return NoticeSettingsView(
        product=settings.product,
        time_zone=settings.time_zone,
        send=[NoticeKind(kind) for kind in settings.send],
        channels=list(settings.channels),
        by_kind={NoticeKind(kind): list(ways) for kind, ways in settings.by_kind.items()},
        below=settings.below,
        reminder_days=settings.reminder_days,
        expiring_days=settings.expiring_days,
        quiet=quiet_view(settings.quiet),
        language=settings.language,
        keep_days=settings.keep_days,
        operators=list(settings.operators),
        names=settings.names,
    )


def letter_view(found: Rendered) -> LetterView:
    """Show a letter."""
    return LetterView(
        subject=found.subject, summary=found.summary, text=found.text, html=found.html
    )


def failure_view(found: Failure) -> TemplateFailure:
    """Show what is wrong in a template."""
    return TemplateFailure(file=found.file, line=found.line, what=found.what)

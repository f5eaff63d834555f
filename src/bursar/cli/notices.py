"""``bursar notices``: what is told to whom, how it reads, and how its sending stands (N1–N5)."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import UNSET, UnsetType

from bursar.cli import notices_dispatches, notices_queue, notices_send, notices_texts, output
from bursar.cli.noticing import Cursor, folded, tell_older, with_notices
from bursar.cli.running import Limit
from bursar.cli.session import (
    BY_HAND,
    Actor,
    Holder,
    Json,
    Where,
    actor_or_me,
    command_group,
    place,
)
from bursar.ledger import Ledger
from bursar.notices.kinds import OF_HOLDERS, OF_PROGRAMS, OF_THE_REST
from bursar.notices.model import NEVER_QUIET, Kind, NoticeSettings, QuietHours
from bursar.notices.preferences import Effective
from bursar.notices.service import Notices
from bursar.platform.errors import Invalid
from bursar.platform.sealing import KEY_FILE, VARIABLE, has_key
from bursar.platform.settings import Settings, load_settings
from bursar.platform.smtp_url import server_of

app = command_group("What is told to whom, how it reads, and how its sending stands.")
app.command()(notices_texts.preview)
app.command()(notices_texts.templates)

_CHOICES: dict[str, bool | None] = {"on": True, "off": False, "default": None}


@app.command()
def kinds(where: Where = None, as_json: Json = False) -> None:
    """List the kinds of notice that there are: to whom, who asks for them, how they go."""

    async def ask(notices: Notices, _: Ledger) -> None:
        settings = await notices.settings()
        found = [_kind(kind, settings) for kind in Kind]
        if as_json:
            output.emit({"items": found})
            return
        rows = [
            (one["kind"], one["to"], ", ".join(one["named_by"]), ", ".join(one["channels"]) or "-")
            for one in found
        ]
        output.tabulate(["kind", "to", "named by", "by default"], rows)

    with_notices(where, ask)


@app.command()
def settings(where: Where = None, as_json: Json = False) -> None:
    """Show what is in force: what the economy file says, and what this process was told."""

    async def ask(notices: Notices, ledger: Ledger) -> None:
        said, here = await notices.settings(), _told(load_settings(), place(where).data_dir)
        if as_json:
            output.emit({"economy": said, "process": here})
        else:
            scales = {asset.code: asset.scale for asset in await ledger.assets()}
            output.facts(_spelled(said, scales))
            output.say("\nof this process, by its environment:")
            output.facts((name, _text(value)) for name, value in here.items())

    with_notices(where, ask)


@app.command()
def inbox(
    holder: Holder,
    unread: Annotated[bool, typer.Option("--unread", help="Only what was not read.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Show a holder's inbox as the holder sees it, the newest first; nothing becomes read."""

    async def ask(notices: Notices, _: Ledger) -> None:
        page = await notices.inboxes.page(holder, unread=unread, limit=limit, cursor=cursor)
        shown = await notices.shown(holder, page.items) if page.items else []
        both = list(zip(page.items, shown, strict=True))
        if as_json:
            items = [{"notice": item, "title": s.subject, "text": s.summary} for item, s in both]
            output.emit({"items": items, "cursor": page.cursor})
            return
        if not both:
            output.say("nothing unread" if unread else "nothing in the inbox")
            return
        rows = [
            (
                output.instant(item.happened_at),
                item.kind,
                "" if item.read_at else "new",
                said.subject,
                said.summary,
            )
            for item, said in both
        ]
        output.tabulate(["when (UTC)", "kind", "", folded("title"), folded("text")], rows)
        tell_older(page.cursor)

    with_notices(where, ask)


@app.command()
def preferences(
    holder: Holder,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KIND.CHANNEL=on|off|default", help="deposit.email=off; several times."
        ),
    ] = None,
    quiet: Annotated[
        str | None,
        typer.Option(
            "--quiet", metavar="FROM-UNTIL", help="22:00-07:00, none, or default: the economy's."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, if it is changed.")] = BY_HAND,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Show what a holder wishes to be told, and how; with --set or --quiet change it first."""
    choices, hours = _choices(chosen or []), UNSET if quiet is None else _hours(quiet)

    async def act(notices: Notices, _: Ledger) -> None:
        if choices or hours is not UNSET:
            now = await notices.preferences.change(
                holder, choices=choices, quiet=hours, actor=actor_or_me(actor), reason=reason
            )
        else:
            now = await notices.preferences.show(holder)
        if as_json:
            output.emit(now)
        else:
            _show_wishes(now)

    with_notices(where, act)


notices_dispatches.add_to(app)
notices_queue.add_to(app)
app.command()(notices_send.send)


def _kind(kind: Kind, settings: NoticeSettings) -> dict[str, Any]:
    if kind not in OF_HOLDERS:
        to = ["email"] if settings.operators else []
        return {"kind": kind, "to": "operators", "named_by": ["always"], "channels": to}
    named = [name for name, of in (("program", OF_PROGRAMS), ("send", OF_THE_REST)) if kind in of]
    return {
        "kind": kind,
        "to": "holders",
        "named_by": named,
        "channels": [*settings.defaults(kind)],
    }


def _told(said: Settings, data_dir: Path | None) -> dict[str, Any]:
    """Tell what this process was told, without what is secret."""
    server = None if said.smtp_url is None else server_of(said.smtp_url)
    return {
        "mail_server": None if server is None else f"{server.host}:{server.port}",
        "mail_tls": None if server is None else server.tls,
        "mail_from": said.mail_from or None,
        "mail_per_second": said.mail_per_second,
        "public_url": said.public_url,
        "templates": None if said.templates is None else str(said.templates),
        "secrets_key": _key(said, data_dir),
        "webhook_networks": [*said.webhook_networks],
    }


def _key(said: Settings, data_dir: Path | None) -> str | None:
    """Say where the key of secrets is, that of an embedded server's directory not before it is."""
    if said.secrets_key:
        return VARIABLE
    return KEY_FILE if data_dir is not None and has_key(data_dir) else None


def _spelled(said: NoticeSettings, scales: Mapping[str, int]) -> list[tuple[str, str]]:
    below = [output.amount(number, scales[code], code) for code, number in said.below.items()]
    own = {kind: said.by_kind[kind] for kind in sorted(said.by_kind)}
    return [
        ("product", said.product or "-"),
        ("send", _text([*said.send])),
        ("channels", _text([*said.channels])),
        *((f"{kind}.channels", _text([*ways])) for kind, ways in own.items()),
        ("low_balance.below", _text(below)),
        ("reminder.days", str(said.reminder_days)),
        ("expiring_soon.days", str(said.expiring_days)),
        ("quiet", _quiet(said.quiet)),
        ("time zone", said.time_zone),
        ("language", said.language),
        *((f"names.{asset}", output.compact(names)) for asset, names in said.names.items()),
        ("operators", _text([*said.operators])),
        ("keep_days", str(said.keep_days)),
    ]


def _text(value: object) -> str:
    match value:
        case None | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _quiet(hours: QuietHours | None) -> str:
    if hours is None or hours.start == hours.until:
        return "none"
    return f"{hours.start:%H:%M} to {hours.until:%H:%M}"


def _show_wishes(now: Effective) -> None:
    rows = []
    for kind, ways in now.kinds.items():
        own = now.chosen.get(kind, {})
        cells = [
            f"{'on' if on else 'off'}{', own choice' if way in own else ''}"
            for way, on in ways.items()
        ]
        rows.append((kind, *cells))
    output.tabulate(["kind", "inbox", "email"], rows)
    whose = "the holder's own" if now.own_quiet else "the economy's"
    output.say(f"\nquiet hours: {_quiet(now.quiet)}" + (f", {whose}" if now.quiet else ""))


def _choices(given: list[str]) -> dict[str, dict[str, bool | None]]:
    """Read ``deposit.email=off``; that there are such kinds and channels is looked at later."""
    choices: dict[str, dict[str, bool | None]] = {}
    for one in given:
        what, _, said = one.partition("=")
        kind, _, way = what.partition(".")
        if not kind or not way or said not in _CHOICES:
            raise Invalid(
                "option_invalid",
                f"--set: {one[:60]!r} is no choice; write it like deposit.email=off, on or default",
                option="--set",
            )
        choices.setdefault(kind, {})[way] = _CHOICES[said]
    return choices


def _hours(text: str) -> QuietHours | UnsetType | None:
    if text in ("default", "none"):
        return None if text == "default" else NEVER_QUIET
    start, _, until = text.partition("-")
    try:
        return QuietHours(_hour(start), _hour(until))
    except ValueError:
        raise Invalid(
            "option_invalid",
            f"--quiet: {text[:40]!r} are no hours; write them like 22:00-07:00, none or default",
            option="--quiet",
        ) from None


def _hour(text: str) -> time:
    if len(text) != len("22:00"):
        raise ValueError(text)
    return time.fromisoformat(text)

"""``bursar notices``: what is sent of runs and ahead of periods, watched and steered (N5)."""

from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.noticing import Cursor, number_of, tell_older, with_notices
from bursar.cli.running import Limit
from bursar.cli.session import Actor, Json, Reason, Where, actor_or_me
from bursar.ledger import Ledger
from bursar.notices.making.model import Dispatch
from bursar.notices.service import Notices

DispatchName = Annotated[str, typer.Argument(metavar="ID", help="dispatch_7, or 7.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to a group, in the order of its help."""
    for command in (dispatches, dispatch, pause, resume, cancel):
        app.command()(command)


def dispatches(
    limit: Limit = 20, cursor: Cursor = None, where: Where = None, as_json: Json = False
) -> None:
    """List what is sent of runs and ahead of periods, the newest first."""

    async def ask(notices: Notices, _: Ledger) -> None:
        page = await notices.dispatches.list(limit=limit, cursor=cursor)
        if as_json:
            output.emit({"items": page.items, "cursor": page.cursor})
        elif not page.items:
            output.say("no dispatches")
        else:
            rows = [
                (
                    str(one.dispatch_id),
                    _of(one),
                    one.state,
                    f"{output.amount(one.looked, 0)} of {output.amount(one.holders, 0)}",
                    output.amount(one.made, 0),
                    output.amount(one.sent, 0),
                    output.amount(one.waiting, 0),
                    output.instant(one.started_at),
                )
                for one in page.items
            ]
            columns = ["id>", "of", "state", "looked at>", "made>", "sent>", "waiting>"]
            output.tabulate([*columns, "since (UTC)"], rows)
            tell_older(page.cursor)

    with_notices(where, ask)


def dispatch(name: DispatchName, where: Where = None, as_json: Json = False) -> None:
    """Show how far a dispatch has come."""
    number = number_of(name, "dispatch", "ID")

    async def ask(notices: Notices, _: Ledger) -> None:
        _show_dispatch(await notices.dispatches.get(number), as_json=as_json)

    with_notices(where, ask)


def pause(
    name: DispatchName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Make no more of a dispatch, and let what is made wait."""
    number = number_of(name, "dispatch", "ID")

    async def act(notices: Notices, _: Ledger) -> None:
        done = await notices.dispatches.pause(number, actor=actor_or_me(actor), reason=reason)
        _show_dispatch(done, as_json=as_json)

    with_notices(where, act)


def resume(
    name: DispatchName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Go on with a dispatch where it was paused."""
    number = number_of(name, "dispatch", "ID")

    async def act(notices: Notices, _: Ledger) -> None:
        done = await notices.dispatches.resume(number, actor=actor_or_me(actor), reason=reason)
        _show_dispatch(done, as_json=as_json)

    with_notices(where, act)


def cancel(
    name: DispatchName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """End a dispatch for good; what is sent is sent, what still waits is dropped."""
    number = number_of(name, "dispatch", "ID")

    async def act(notices: Notices, _: Ledger) -> None:
        done = await notices.dispatches.cancel(number, actor=actor_or_me(actor), reason=reason)
        _show_dispatch(done, as_json=as_json)

    with_notices(where, act)


def _of(one: Dispatch) -> str:
    """Say of what a dispatch is: a run, or a program's coming period."""
    return one.run or f"{one.program} {one.period}"


def _show_dispatch(one: Dispatch, *, as_json: bool) -> None:
    if as_json:
        output.emit(one)
        return
    what = "holder" if one.run else "holder number"
    done = f"{output.amount(one.looked, 0)} of {output.counted(one.holders, what)}"
    waits = f"{output.amount(one.sent, 0)} sent, {output.amount(one.waiting, 0)} waiting"
    if (rest := one.made - one.sent - one.waiting) > 0:
        waits += f", {output.amount(rest, 0)} dropped, parked or forgotten"
    output.facts(
        [
            ("dispatch", str(one.dispatch_id)),
            ("of", _of(one)),
            ("state", one.state),
            ("looked at", done),
            ("deliveries", f"{output.amount(one.made, 0)} made, {waits}"),
            ("since", f"{output.instant(one.started_at)} UTC"),
            ("ended", f"{output.instant(one.ended_at)} UTC" if one.ended_at else "not yet"),
        ]
    )

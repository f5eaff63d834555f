"""``bursar notices``: the queue of what is sent, watched and steered (N3, N5)."""

from typing import Annotated, Literal

import typer

from bursar.cli import output
from bursar.cli.noticing import (
    Cursor,
    folded,
    names_of,
    number_of,
    place_of,
    tell_older,
    with_notices,
)
from bursar.cli.running import Limit
from bursar.cli.session import Actor, Holder, Json, Reason, Where, actor_or_me
from bursar.ledger import Ledger
from bursar.notices.making.model import Dispatch
from bursar.notices.model import Channel, Delivery, DeliveryState, Kind
from bursar.notices.sending.model import WantedDeliveries
from bursar.notices.service import Notices

DispatchName = Annotated[str, typer.Argument(metavar="ID", help="dispatch_7, or 7.")]
DeliveryName = Annotated[str, typer.Argument(metavar="ID", help="delivery_7, or 7.")]
Sent = Literal["email", "webhook"]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to a group, in the order of its help."""
    for command in (
        dispatches, dispatch, pause, resume, cancel, deliveries, delivery, replay, release,
        bounces, unblock,
    ):  # fmt: skip
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


def deliveries(
    channel: Annotated[Sent | None, typer.Option("--channel", help="Only this one.")] = None,
    state: Annotated[
        DeliveryState | None, typer.Option("--state", help="Only those that stand so.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only this kind.")] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="ID", help="Only to this: webhook_7, or 7.")
    ] = None,
    holder: Annotated[
        str | None, typer.Option("--holder", help="Only letters to this holder.")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List what is, was or will be sent, the newest first."""
    endpoint_id = None if webhook is None else number_of(webhook, "webhook", "--webhook")

    async def ask(notices: Notices, ledger: Ledger) -> None:
        wanted = WantedDeliveries(
            channel=None if channel is None else Channel(channel),
            state=state,
            kind=kind,
            endpoint_id=endpoint_id,
            holder_id=None if holder is None else await notices.inboxes.number_of(holder),
        )
        page = await notices.deliveries.page(wanted, limit=limit, cursor=cursor)
        if as_json:
            output.emit({"items": page.items, "cursor": page.cursor})
        elif not page.items:
            output.say("no deliveries")
        else:
            names = await names_of(ledger, {one.holder_id for one in page.items})
            rows = [
                (
                    str(one.delivery_id),
                    one.kind,
                    one.channel,
                    place_of(one, names),
                    one.state,
                    str(one.attempts),
                    output.instant(one.ended_at or one.due_at),
                    one.note,
                )
                for one in page.items
            ]
            columns = ["id>", "kind", "by", "to", "state", "tries>", "ended or due (UTC)"]
            output.tabulate([*columns, folded("note")], rows)
            tell_older(page.cursor)

    with_notices(where, ask)


def delivery(name: DeliveryName, where: Where = None, as_json: Json = False) -> None:
    """Show a delivery, and what came of every attempt."""
    number = number_of(name, "delivery", "ID")

    async def ask(notices: Notices, ledger: Ledger) -> None:
        found = await notices.deliveries.get(number)
        if as_json:
            output.emit(found)
            return
        one = found.delivery
        to = place_of(one, await names_of(ledger, {one.holder_id}))
        output.facts(_facts(one, to))
        if found.attempts:
            output.say("")
            rows = [
                (
                    str(attempt.number),
                    output.instant(attempt.began_at),
                    f"{output.amount(attempt.took_ms, 0)} ms",
                    attempt.outcome,
                    "" if attempt.status is None else str(attempt.status),
                    attempt.detail,
                )
                for attempt in found.attempts
            ]
            output.tabulate(
                ["try>", "began (UTC)", "took>", "outcome", "status>", folded("said")], rows
            )

    with_notices(where, ask)


def replay(
    name: DeliveryName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Send a delivery now, again if it was sent; its notice id stays, and it has all its tries."""
    number = number_of(name, "delivery", "ID")

    async def act(notices: Notices, _: Ledger) -> None:
        await notices.deliveries.replay(number, actor=actor_or_me(actor), reason=reason)
        if as_json:
            output.emit({"delivery": number, "replayed": True})
        else:
            output.say(f"delivery {number} is due: a worker sends it, or `bursar notices send`")

    with_notices(where, act)


def release(
    channel: Annotated[Sent, typer.Argument(metavar="email|webhook")],
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Send what a restore has parked on a channel.

    For when nothing was sent between the backup and the restore; else some of it goes twice.
    """

    async def act(notices: Notices, _: Ledger) -> None:
        way = Channel(channel)
        done = await notices.deliveries.release(way, actor=actor_or_me(actor), reason=reason)
        if as_json:
            output.emit({"channel": channel, "released": done})
        else:
            output.say(f"{output.counted(done, 'delivery', 'deliveries')} released")

    with_notices(where, act)


def bounces(
    holder: Annotated[str | None, typer.Option("--holder", help="Only of this holder.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the addresses that mail servers say are nobody's, by holder, the newest first."""

    async def ask(notices: Notices, ledger: Ledger) -> None:
        page = await notices.bounces.list(holder=holder, limit=limit, cursor=cursor)
        if as_json:
            output.emit({"items": page.items, "cursor": page.cursor})
        elif not page.items:
            output.say("nothing is blocked")
        else:
            names = await names_of(ledger, {one.holder_id for one in page.items})
            rows = [
                (
                    "-" if one.holder_id is None else names[one.holder_id],
                    output.instant(one.bounced_at),
                    str(one.status),
                    one.detail,
                )
                for one in page.items
            ]
            output.tabulate(["holder", "since (UTC)", "status>", folded("the server said")], rows)
            tell_older(page.cursor)

    with_notices(where, ask)


def unblock(
    holder: Holder,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let letters go to a holder again whose address had bounced."""

    async def act(notices: Notices, _: Ledger) -> None:
        done = await notices.bounces.clear(holder=holder, actor=actor_or_me(actor), reason=reason)
        if as_json:
            output.emit({"holder": holder, "unblocked": done})
        else:
            output.say(f"{output.counted(done, 'address', 'addresses')} unblocked")

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


def _facts(one: Delivery, to: str) -> list[tuple[str, str]]:
    said = [
        ("delivery", str(one.delivery_id)),
        ("notice", str(one.notice_id)),
        ("kind", one.kind),
        ("by", one.channel),
        ("to", to),
        ("state", one.state + (f": {one.note}" if one.note else "")),
        ("happened", f"{output.instant(one.happened_at)} UTC"),
        ("made", f"{output.instant(one.made_at)} UTC"),
    ]
    if one.ended_at is None:
        said.append(("due", f"{output.instant(one.due_at)} UTC"))
    else:
        said.append(("ended", f"{output.instant(one.ended_at)} UTC"))
    if one.dispatch_id is not None:
        said.append(("dispatch", str(one.dispatch_id)))
    return said

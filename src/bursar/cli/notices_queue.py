"""``bursar notices``: what is sent, looked at and sent again (N3, N5)."""

from typing import Annotated, Literal, cast

import typer

from bursar.cli import output
from bursar.cli.noticing import (
    Cursor,
    Since,
    Until,
    folded,
    names_of,
    number_of,
    place_of,
    tell_older,
    with_notices,
)
from bursar.cli.running import Limit
from bursar.cli.session import Actor, Holder, Json, Reason, Where, actor_or_me, instant_of
from bursar.ledger import Ledger
from bursar.notices.model import Channel, Delivery, DeliveryState, Kind
from bursar.notices.sending.model import Replayable, WantedDeliveries
from bursar.notices.sending.service import NOT_TAKEN
from bursar.notices.service import Notices

DeliveryName = Annotated[str, typer.Argument(metavar="ID", help="delivery_7, or 7.")]
Sent = Literal["email", "webhook"]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to a group, in the order of its help."""
    for command in (
        deliveries, delivery, replay, replay_mail, release, bounces, unblock,
    ):  # fmt: skip
        app.command()(command)


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


def replay_mail(
    since: Since,
    until: Until,
    reason: Reason,
    kind: Annotated[
        list[Kind] | None, typer.Option("--kind", help="Only these kinds; several times. Else all.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            help="Only sent, parked, dropped, or failing; several times. Else parked and failing.",
        ),
    ] = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Send letters at once that no mail server has taken, of those made in a span of time.

    For when it is back: what failed else waits for its next try, up to a day, and what was parked
    for good. They keep their ids; who has unsubscribed since is sent none.
    """
    first, end = instant_of(since, "--since"), instant_of(until, "--until")
    states = cast("list[Replayable]", state or NOT_TAKEN)  # what is none of them is refused

    async def act(notices: Notices, _: Ledger) -> int:
        return await notices.deliveries.replay_mail(
            first, end, kinds=kind or (), states=states, actor=actor_or_me(actor), reason=reason
        )

    again = with_notices(where, act)
    if as_json:
        output.emit({"channel": "email", "replayed": again})
    else:
        output.say(f"{output.counted(again, 'letter', 'letters')} due again")


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

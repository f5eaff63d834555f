"""``bursar webhook``: where machines listen; a secret is written once, alone on stdout (N3)."""

from typing import Annotated, Final, cast

import typer

from bursar.cli import errors, output
from bursar.cli.noticing import Since, Until, folded, number_of, with_notices
from bursar.cli.session import (
    BY_HAND,
    Actor,
    Json,
    Reason,
    Where,
    actor_or_me,
    command_group,
    instant_of,
)
from bursar.ledger import Ledger
from bursar.notices.model import Kind
from bursar.notices.sending.model import Replayable
from bursar.notices.sending.service import REPLAYABLE
from bursar.notices.service import Notices
from bursar.notices.webhooks.address import parse_url
from bursar.notices.webhooks.model import Endpoint, NewSecret, subject_of
from bursar.platform.errors import Invalid

app = command_group("Webhooks: add, list, change, rotate, reseal, remove, ping, replay.")

Name = Annotated[str, typer.Argument(metavar="ID", help="webhook_7, or 7.")]
Kinds = Annotated[
    list[Kind] | None, typer.Option("--kind", help="Only these kinds; several times. Else all.")
]

_THING: Final = "webhook"


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://…, where it listens.")],
    kind: Kinds = None,
    description: Annotated[str, typer.Option("--description", help="As in lists.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; kept on record.")] = "a new webhook",
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Add a webhook. Its secret alone goes to standard output, now and never again."""

    async def act(notices: Notices, _: Ledger) -> NewSecret:
        return await notices.endpoints.add(
            url, kind or (), description, actor=actor_or_me(actor), reason=reason
        )

    _tell_secret(with_notices(where, act), as_json=as_json)


@app.command("list")
def list_(where: Where = None, as_json: Json = False) -> None:
    """List the webhooks, the oldest first; of a URL no query, and nobody can show secrets."""

    async def ask(notices: Notices, _: Ledger) -> list[Endpoint]:
        return await notices.endpoints.list()

    found = with_notices(where, ask)
    if as_json:
        output.emit({"items": found})
    elif not found:
        output.say("no webhooks; add one with `bursar webhook add`")
    else:
        rows = [
            (
                one.subject,
                parse_url(one.url).told,
                _state(one),
                ", ".join(one.kinds) or "all kinds",
                one.description,
            )
            for one in found
        ]
        output.tabulate(
            ["webhook", folded("where"), "state", folded("gets"), folded("description")], rows
        )


@app.command()
def show(name: Name, where: Where = None, as_json: Json = False) -> None:
    """Show a webhook, with all of its URL."""
    number = number_of(name, _THING, "ID")

    async def ask(notices: Notices, _: Ledger) -> Endpoint:
        return await notices.endpoints.get(number)

    _show(with_notices(where, ask), as_json=as_json)


@app.command()
def change(
    name: Name,
    reason: Reason,
    url: Annotated[str | None, typer.Option("--url", help="Where it listens now.")] = None,
    kind: Kinds = None,
    every: Annotated[bool, typer.Option("--all-kinds", help="All kinds from now on.")] = False,
    description: Annotated[str | None, typer.Option("--description", help="As in lists.")] = None,
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Send, or let wait what is made for it."),
    ] = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Change what is named; the rest, and its secret, stay."""
    if kind and every:
        raise Invalid("option_invalid", "--kind or --all-kinds, not both", option="--all-kinds")
    number = number_of(name, _THING, "ID")

    async def act(notices: Notices, _: Ledger) -> Endpoint:
        return await notices.endpoints.change(
            number,
            url=url,
            kinds=() if every else kind or None,
            description=description,
            on=on,
            actor=actor_or_me(actor),
            reason=reason,
        )

    _show(with_notices(where, act), as_json=as_json)


@app.command()
def rotate(
    name: Name,
    reason: Reason,
    overlap: Annotated[
        int,
        typer.Option(
            "--overlap", metavar="HOURS", help="So long the old one signs, too; 0 to 720."
        ),
    ] = 24,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Give a webhook a new secret, written as that of `add`."""
    number = number_of(name, _THING, "ID")

    async def act(notices: Notices, _: Ledger) -> NewSecret:
        return await notices.endpoints.rotate(
            number, overlap, actor=actor_or_me(actor), reason=reason
        )

    _tell_secret(with_notices(where, act), as_json=as_json)


@app.command()
def reseal(reason: Reason, actor: Actor = None, where: Where = None, as_json: Json = False) -> None:
    """Seal all secrets with the first key of BURSAR_SECRETS_KEY, so that the others may go."""

    async def act(notices: Notices, _: Ledger) -> int:
        return await notices.endpoints.reseal(actor=actor_or_me(actor), reason=reason)

    done = with_notices(where, act)
    if as_json:
        output.emit({"resealed": done})
    else:
        output.say(
            f"the secrets of {output.counted(done, 'webhook')} are sealed with the first key"
        )


@app.command()
def remove(
    name: Name,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Remove a webhook for good; what waits for it is dropped."""
    number = number_of(name, _THING, "ID")

    async def act(notices: Notices, _: Ledger) -> int:
        return await notices.endpoints.remove(number, actor=actor_or_me(actor), reason=reason)

    dropped = with_notices(where, act)
    if as_json:
        output.emit({"webhook": number, "dropped": dropped})
    else:
        gone = output.counted(dropped, "delivery", "deliveries")
        output.say(f"{subject_of(number)} is removed; {gone} dropped")


@app.command()
def ping(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept on record.")] = BY_HAND,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Send a webhook a `ping` at once, and tell what it answered; 1 if it did not take it."""
    number = number_of(name, _THING, "ID")

    async def act(notices: Notices, _: Ledger) -> int:
        came = await notices.ping(number, actor=actor_or_me(actor), reason=reason)
        if as_json:
            output.emit(came)
        else:
            said = "" if came.status is None else f" with {came.status}"
            detail = f": {came.detail}" if came.detail else ""
            took = "took it" if came.outcome == "sent" else "did not take it"
            output.say(f"{subject_of(number)} {took}{said}{detail}")
        return 0 if came.outcome == "sent" else errors.REFUSED

    if code := with_notices(where, act):
        raise typer.Exit(code)


@app.command()
def replay(
    name: Name,
    since: Since,
    until: Until,
    reason: Reason,
    kind: Kinds = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state", help="Only sent, parked, dropped, or failing; several times. Else all."
        ),
    ] = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Send a webhook again what was made for it in a span of time, under the same ids."""
    number = number_of(name, _THING, "ID")
    first, end = instant_of(since, "--since"), instant_of(until, "--until")
    states = cast("list[Replayable]", state or REPLAYABLE)  # what is none of them is refused

    async def act(notices: Notices, _: Ledger) -> int:
        return await notices.deliveries.replay_range(
            number,
            first,
            end,
            kinds=kind or (),
            states=states,
            actor=actor_or_me(actor),
            reason=reason,
        )

    again = with_notices(where, act)
    if as_json:
        output.emit({"webhook": number, "replayed": again})
    else:
        output.say(f"{output.counted(again, 'delivery', 'deliveries')} due again")


def _tell_secret(made: NewSecret, *, as_json: bool) -> None:
    """Write what a pipe wants to standard output, and what a person wants beside it."""
    one = made.endpoint
    if as_json:
        output.emit({"webhook": one, "secret": made.secret})
        return
    gets = ", ".join(one.kinds) or "all kinds"
    errors.tell(f"{one.subject}: {parse_url(one.url).told}, gets {gets}")
    if one.old_until is not None:
        errors.tell(f"the old secret signs as well until {output.instant(one.old_until)} UTC")
    errors.tell("this is the only time that its secret is told")
    output.say(made.secret)


def _show(one: Endpoint, *, as_json: bool) -> None:
    if as_json:
        output.emit(one)
        return
    facts = [
        ("webhook", one.subject),
        ("url", one.url),
        ("state", _state(one)),
        ("gets", ", ".join(one.kinds) or "all kinds"),
        ("description", one.description or "-"),
        ("made", f"{output.instant(one.made_at)} UTC"),
        ("changed", f"{output.instant(one.changed_at)} UTC"),
    ]
    if one.old_until is not None:
        facts.append(("the old secret signs until", f"{output.instant(one.old_until)} UTC"))
    output.facts(facts)


def _state(one: Endpoint) -> str:
    return one.state + (f": {one.why}" if one.why else "")

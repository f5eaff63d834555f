"""``bursar holders``: the directory of people."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from bursar.cli import errors, holder_import, holder_view, output
from bursar.cli.session import (
    BY_HAND,
    Actor,
    Holder,
    Json,
    Reason,
    Where,
    actor_or_me,
    command_group,
    instant_of,
    with_ledger,
)
from bursar.holders import HolderChange, Holders, Wanted, as_error
from bursar.ledger import Ledger
from bursar.platform.errors import Invalid

app = command_group("The directory of people: import, show, change, erase.")
app.command("import")(holder_import.import_)

Limit = Annotated[int, typer.Option("--limit", help="How many, 1 to 1000.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Go on where a page ended.")]
_Text = Annotated[str | None, typer.Option(metavar="TEXT", help="Empty clears it.")]
_Instant = Annotated[str | None, typer.Option(metavar="INSTANT", help="Empty clears it.")]

_INSTANTS = ("created_at", "subscription_start", "billing_anchor", "at")


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option("--status", help="Only of this status.")] = None,
    tier: Annotated[str | None, typer.Option("--tier", help="Only of this tier.")] = None,
    verified: Annotated[
        bool | None, typer.Option("--verified/--unverified", help="Only such.")
    ] = None,
    erased: Annotated[bool, typer.Option("--erased", help="Erased ones too.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List holders in the order of their numbers."""
    wanted = Wanted(status=status, tier=tier, verified=verified, erased=erased)

    async def ask(ledger: Ledger) -> None:
        page = await Holders(ledger).list(wanted, limit=limit, cursor=cursor)
        if as_json:
            items = [holder_view.holder_json(holder) for holder in page.items]
            output.emit({"items": items, "cursor": page.cursor})
        else:
            holder_view.show_holders(page)
            holder_view.next_page(page.cursor)

    with_ledger(where, ask)


@app.command()
def show(holder: Holder, where: Where = None, as_json: Json = False) -> None:
    """Show what is known of a holder."""

    async def ask(ledger: Ledger) -> None:
        found = await Holders(ledger).get(holder)
        if as_json:
            output.emit(holder_view.holder_json(found))
        else:
            holder_view.show_holder(found)

    with_ledger(where, ask)


@app.command()
def history(
    holder: Holder,
    limit: Limit = 20,
    cursor: Cursor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List what was in force of a holder before, the newest first."""

    async def ask(ledger: Ledger) -> None:
        page = await Holders(ledger).history(holder, limit=limit, cursor=cursor)
        if as_json:
            output.emit(page)
        else:
            holder_view.show_past(page)
            holder_view.next_page(page.cursor)

    with_ledger(where, ask)


@app.command("set")
def set_(
    holder: Holder,
    reason: Reason,
    username: _Text = None,
    email: _Text = None,
    locale: _Text = None,
    time_zone: _Text = None,
    status: Annotated[str | None, typer.Option(metavar="WORD", help="active, past_due, …")] = None,
    tier: _Text = None,
    verified: Annotated[bool | None, typer.Option("--verified/--unverified")] = None,
    created_at: Annotated[str | None, typer.Option(metavar="INSTANT")] = None,
    subscription_start: _Instant = None,
    billing_anchor: _Instant = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", metavar="NAME=JSON", help="null takes it away; repeatable."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="When it happened; now by default.")
    ] = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Enrol a holder, or change what is named of one."""
    given = {
        "username": username,
        "email": email,
        "locale": locale,
        "time_zone": time_zone,
        "status": status,
        "tier": tier,
        "verified": verified,
        "created_at": created_at,
        "subscription_start": subscription_start,
        "billing_anchor": billing_anchor,
        "at": at,
    }
    said = {name: _meant(name, value) for name, value in given.items() if value is not None}
    if attribute:
        said["attributes"] = dict(map(_attribute, attribute))
    change = HolderChange(holder, **said)

    async def work(ledger: Ledger) -> None:
        holders = Holders(ledger)
        [done] = await holders.upsert([change], actor=actor_or_me(actor), reason=reason)
        if done.refusal is not None:
            raise as_error(done.refusal)
        if as_json:
            now = holder_view.holder_json(await holders.get(holder))
            output.emit({"outcome": done.outcome, "holder": now})
        else:
            output.say(f"{holder}: {done.outcome}")

    with_ledger(where, work)


@app.command()
def seen(
    holders: Annotated[list[str], typer.Argument(metavar="HOLDER…", help="Who logged in.")],
    at: Annotated[str | None, typer.Option(metavar="INSTANT", help="When; now by default.")] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Note that holders have logged in."""
    when: datetime | None = None if at is None else instant_of(at, "--at")

    async def work(ledger: Ledger) -> Any:
        return await Holders(ledger).seen(holders, at=when)

    done = with_ledger(where, work)
    if as_json:
        output.emit(done)
    else:
        output.say(output.counted(done.noted, "login") + " noted")
        for name in done.unknown:
            errors.tell(f"there is no holder {name!r}")
    if done.unknown:
        raise typer.Exit(errors.REFUSED)


@app.command()
def erase(
    holder: Holder,
    reason: Reason,
    with_credit: Annotated[
        bool, typer.Option("--with-credit", help="Though the holder still has credit.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Remove what is personal of a holder, for good; the books stay as they are."""
    if not yes and not typer.confirm(f"remove what is personal of {holder!r}, for good?", err=True):
        raise typer.Abort

    async def work(ledger: Ledger) -> Any:
        return await Holders(ledger).erase(
            holder, with_credit=with_credit, actor=actor_or_me(actor), reason=reason
        )

    erased = with_ledger(where, work)
    if as_json:
        output.emit(holder_view.holder_json(erased))
    else:
        output.say(f"erased; the wallets are those of {erased.external_id}")


@app.command()
def unique(
    username: Annotated[
        bool | None, typer.Option("--username/--no-username", help="One holder a username.")
    ] = None,
    email: Annotated[
        bool | None, typer.Option("--email/--no-email", help="One holder an e-mail address.")
    ] = None,
    reason: Reason = BY_HAND,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Say, or tell, which names only one holder may have; case does not count."""
    now = with_ledger(
        where,
        lambda ledger: Holders(ledger).unique(
            username=username, email=email, actor=actor_or_me(actor), reason=reason
        ),
    )
    if as_json:
        output.emit(now)
    else:
        pairs = [("username", now.username), ("e-mail", now.email)]
        output.facts([(name, "unique" if on else "free") for name, on in pairs])


def _meant(name: str, value: Any) -> Any:
    """Read an option's text; an empty one clears."""
    if value == "":
        return None
    return instant_of(value, f"--{name.replace('_', '-')}") if name in _INSTANTS else value


def _attribute(text: str) -> tuple[str, Any]:
    """Read ``NAME=JSON``; what is no JSON is a text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Invalid(
            "option_invalid", f"--attribute {text!r}: write it NAME=JSON", option="--attribute"
        )
    try:
        return name, msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return name, value

"""``bursar audit``: who did what to the economy, when and why (I2)."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer

from bursar.cli import output
from bursar.cli.session import Json, Where, instant_of, single_command, with_ledger
from bursar.ledger import Ledger
from bursar.trail import Act, Trail, Wanted

app = single_command()


@app.command()
def audit(
    actor: Annotated[
        str | None, typer.Option("--actor", help="Only what this one did, like cli:ada.")
    ] = None,
    act: Annotated[
        str | None, typer.Option("--act", help="Only this, like run.pause; run.* is all of runs.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Only what was done to this: run_12, holder_17.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="INSTANT", help="At or after it.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="INSTANT", help="Before it.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, 1 to 1000.")] = 20,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Go on where a page ended.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List who did what to the economy, when, why, and what it changed, the newest first."""
    wanted = Wanted(
        actor=actor,
        act=act,
        subject=subject,
        since=None if since is None else instant_of(since, "--since"),
        until=None if until is None else instant_of(until, "--until"),
    )

    async def ask(ledger: Ledger) -> None:
        page = await Trail(ledger.database).acts(wanted, limit=limit, cursor=cursor)
        if as_json:
            output.emit({"items": page.items, "cursor": page.cursor})
        elif not page.items:
            output.say("no acts")
        else:
            _show(page.items)
            if page.cursor is not None:
                output.say(f"\nthere are older ones: --cursor {page.cursor}")

    with_ledger(where, ask)


def _show(acts: tuple[Act, ...]) -> None:
    output.tabulate(
        ["when (UTC)", "who", "act", "to", "changed", "reason"],
        [
            (
                output.instant(act.acted_at),
                act.actor,
                act.act,
                act.subject,
                _changed(act.before or {}, act.after or {}),
                act.reason,
            )
            for act in acts
        ],
    )


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Spell what an act changed: ``state running → paused, total 500``."""
    told = []
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        new_text = "none" if new is None else _spelled(new)
        told.append(f"{name} {new_text}" if old is None else f"{name} {_spelled(old)} → {new_text}")
    return ", ".join(told)


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

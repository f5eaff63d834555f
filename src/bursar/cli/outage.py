"""``bursar outage``: windows in which holders could not act (P23)."""

from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.running import with_programs
from bursar.cli.session import Actor, Json, Reason, Where, actor_or_me, command_group, instant_of
from bursar.programs.service import Programs

app = command_group("Declare windows in which holders could not act.")


@app.command()
def declare(
    start: Annotated[str, typer.Argument(metavar="FROM", help="2026-03-31T18:30:00Z, or a day.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="Its end, likewise.")],
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Declare that holders could not act from FROM to TO: streaks, expiries, holds are extended."""
    starts_at, ends_at = instant_of(start, "FROM"), instant_of(end, "TO")

    async def act(programs: Programs) -> None:
        made = await programs.declare_outage(
            starts_at, ends_at, actor=actor_or_me(actor), reason=reason
        )
        if as_json:
            output.emit(made)
        else:
            output.say(
                f"outage {made.outage_id}: {output.instant(starts_at)} to"
                f" {output.instant(ends_at)} UTC is on record"
            )
            output.say(
                f"{made.extended} wallets and holds have more time,"
                f" {made.given_back} expired lots are given back"
            )

    with_programs(where, act)


@app.command("list")
def list_(where: Where = None, as_json: Json = False) -> None:
    """List the windows declared, the earliest first."""

    async def ask(programs: Programs) -> None:
        found = await programs.outages()
        if as_json:
            output.emit({"items": found})
        elif not found:
            output.say("none was declared")
        else:
            rows = [
                (
                    str(one.outage_id),
                    output.instant(one.starts_at),
                    output.instant(one.ends_at),
                    one.actor,
                    one.reason,
                )
                for one in found
            ]
            output.tabulate(["id>", "from (UTC)", "to (UTC)", "by", "why"], rows)

    with_programs(where, ask)

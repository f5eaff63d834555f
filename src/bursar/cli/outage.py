"""``bursar outage``: windows in which holders could not act (P23)."""

from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.progress import meter
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
    """Declare that holders could not act from FROM to TO, at most 31 days; it cannot be undone.

    A day that it touches is not missed by any streak. Lots and holds that end within it last as
    long again beyond it; what has expired within it is given back. If it is interrupted, declare
    the same again: nothing is given back twice.
    """
    starts_at, ends_at = instant_of(start, "FROM"), instant_of(end, "TO")

    async def act(programs: Programs) -> None:
        with meter("making it good"):
            made = await programs.declare_outage(
                starts_at, ends_at, actor=actor_or_me(actor), reason=reason
            )
        if as_json:
            output.emit(made)
            return
        window = f"{output.instant(starts_at)} to {output.instant(ends_at)} UTC"
        output.say(f"outage {made.outage_id}: {window} is on record")
        last = output.counted(made.extended, "lot or hold lasts", "lots and holds last")
        back = output.counted(made.given_back, "expired lot", "expired lots")
        output.say(f"{last} longer, {back} given back")

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

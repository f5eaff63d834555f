"""``bursar alerts``: the matters that operators should know of (P8)."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bursar.cli import output
from bursar.cli.running import Limit, with_programs
from bursar.cli.session import BY_HAND, Actor, Json, Reason, Where, actor_or_me
from bursar.programs.service import Programs


class _ListByDefault(TyperGroup):
    """``bursar alerts`` alone is ``bursar alerts list``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListByDefault,
    help="List the matters that operators should know of, and close them.",
    add_completion=False,
    rich_markup_mode="markdown",
)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="The closed ones, too.")] = False,
    limit: Limit = 100,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the matters that are open, the newest first; the default."""

    async def ask(programs: Programs) -> None:
        found = await programs.alerts(everything=everything, limit=limit)
        if as_json:
            output.emit({"items": found})
            return
        if not found:
            output.say("nothing to tell")
            return
        rows = [
            (
                str(alert.alert_id),
                alert.kind,
                alert.subject,
                output.instant(alert.last_at),
                str(alert.times),
                alert.message
                if alert.resolved_at is None
                else f"closed by {alert.resolved_by}: {alert.message}",
            )
            for alert in found
        ]
        output.tabulate(["id>", "what", "of", "last (UTC)", "times>", "message"], rows)

    with_programs(where, ask)


@app.command()
def resolve(
    alert: Annotated[int, typer.Argument(metavar="ID", min=1, help="As the list shows it.")],
    reason: Reason = BY_HAND,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Close a matter; if it comes up again, it is told again."""

    async def act(programs: Programs) -> None:
        await programs.resolve_alert(alert, actor=actor_or_me(actor), reason=reason)
        if as_json:
            output.emit({"alert": alert, "resolved": True})
        else:
            output.say(f"alert {alert} is closed")

    with_programs(where, act)

"""``bursar program``: look at programs, switch them, set what one holder has of their own."""

from typing import Annotated

import msgspec
import typer

from bursar.cli import output, program_view, run_view
from bursar.cli.running import ProgramName, with_programs
from bursar.cli.session import (
    Actor,
    Holder,
    Json,
    Reason,
    Where,
    actor_or_me,
    asset_named,
    command_group,
    minor_units,
)
from bursar.ledger import Asset
from bursar.platform.errors import Invalid
from bursar.programs.model import InForce, Override
from bursar.programs.service import Programs

app = command_group("Look at programs, switch them, set what one holder has of their own.")


@app.command("list")
def list_(where: Where = None, as_json: Json = False) -> None:
    """List the programs in force."""

    async def ask(programs: Programs) -> None:
        found = await programs.programs()
        if as_json:
            output.emit({"items": found})
            return
        if not found:
            output.say("no programs")
            return
        assets = {asset.code: asset for asset in await programs.ledger.assets()}
        rows = [
            (
                one.program.name,
                program_view.state_words(one),
                program_view.amount_words(one.program.amount, assets[one.program.asset]),
                program_view.schedule_words(one.program.schedule),
            )
            for one in found
        ]
        output.tabulate(["program", "state", "gives", "when"], rows)

    with_programs(where, ask)


@app.command()
def show(name: ProgramName, where: Where = None, as_json: Json = False) -> None:
    """Show what a program is, and how far it has come."""

    async def ask(programs: Programs) -> None:
        found, asset = await _find(programs, name)
        if as_json:
            output.emit(found)
        else:
            output.facts(program_view.program_facts(found, asset))

    with_programs(where, ask)


@app.command()
def versions(name: ProgramName, where: Where = None, as_json: Json = False) -> None:
    """List a program's versions, the newest first: who changed what, when, and why."""

    async def ask(programs: Programs) -> None:
        found = await programs.versions(name)
        if as_json:
            output.emit({"items": found})
            return
        rows = [
            (
                str(one.version),
                output.instant(one.made_at),
                one.actor,
                "added"
                if before is None
                else ", ".join(program_view.changed_fields(before.program, one.program)),
                one.reason,
            )
            for one, before in zip(found, [*found[1:], None], strict=True)
        ]
        output.tabulate(["version>", "made (UTC)", "by", "changed", "why"], rows)

    with_programs(where, ask)


@app.command()
def on(
    name: ProgramName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let a program that was switched off go on."""
    _switch(name, where, as_json, actor_or_me(actor), reason, turned_on=True)


@app.command()
def off(
    name: ProgramName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Stop a program: it begins no run and answers no claim; runs under way go on."""
    _switch(name, where, as_json, actor_or_me(actor), reason, turned_on=False)


@app.command()
def forecast(name: ProgramName, where: Where = None, as_json: Json = False) -> None:
    """Tell what a program's next period would cost, if everybody were as they are today."""

    async def ask(programs: Programs) -> None:
        found, asset = await _find(programs, name)
        estimate = await programs.forecast(found.program)
        if as_json:
            output.emit({"program": name, "asset": asset.code, "estimate": estimate})
            return
        output.say(f"{name}: {run_view.estimate_words(estimate, asset)}")
        if estimate.excluded:
            output.say(f"left out {run_view.left_out_words(estimate.excluded)}")

    with_programs(where, ask)


@app.command("set")
def set_(
    name: ProgramName,
    holder: Holder,
    reason: Reason,
    amount: Annotated[
        str | None, typer.Option("--amount", help="As it is shown: 12.50; in place of all others'.")
    ] = None,
    no_amount: Annotated[
        bool, typer.Option("--no-amount", help="The same amount as all others again.")
    ] = False,
    pause: Annotated[
        bool | None, typer.Option("--pause/--unpause", help="Whether the program passes by.")
    ] = None,
    refresh_day: Annotated[
        int | None,
        typer.Option("--refresh-day", min=1, max=31, help="A day of the month of their own."),
    ] = None,
    no_refresh_day: Annotated[
        bool, typer.Option("--no-refresh-day", help="The usual day again.")
    ] = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Set what one holder has of their own in a program; what is not named stays."""
    if (amount, pause, refresh_day) == (None, None, None) and not (no_amount or no_refresh_day):
        raise Invalid("option_invalid", "say what to set: --amount, --pause, --refresh-day")
    if (amount is not None and no_amount) or (refresh_day is not None and no_refresh_day):
        raise Invalid("option_invalid", "an option and its opposite are both given")

    async def act(programs: Programs) -> None:
        _, asset = await _find(programs, name)
        own = await programs.override(name, holder)
        if amount is not None or no_amount:
            minor = None if amount is None else minor_units(amount, asset)
            own = msgspec.structs.replace(own, amount=minor)
        if refresh_day is not None or no_refresh_day:
            own = msgspec.structs.replace(own, refresh_day=refresh_day)
        if pause is not None:
            own = msgspec.structs.replace(own, paused=pause)
        await programs.set_override(name, holder, own, actor=actor_or_me(actor), reason=reason)
        _show_own(name, holder, own, asset, as_json=as_json)

    with_programs(where, act)


@app.command()
def own(name: ProgramName, holder: Holder, where: Where = None, as_json: Json = False) -> None:
    """Show what one holder has of their own in a program."""

    async def ask(programs: Programs) -> None:
        _, asset = await _find(programs, name)
        override = await programs.override(name, holder)
        _show_own(name, holder, override, asset, as_json=as_json)

    with_programs(where, ask)


def _show_own(name: str, holder: str, override: Override, asset: Asset, *, as_json: bool) -> None:
    if as_json:
        output.emit({"program": name, "holder": holder} | msgspec.structs.asdict(override))
    else:
        output.say(f"{holder} in {name}: {program_view.override_words(override, asset)}")


def _switch(
    name: str, where: str | None, as_json: bool, actor: str, reason: str, *, turned_on: bool
) -> None:
    async def act(programs: Programs) -> None:
        await programs.switch(name, on=turned_on, actor=actor, reason=reason)
        found = await programs.program(name)
        if as_json:
            output.emit(found)
        else:
            output.say(f"{name} is {program_view.state_words(found)}")

    with_programs(where, act)


async def _find(programs: Programs, name: str) -> tuple[InForce, Asset]:
    found = await programs.program(name)
    return found, await asset_named(programs.ledger, found.program.asset)

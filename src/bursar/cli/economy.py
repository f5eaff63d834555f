"""``bursar economy``: the economy file, from a check to the version in force (I7, P10)."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bursar.cli import errors, output
from bursar.cli.running import programs_of
from bursar.cli.session import (
    Actor,
    Json,
    Reason,
    Where,
    actor_or_me,
    command_group,
    with_ledger,
)
from bursar.economy.model import MAX_FILE, Change, Plan, Version, VersionState
from bursar.economy.parse import parse
from bursar.economy.service import EconomyService
from bursar.ledger import Ledger
from bursar.platform.errors import Invalid

app = command_group("Check, plan and apply the economy file.")

File = Annotated[str, typer.Argument(metavar="FILE", help="The economy file; - is standard input.")]
Number = Annotated[int, typer.Argument(metavar="VERSION", help="The version's number.")]
Rename = Annotated[bool, typer.Option("--rename", help="The file's name is the economy's new one.")]


@app.command()
def check(file: File, as_json: Json = False) -> None:
    """Check a file and tell all that is wrong with it; needs no database."""
    try:
        economy = parse(_read(file), _named(file))
    except Invalid as error:
        raise _told(error, as_json=as_json) from error
    if as_json:
        output.emit(economy)
        return
    assets = output.counted(len(economy.assets), "asset")
    programs = output.counted(len(economy.programs), "program")
    output.say(f"{economy.name}: {assets}, {programs}; the file is sound")


@app.command()
def plan(
    file: File,
    rename: Rename = False,
    costs: Annotated[
        bool, typer.Option("--costs/--no-costs", help="Look ahead to what it would cost.")
    ] = True,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Show what a file would change, and what the next periods would cost; changes nothing."""
    content = _read(file)

    async def work(ledger: Ledger) -> tuple[Plan, dict[str, int]]:
        service = _service(ledger)
        made = await service.plan(content, file=_named(file), rename=rename, costs=costs)
        return made, {asset.code: asset.scale for asset in await ledger.assets()}

    try:
        made, scales = with_ledger(where, work)
    except Invalid as error:
        raise _told(error, as_json=as_json) from error
    if as_json:
        output.emit(made)
    else:
        _show_plan(made, parse(content).assets | scales)


@app.command()
def apply(
    file: File,
    reason: Reason,
    actor: Actor = None,
    expect: Annotated[
        str | None, typer.Option("--expect", help="The plan's hash: apply just what it showed.")
    ] = None,
    rename: Rename = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Make a file's economy so; the same file again is no error. Makes the ledger if need be.

    A file that raises a limit waits until a second person approves it.
    """
    content = _read(file)
    try:
        applied = with_ledger(
            where,
            lambda ledger: _service(ledger).apply(
                content,
                actor=actor_or_me(actor),
                reason=reason,
                expect=expect,
                rename=rename,
                file=_named(file),
            ),
            create=True,
        )
    except Invalid as error:
        raise _told(error, as_json=as_json) from error
    version = applied.version
    if as_json:
        output.emit({"unchanged": applied.unchanged, **_without_text(version)})
    elif version.state is VersionState.WAITING:
        output.say(
            f"version {version.version} raises limits and waits: a second person approves it with "
            f"`bursar economy approve {version.version} --reason …`"
        )
    elif applied.unchanged:
        output.say(f"nothing to do: version {version.version} is this file")
    else:
        output.say(f"version {version.version} of {version.name} is in force")


@app.command()
def approve(
    version: Number,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Put a version that waits in force, as a second person."""
    _decide(
        with_ledger(
            where,
            lambda led: _service(led).approve(version, actor=actor_or_me(actor), reason=reason),
        ),
        "in force",
        as_json=as_json,
    )


@app.command()
def refuse(
    version: Number,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Refuse a version that waits, or withdraw your own."""
    _decide(
        with_ledger(
            where,
            lambda led: _service(led).refuse(version, actor=actor_or_me(actor), reason=reason),
        ),
        "refused",
        as_json=as_json,
    )


@app.command()
def show(
    version: Annotated[
        int | None, typer.Option("--version", help="Another version than the one in force.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write the text in force, just as it was applied."""
    found = with_ledger(where, lambda ledger: _service(ledger).show(version))
    if as_json:
        output.emit(found)
    else:
        sys.stdout.write(found.text if found.text.endswith("\n") else f"{found.text}\n")


@app.command()
def history(
    below: Annotated[
        int | None, typer.Option("--below", min=1, help="Versions before this number.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000)] = 50,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the versions, the newest first."""
    found = with_ledger(where, lambda ledger: _service(ledger).history(below=below, limit=limit))
    if as_json:
        output.emit({"items": [_without_text(version) for version in found]})
    elif not found:
        output.say("no economy file has been applied yet")
    else:
        output.tabulate(
            ["version>", "state", "made at", "by", "decided by", "reason"],
            [
                (
                    str(v.version),
                    v.state.value,
                    output.instant(v.made_at),
                    v.actor,
                    v.decided_by or "",
                    v.reason,
                )
                for v in found
            ],
        )


def _service(ledger: Ledger) -> EconomyService:
    return EconomyService(ledger, programs_of(ledger))


def _read(file: str) -> bytes:
    """Read a file, no more of it than may be."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_FILE + 1)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(MAX_FILE + 1)
    except OSError as error:
        raise errors.of_file(error, file) from error


def _named(file: str) -> str:
    return "standard input" if file == "-" else file


def _told(error: Invalid, *, as_json: bool) -> Invalid:
    """Tell people of each problem on a line of its own; a program has them in the fields."""
    if error.code != "economy_invalid" or as_json:
        return error
    errors.tell(error.message)
    return Invalid("economy_invalid", "the file is not sound; nothing was changed", **error.fields)


def _decide(version: Version, how: str, *, as_json: bool) -> None:
    if as_json:
        output.emit(_without_text(version))
    else:
        output.say(f"version {version.version} of {version.name} is {how}")


def _without_text(version: Version) -> dict[str, Any]:
    shape = msgspec.structs.asdict(version)
    del shape["text"]
    return shape


def _show_plan(made: Plan, scales: dict[str, int]) -> None:
    """Show a plan to people."""
    for change in made.changes:
        _show_change(change)
    if not made.changes:
        output.say(f"nothing changes: version {made.base} says the same")
    if made.costs:
        output.say("\nthe next periods, with the holders of today:")
        output.tabulate(
            ["program", "awards>", "amount>", "left out"],
            [
                (
                    cost.program,
                    output.amount(cost.awards, 0),
                    output.amount(cost.amount, scales[cost.asset], cost.asset),
                    output.compact(
                        cost.excluded | ({"failed": cost.failed} if cost.failed else {})
                    ),
                )
                for cost in made.costs
            ],
        )
    if made.raises:
        output.say("\nlimits are raised, so a second person must approve:")
        for text in made.raises:
            output.say(f"  {text}")
    if made.changes:
        output.say(f"\nto apply just this: bursar economy apply … --expect {made.hash}")


def _show_change(change: Change) -> None:
    output.say(f"{change.what} {change.name}: {change.action}; {change.effect}")
    for found in change.differences:
        before, after = (" ".join(t.split()) or "none" for t in (found.before, found.after))
        output.say(f"  {found.field}: {before} → {after}")

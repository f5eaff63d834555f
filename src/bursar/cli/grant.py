"""``bursar grant``: give by hand, to some or to all (P14)."""

import sys
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from bursar.cli import errors
from bursar.cli.running import NoWork, carry_on, leave, run_number, with_programs
from bursar.cli.session import (
    Actor,
    Json,
    Reason,
    Reference,
    Where,
    actor_or_me,
    asset_named,
    minor_units,
    single_command,
)
from bursar.ledger import Asset
from bursar.platform.errors import Invalid, Missing
from bursar.programs.model import RunState
from bursar.programs.service import Programs

app = single_command()

_LONGEST: Final = 200


@app.command()
def grant(
    reason: Reason,
    program: Annotated[
        str | None,
        typer.Option("--program", help="By this program's rules, to whoever qualifies now."),
    ] = None,
    asset: Annotated[
        str | None, typer.Option("--asset", help="Outside all programs, with --amount.")
    ] = None,
    amount: Annotated[
        str | None,
        typer.Option("--amount", help="Each, as it is shown: 12.50; else the program's."),
    ] = None,
    holder: Annotated[
        list[str] | None, typer.Option("--holder", help="To this one; may be repeated.")
    ] = None,
    holders_file: Annotated[
        str | None,
        typer.Option("--holders-file", metavar="FILE|-", help="To these, one id a line."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="To those to whom this run gave.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="To everybody.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide everything, give nothing.")
    ] = False,
    reference: Reference = None,
    no_work: NoWork = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Give by hand, at once; with a reference once, however often it is asked.

    What comes of it is a run, with a report, failures to retry, and a way to take it back.
    """
    _one_of(holder=holder, holders_file=holders_file, run=run, all=everybody or None)
    from_run = None if run is None else run_number(run)
    if holders_file is not None:
        holder = read_holders(holders_file)
    chosen = None if holder is None else list(dict.fromkeys(holder))

    async def act(programs: Programs) -> int:
        minor = None
        if amount is not None:
            minor = minor_units(amount, await _asset_of(programs, program, asset))
        try:
            run_id = await programs.runs.grant(
                program=program,
                asset=asset,
                amount=minor,
                holders=chosen,
                run=from_run,
                reference=reference,
                dry_run=dry_run,
                actor=actor_or_me(actor),
                reason=reason,
            )
        except Missing as error:
            if not as_json:
                _name_strangers(error, chosen or [])
            raise
        report = await programs.runs.report(run_id)
        if not as_json and report.run.state is RunState.FINISHED:
            errors.tell(f"done before, by {report.run.started_by}:")
        return await carry_on(programs, run_id, work=not no_work, as_json=as_json)

    leave(with_programs(where, act))


def _name_strangers(error: Missing, chosen: list[str]) -> None:
    """Tell which of several holders are not there, the first of them."""
    strangers = error.fields.get("holders")
    if len(chosen) > 1 and isinstance(strangers, list):
        for one in strangers:
            errors.tell(f"not in the directory: {one}")


def read_holders(name: str) -> list[str]:
    """Read a file of ids, one a line; raises `Invalid`."""
    try:
        if name == "-":
            return _ids(sys.stdin.buffer, "standard input")
        with Path(name).open("rb") as stream:
            return _ids(stream, name)
    except OSError as error:
        raise errors.of_file(error, name) from error


def _ids(stream: IO[bytes], name: str) -> list[str]:
    found: list[str] = []
    number = 0
    while line := stream.readline(4 * _LONGEST + 8):
        number += 1
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise _bad(name, number, "is not UTF-8") from None
        if len(text) > _LONGEST or not (text.isprintable()):
            raise _bad(name, number, "is no holder's id")
        if text:
            found.append(text)
    if not found:
        raise Invalid("file_empty", f"{name}: there is no holder in it; nothing was given")
    return found


def _bad(name: str, number: int, what: str) -> Invalid:
    return Invalid("file_invalid", f"{name}: line {number} {what}; nothing was given", line=number)


def _one_of(**given: object) -> None:
    """Refuse none and several; raises `Invalid` ``option_invalid``."""
    if sum(value is not None and value != [] for value in given.values()) != 1:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise Invalid("option_invalid", f"say to whom, by one of {names}", option=names)


async def _asset_of(programs: Programs, program: str | None, asset: str | None) -> Asset:
    if program is not None and asset is None:
        asset = (await programs.program(program)).program.asset
    if asset is None:
        raise Invalid("grant_of", "a grant is of a program or of an asset: name one of them")
    return await asset_named(programs.ledger, asset)

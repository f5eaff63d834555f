"""``bursar run``: start the run of a period, look at runs, steer them (P6, P8, P10)."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, cast

import typer

from bursar.cli import output, run_view
from bursar.cli.run_preview import show_preview
from bursar.cli.running import (
    Limit,
    NoWork,
    ProgramName,
    RunName,
    carry_on,
    exit_code,
    finish_all,
    leave,
    run_number,
    running,
    tell_all,
    with_programs,
)
from bursar.cli.session import (
    Actor,
    Json,
    Reason,
    Where,
    actor_or_me,
    asset_named,
    command_group,
    minor_units,
)
from bursar.ledger import Policy
from bursar.platform.errors import Conflict, Invalid
from bursar.programs.model import RunId
from bursar.programs.service import Programs

app = command_group("Start the run of a period, look at runs, steer them.")

_MOST = 1_000

_Period = Annotated[
    str | None,
    typer.Option("--period", metavar="KEY", help="Like 2026-11; by default the current one."),
]


@app.command()
def preview(
    program: ProgramName,
    period: _Period = None,
    holder: Annotated[
        list[str] | None, typer.Option("--holder", help="Only this holder; may be repeated.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, max=_MOST, help="How many holders to show.")
    ] = 20,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Everybody, as CSV; whole or not."),
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Show what a run would come to: who, how much, why, and who not; nothing is written."""
    with_programs(
        where,
        lambda programs: show_preview(
            programs, program, period, holder or None, limit=limit, file=file, as_json=as_json
        ),
    )


@app.command()
def start(
    program: ProgramName,
    reason: Reason,
    period: _Period = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide everything, give nothing.")
    ] = False,
    no_work: NoWork = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Start the run of a period that has begun, and do it; 1 if it sets somebody aside or halts."""

    async def act(programs: Programs) -> int:
        run_id = await programs.runs.start(
            program, period, actor=actor_or_me(actor), reason=reason, dry_run=dry_run
        )
        return await carry_on(programs, run_id, work=not no_work, as_json=as_json)

    leave(with_programs(where, act))


@app.command()
def status(run: RunName, where: Where = None, as_json: Json = False) -> None:
    """Show how a run stands."""
    run_id = run_number(run)

    async def ask(programs: Programs) -> None:
        report = await programs.runs.report(run_id)
        if as_json:
            output.emit(run_view.report_json(report))
        else:
            run_view.show_status(report, await asset_named(programs.ledger, report.run.asset))

    with_programs(where, ask)


@app.command("list")
def list_(
    program: Annotated[
        str | None, typer.Argument(metavar="[PROGRAM]", help="Only this program's.")
    ] = None,
    limit: Limit = 20,
    before: Annotated[
        str | None, typer.Option("--before", metavar="RUN", help="Go on where a page ended.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    older_than = None if before is None else run_number(before)

    async def ask(programs: Programs) -> None:
        if program is not None:
            await programs.program(program)
        reports = await programs.runs.recent(program, before=older_than, limit=limit)
        more = reports[-1].run.name if len(reports) == limit else None
        if as_json:
            output.emit({"items": [run_view.report_json(r) for r in reports], "before": more})
        elif not reports:
            output.say("no runs")
        else:
            assets = {asset.code: asset for asset in await programs.ledger.assets()}
            run_view.show_list(reports, assets)
            if more is not None:
                output.say(f"\nthere may be older ones: --before {more}")

    with_programs(where, ask)


_After = Annotated[int, typer.Option("--after", min=0, help="Go on where a page ended.")]


@app.command()
def failures(
    run: RunName,
    everything: Annotated[
        bool, typer.Option("--all", help="Those who have succeeded since, too.")
    ] = False,
    limit: Limit = 100,
    after: _After = 0,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List whom a run has set aside, why, and when it tries again."""
    run_id = run_number(run)

    async def ask(programs: Programs) -> None:
        found = await programs.runs.failures(
            run_id, after=after, everything=everything, limit=limit
        )
        more = found[-1].holder_id if len(found) == limit else None
        if as_json:
            output.emit({"items": found, "after": more})
            return
        run_view.show_failures(found)
        if more is not None:
            output.say(f"\nthere may be more: --after {more}")

    with_programs(where, ask)


@app.command()
def excluded(
    run: RunName,
    limit: Limit = 100,
    after: _After = 0,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List whom a run has left out, for the reasons that its program keeps."""
    run_id = run_number(run)

    async def ask(programs: Programs) -> None:
        found = await programs.runs.exclusions(run_id, after=after, limit=limit)
        more = found[-1].holder_id if len(found) == limit else None
        if as_json:
            output.emit({"items": found, "after": more})
            return
        run_view.show_exclusions(found)
        if more is not None:
            output.say(f"\nthere may be more: --after {more}")

    with_programs(where, ask)


@app.command()
def retry(
    run: RunName,
    reason: Reason,
    no_work: NoWork = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Try those whom a run has set aside again, now."""
    run_id = run_number(run)

    async def act(programs: Programs) -> int:
        count = await programs.runs.retry(run_id, actor=actor_or_me(actor), reason=reason)
        if not as_json:
            output.say(f"{output.counted(count, 'holder')} to try again")
        return await carry_on(programs, run_id, work=not no_work, as_json=as_json)

    leave(with_programs(where, act))


@app.command()
def approve(
    run: RunName,
    total: Annotated[
        str, typer.Option("--total", metavar="AMOUNT", help="What it comes to, as it is shown.")
    ],
    reason: Reason,
    no_work: NoWork = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let a run that waits begin, as a second person, and do it; it gives no more than AMOUNT."""
    run_id = run_number(run)

    async def act(programs: Programs) -> int:
        found = await programs.runs.report(run_id)
        asset = await asset_named(programs.ledger, found.run.asset)
        try:
            await programs.runs.approve(
                run_id, minor_units(total, asset), actor=actor_or_me(actor), reason=reason
            )
        except Conflict as error:
            estimate = found.run.estimate
            if error.code != "approval_total" or estimate is None:
                raise
            said = output.amount(estimate.amount, asset.scale, asset.code)
            message = f"{found.run.name} comes to {said}, not {total}: look at it again"
            raise Conflict("approval_total", message, **error.fields) from error
        return await carry_on(programs, run_id, work=not no_work, as_json=as_json)

    leave(with_programs(where, act))


@app.command()
def pause(
    run: RunName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Stop a run where it is; the parts under way are finished."""
    _steer(
        run,
        where,
        as_json,
        lambda programs, r: programs.runs.pause(r, actor=actor_or_me(actor), reason=reason),
    )


@app.command()
def resume(
    run: RunName,
    reason: Reason,
    no_work: NoWork = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let a paused run go on, and do it."""
    run_id = run_number(run)

    async def act(programs: Programs) -> int:
        await programs.runs.resume(run_id, actor=actor_or_me(actor), reason=reason)
        return await carry_on(programs, run_id, work=not no_work, as_json=as_json)

    leave(with_programs(where, act))


@app.command()
def cancel(
    run: RunName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """End a run for good; what it has given stays, until it is reverted."""
    _steer(
        run,
        where,
        as_json,
        lambda programs, r: programs.runs.cancel(r, actor=actor_or_me(actor), reason=reason),
    )


@app.command()
def work(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Only this run; by default all.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Do what there is to do of a run, or of all, with whoever else does."""
    run_id = None if run is None else run_number(run)

    async def act(programs: Programs) -> int:
        if run_id is not None:
            return await carry_on(programs, run_id, work=True, as_json=as_json)
        done = await finish_all(programs, await running(programs), as_json=as_json)
        await tell_all(programs, done, as_json=as_json)
        return exit_code(*done)

    leave(with_programs(where, act))


@app.command()
def revert(
    run: RunName,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="debt|clip|net",
            help="Of what is already spent: go below zero, let it go, or withhold it later.",
        ),
    ],
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    no_work: NoWork = False,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Take back what a run gave, entry against entry; what was spent since stays spent."""
    run_id = run_number(run)
    if policy not in ("debt", "clip", "net"):
        raise Invalid("revert_policy", "a policy is debt, clip or net", policy=policy)

    async def act(programs: Programs) -> int:
        found = await programs.runs.report(run_id)
        asset = await asset_named(programs.ledger, found.run.asset)
        if not yes:
            amount = output.amount(found.progress.amount, asset.scale, asset.code)
            whom = output.counted(found.progress.awarded, "holder")
            _agree(f"Take back {amount} from {whom}, given by {found.run.name}?")
        reversal = await programs.runs.revert(
            run_id, cast("Policy", policy), actor=actor_or_me(actor), reason=reason
        )
        return await carry_on(programs, reversal, work=not no_work, as_json=as_json)

    leave(with_programs(where, act))


def _steer(
    run: str,
    where: str | None,
    as_json: bool,
    steer: Callable[[Programs, RunId], Awaitable[None]],
) -> None:
    """Change how a run stands, and say so."""
    run_id = run_number(run)

    async def act(programs: Programs) -> None:
        await steer(programs, run_id)
        report = await programs.runs.report(run_id)
        if as_json:
            output.emit(run_view.report_json(report))
        else:
            asset = await asset_named(programs.ledger, report.run.asset)
            run_view.show_outcome(report, asset, None)

    with_programs(where, act)


def _agree(question: str) -> None:
    """Ask a person; raises `Invalid` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise Invalid("option_invalid", f"{question} It asks first: add --yes", option="--yes")
    typer.confirm(question, abort=True, err=True)

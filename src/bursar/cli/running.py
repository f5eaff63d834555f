"""Reaching the programs, and doing runs while somebody watches (I4, P6)."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Final, TypeVar

import typer

from bursar.cli import errors, output, run_view
from bursar.cli.progress import Meter, meter
from bursar.cli.session import asset_named, place, with_ledger
from bursar.ledger import Ledger
from bursar.notices.service import Notices
from bursar.operation import Operation
from bursar.platform.ending import end
from bursar.platform.errors import Invalid, Unavailable
from bursar.platform.logs import log_to_stderr
from bursar.platform.settings import load_settings
from bursar.programs.model import RunId, RunState
from bursar.programs.runs.execute import LANES
from bursar.programs.runs.model import RunReport
from bursar.programs.service import Programs
from bursar.programs.switches import Switches

T = TypeVar("T")

RunName = Annotated[str, typer.Argument(metavar="RUN", help="run_12, or 12.")]
ProgramName = Annotated[str, typer.Argument(metavar="PROGRAM", help="The program's name.")]
Limit = Annotated[int, typer.Option("--limit", help="How many, 1 to 1000.")]
NoWork = Annotated[bool, typer.Option("--no-work", help="Leave the work to the workers.")]

_MOST: Final = 1_000
_WATCH_S: Final = 0.5
_OTHERS_S: Final = 0.2
_ENDED_BADLY: Final = frozenset({RunState.PAUSED, RunState.CANCELED})


def with_programs(
    where: str | None,
    use: Callable[[Programs], Awaitable[T]],
    *,
    connections: int = LANES + 2,
    log_level: int = logging.ERROR,
    log_json: bool = False,
) -> T:
    """Open the ledger and its programs, use them, close them.

    What is logged goes to standard error; a command tells by itself what became of its runs, so
    that only what nobody foresaw is.
    """
    log_to_stderr(log_level, as_json=log_json)
    return with_ledger(where, lambda ledger: use(programs_of(ledger)), connections=connections)


def notices_of(ledger: Ledger, where: str | None) -> Notices:
    """Make the notices of a ledger as the environment's settings want them; close them after."""
    return Notices(ledger, load_settings(), place(where).data_dir)


def programs_of(ledger: Ledger) -> Programs:
    """Make the programs of a ledger as the environment's settings want them (O5)."""
    said = load_settings()
    switches = Switches(enabled=said.programs, dry_run=said.dry_run)
    return Programs(ledger, chunk=said.chunk, switches=switches)


def operation_of(ledger: Ledger) -> Operation:
    """Make the operation of a ledger as the environment's settings want it (O5)."""
    said = load_settings()
    return Operation(ledger, verify_hours=said.verify_hours, keep_days=said.keep_days)


def run_number(text: str) -> RunId:
    """Read the name of a run; raises `Invalid` ``option_invalid``."""
    match = re.fullmatch(r"(?:run_)?([0-9]{1,18})", text)
    if match is None:
        raise Invalid(
            "option_invalid", f"{text!r} is no run; write it like run_12 or 12", option="RUN"
        )
    return RunId(int(match[1]))


async def carry_on(programs: Programs, run_id: RunId, *, work: bool, as_json: bool) -> int:
    """Do what may be done of a run, and tell what came of it; returns the exit code."""
    report = await programs.runs.report(run_id)
    worked: run_view.Worked | None = None
    if work and report.run.state is RunState.RUNNING:
        began, before = time.monotonic(), run_view.holders_done(report)
        report = await finish(programs, report, as_json=as_json)
        done = run_view.holders_done(report) - before
        worked = run_view.Worked(time.monotonic() - began, done)
    if as_json:
        output.emit(run_view.report_json(report))
    else:
        asset = await asset_named(programs.ledger, report.run.asset)
        run_view.show_outcome(report, asset, worked)
    return exit_code(report)


async def finish(programs: Programs, report: RunReport, *, as_json: bool) -> RunReport:
    """Work on a run until nothing of it is left; others may work on it too."""
    run = report.run
    try:
        with meter(run.name, run.holders or None, unit="holders") as shown:
            async with _watched(programs, run.run_id, shown):
                while report.run.state is RunState.RUNNING:
                    await programs.runs.work(run.run_id)
                    report = await programs.runs.report(run.run_id)
                    if report.run.state is RunState.RUNNING:
                        await asyncio.sleep(_OTHERS_S)  # the last chunks are in other hands
    except (asyncio.CancelledError, KeyboardInterrupt, Unavailable):
        if not as_json:
            errors.tell(
                f"what {run.name} has given is in the books; the rest is done by a worker, or by"
                f" `bursar run work {run.name}`"
            )
        raise
    return report


async def running(programs: Programs) -> list[RunReport]:
    """Find the runs under way, the oldest first."""
    recent = await programs.runs.recent(limit=_MOST)
    return [r for r in reversed(recent) if r.run.state is RunState.RUNNING]


async def finish_all(
    programs: Programs, reports: Sequence[RunReport], *, as_json: bool
) -> list[RunReport]:
    """Do these runs, one after another."""
    return [await finish(programs, report, as_json=as_json) for report in reports]


async def tell_all(programs: Programs, reports: Sequence[RunReport], *, as_json: bool) -> None:
    """Tell a line of each run, and what to type where it is a person's turn."""
    if as_json:
        output.emit({"items": [run_view.report_json(report) for report in reports]})
        return
    if not reports:
        output.say("nothing is due")
    assets = {asset.code: asset for asset in await programs.ledger.assets()}
    for report in reports:
        run_view.show_line(report, assets[report.run.asset])


def exit_code(*reports: RunReport) -> int:
    """Tell 1 if a run has set somebody aside, or was stopped before its end; else 0."""
    bad = any(r.progress.failed or r.run.state in _ENDED_BADLY for r in reports)
    return errors.REFUSED if bad else 0


def leave(code: int) -> None:
    """End the command with this code."""
    if code:
        raise typer.Exit(code)


@asynccontextmanager
async def _watched(programs: Programs, run_id: RunId, shown: Meter) -> AsyncIterator[None]:
    """Move the bar, with whatever others do for the run; only where somebody looks at it."""
    if not shown.measured:
        yield
        return

    async def watch() -> None:
        while True:
            report = await programs.runs.report(run_id)
            shown.at(run_view.holders_done(report))
            await asyncio.sleep(_WATCH_S)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        await end([watching])
        with suppress(asyncio.CancelledError, Unavailable):
            await watching

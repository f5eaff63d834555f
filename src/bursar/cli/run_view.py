"""Showing runs: as a list, in full, and what one has come to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from bursar.cli import output
from bursar.ledger import Asset
from bursar.programs.model import Period, RunKind, RunState
from bursar.programs.runs.model import Estimate, Exclusion, Failure, Run, RunReport

_MANY: Final = 1_000
"""Holders of whom a rate tells anything."""


class Worked(NamedTuple):
    """How long a command has worked on a run, and how many holders were done meanwhile."""

    seconds: float
    holders: int


def report_json(report: RunReport) -> dict[str, Any]:
    """Give a run the shape that programs see: its name first, amounts in minor units."""
    shape = msgspec.structs.asdict(report.run)
    del shape["run_id"]
    target = shape["target_run"]
    if target is not None:
        shape["target_run"] = f"run_{target}"
    return {"run": report.run.name} | shape | {"progress": report.progress}


def show_list(reports: Sequence[RunReport], assets: Mapping[str, Asset]) -> None:
    """Show runs, a line each."""
    rows = [
        (
            report.run.name,
            subject(report.run),
            _kind(report.run),
            report.run.state.value,
            output.instant(report.run.started_at),
            output.amount(report.progress.awarded, 0),
            _units(report.progress.amount, assets[report.run.asset]),
            output.amount(report.progress.failed, 0) if report.progress.failed else "",
        )
        for report in reports
    ]
    names = ["run", "of", "kind", "state", "started (UTC)", "awarded>", "amount>", "failed>"]
    output.tabulate(names, rows)


def show_status(report: RunReport, asset: Asset) -> None:
    """Show everything about a run that an operator may ask; what does not apply is left out."""
    run, progress = report.run, report.progress
    pairs = [("run", run.name), ("kind", _kind(run))]
    if run.program is not None:
        pairs.append(("program", f"{run.program}, version {run.version}"))
    if run.target_run is not None:
        pairs.append(("takes back", f"run_{run.target_run}, policy {run.policy}"))
    elif run.kind is not RunKind.GRANT:
        pairs.append(("period", period_words(run.period)))
    if run.reference is not None:
        pairs.append(("reference", run.reference))
    if run.amount is not None:
        pairs.append(("amount", f"{_units(run.amount, asset)} each"))
    pairs += [
        ("state", run.state.value),
        ("started", f"{output.instant(run.started_at)} UTC by {run.started_by}: {run.reason}"),
    ]
    if run.approved_by is not None:
        pairs.append(("approved by", run.approved_by))
    if run.finished_at is not None:
        pairs.append(("finished", f"{output.instant(run.finished_at)} UTC"))
    if run.estimate is not None:
        pairs.append(("estimate", estimate_words(run.estimate, asset)))
    if run.ceiling is not None:
        pairs.append(("ceiling", _units(run.ceiling, asset)))
    if run.day_ceiling is not None:
        pairs.append(("ceiling a day", _units(run.day_ceiling, asset)))
    if run.state is not RunState.SKIPPED:
        done, all_ = output.amount(progress.chunks_done, 0), output.counted(progress.chunks, "part")
        pairs.append(("holders", f"{output.amount(run.holders, 0)}; {done} of {all_} done"))
        pairs += _came_to(report, asset)
    if run.note:
        pairs.append(("note", run.note))
    output.facts(pairs)
    hint = what_next(report, asset)
    if hint:
        output.say(f"\n{hint}")


def show_outcome(report: RunReport, asset: Asset, worked: Worked | None) -> None:
    """Show what a run has come to, how fast just now, and what to do if it is not finished."""
    run = report.run
    state = run.state.value
    if run.dry_run:
        state += " (dry run: nothing was given)"
    told = f"{run.name}: {subject(run)}, {state}"
    if worked is not None:
        told += f" in {worked.seconds:.1f} s"
        if worked.holders >= _MANY:
            told += f", {output.amount(int(worked.holders / worked.seconds), 0)} holders/s"
    output.say(told)
    if report.progress.chunks_done:
        output.facts(_came_to(report, asset))
    if run.state is RunState.PAUSED:
        output.say(_why_paused(run, asset))
    hint = what_next(report, asset)
    if hint:
        output.say(hint)


def what_next(report: RunReport, asset: Asset) -> str:
    """Say exactly what to type, if it is a person's turn."""
    run = report.run
    match run.state:
        case RunState.WAITING:
            return _approval(run, asset)
        case RunState.RUNNING:
            return f"a worker does it, or `bursar run work {run.name}`"
        case RunState.PAUSED:
            return (
                f"go on with `bursar run resume {run.name} --reason …`, or end it with"
                f" `bursar run cancel {run.name} --reason …`"
            )
        case RunState.FINISHED if report.progress.failed:
            return (
                f"those who failed are tried again by themselves; `bursar run failures {run.name}`"
                f" says why, `bursar run retry {run.name} --reason …` tries now"
            )
        case _:
            return ""


def _approval(run: Run, asset: Asset) -> str:
    if run.estimate is None:
        return "its total is not known yet: `bursar tick` finds it"
    total = output.amount(run.estimate.amount, asset.scale).replace(" ", "")
    return (
        f"it would award {estimate_words(run.estimate, asset)}\n"
        f"it waits for a second person, not {run.started_by} nor who wrote the program:\n"
        f"  bursar run approve {run.name} --total {total} --reason …"
    )


def show_failures(found: Sequence[Failure]) -> None:
    """Show whom a run has set aside."""
    if not found:
        output.say("nobody is set aside")
        return
    rows = [
        (
            failure.holder or f"number {failure.holder_id}",
            str(failure.attempts),
            "succeeded since"
            if failure.resolved_at is not None
            else output.instant(failure.retry_at, none="not by itself"),
            f"{failure.message} ({failure.code})",
        )
        for failure in found
    ]
    output.tabulate(["holder", "tries>", "next try (UTC)", "why"], rows)


def show_exclusions(found: Sequence[Exclusion]) -> None:
    """Show whom a run has left out."""
    if not found:
        output.say("nobody is on record: a program lists the reasons that it keeps")
        return
    rows = [(one.holder or f"number {one.holder_id}", one.period_key, one.reason) for one in found]
    if any(period for _, period, _ in rows):
        output.tabulate(["holder", "period", "why"], rows)
    else:
        output.tabulate(["holder", "why"], [(holder, why) for holder, _, why in rows])


def estimate_words(estimate: Estimate, asset: Asset) -> str:
    """Spell what a run would give."""
    told = f"{_units(estimate.amount, asset)} to {output.counted(estimate.awards, 'holder')}"
    return told + (f", {output.amount(estimate.failed, 0)} would fail" if estimate.failed else "")


def left_out_words(excluded: Mapping[str, int]) -> str:
    """Spell who was left out: how many, and why."""
    reasons = [f"{output.amount(n, 0)} {reason}" for reason, n in sorted(excluded.items())]
    total = f"{output.amount(sum(excluded.values()), 0)}: " if len(reasons) > 1 else ""
    return total + ", ".join(reasons)


def period_words(period: Period) -> str:
    """Spell a period: its key, and from when to when."""
    if period.start == period.end:
        return period.key
    return f"{period.key}: {output.instant(period.start)} to {output.instant(period.end)} UTC"


def subject(run: Run) -> str:
    """Name what a run is of, in a few words."""
    if run.target_run is not None:
        return f"reversal of run_{run.target_run}"
    of = run.program or run.asset
    return f"grant of {of}" if run.kind is RunKind.GRANT else f"{of} {run.period.key}"


def holders_done(report: RunReport) -> int:
    """Estimate how many holders are done, for parts are of nearly one size."""
    progress = report.progress
    if not progress.chunks:
        return 0
    return report.run.holders * progress.chunks_done // progress.chunks


def show_line(report: RunReport, asset: Asset) -> None:
    """Show what a run has come to on one line, and below it what to do if it is not finished."""
    run = report.run
    parts = [f"{run.name}: {subject(run)}, {run.state.value}"]
    if report.progress.chunks_done:
        parts += [f"{name} {value}" for name, value in _came_to(report, asset)]
    if run.state is RunState.PAUSED:
        parts.append(_why_paused(run, asset))
    output.say("; ".join(parts))
    hint = what_next(report, asset)
    if hint:
        output.say("  " + hint.replace("\n", "\n  "))


def _why_paused(run: Run, asset: Asset) -> str:
    """Say why a run was paused, and its limits in the asset's units: notes are in minor ones."""
    told = [run.note] if run.note else []
    if run.ceiling is not None:
        told.append(f"its ceiling is {_units(run.ceiling, asset)}")
    if run.estimate is not None:
        told.append(f"it would award {estimate_words(run.estimate, asset)}")
    return "; ".join(told) or "paused"


def _came_to(report: RunReport, asset: Asset) -> list[tuple[str, str]]:
    run, progress = report.run, report.progress
    verb = "taken back" if run.kind is RunKind.REVERT else "awarded"
    if run.dry_run:
        verb = "would award"
    amount = _units(progress.amount, asset)
    pairs = [(verb, f"{amount}, {output.counted(progress.awarded, 'holder')}")]
    if progress.excluded:
        pairs.append(("left out", left_out_words(progress.excluded)))
    if progress.failed:
        pairs.append(("failed", output.counted(progress.failed, "holder")))
    return pairs


def _kind(run: Run) -> str:
    return f"{run.kind.value}, dry run" if run.dry_run else run.kind.value


def _units(minor: int, asset: Asset) -> str:
    return output.amount(minor, asset.scale, asset.code)

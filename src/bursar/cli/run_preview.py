"""``bursar run preview``: what a run would come to, decided as the run would decide (P6)."""

import csv
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from bursar.cli import output, run_view
from bursar.cli.files import write_whole
from bursar.cli.progress import meter
from bursar.cli.session import asset_named
from bursar.ledger import Asset, Ledger
from bursar.programs.model import Period
from bursar.programs.runs.model import Awards, Estimate
from bursar.programs.service import Programs

_AT_ONCE: Final = 10_000


class Decided(msgspec.Struct, array_like=True, frozen=True):
    """One holder of a preview: an award and its note, an exclusion or a failure and its reason."""

    holder_id: int
    outcome: str
    amount: int
    why: str
    note: dict[str, Any] | None = None


_DECODER: Final = msgspec.json.Decoder(Decided)


class Sample:
    """What a preview decides: the first of it in memory, all of it in a file that has no name."""

    def __init__(self, limit: int, spool: IO[bytes] | None) -> None:
        self.awards: list[Decided] = []
        self.failures: list[Decided] = []
        self._limit = limit
        self._spool = spool

    def see(self, awards: Awards) -> None:
        """Take in a part."""
        for one in _flat(awards):
            few = self.awards if one.outcome == "award" else self.failures
            if one.outcome != "excluded" and len(few) < self._limit:
                few.append(one)
            if self._spool is not None:
                self._spool.write(msgspec.json.encode(one) + b"\n")


async def show_preview(
    programs: Programs,
    program: str,
    period: str | None,
    holders: list[str] | None,
    *,
    limit: int,
    file: Path | None,
    as_json: bool,
) -> None:
    """Preview a run and show it, and write all of it to a file if one is given."""
    asset = await asset_named(programs.ledger, (await programs.program(program)).program.asset)
    with tempfile.TemporaryFile() as spool, meter("previewing"):
        sample = Sample(limit, None if file is None else spool)
        found, estimate = await programs.runs.preview(
            program, period, holders=holders, seen=sample.see
        )
        if file is not None:
            spool.seek(0)
            await _write(programs.ledger, file, spool, asset)
    shown = [*sample.awards, *sample.failures]
    names = await programs.ledger.holders([one.holder_id for one in shown])
    if as_json:
        output.emit(_json(program, asset, found, estimate, sample, names))
        return
    output.say(f"{program} {run_view.period_words(found)}; nothing is written")
    output.facts(_totals(estimate, asset))
    if sample.awards:
        output.say("")
        rows = [
            (
                _name(one, names),
                output.amount(one.amount, asset.scale),
                spelled(one.note, asset.scale),
            )
            for one in sample.awards
        ]
        output.tabulate(["holder", "amount>", "why"], rows)
        _more(estimate.awards - len(rows), file)
    if sample.failures:
        output.say("\nThese would be set aside:")
        rows_of = [(_name(one, names), one.why) for one in sample.failures]
        output.tabulate(["holder", "why"], rows_of)
        _more(estimate.failed - len(rows_of), file)
    if file is not None:
        output.say(f"\n{file}: everybody, a line each")


def spelled(said: Mapping[str, Any] | None, scale: int) -> str:
    """Spell how an award comes about: ``tier pro, 16/31 of 500.00 from 2026-11-16``."""
    note = dict(said or {})
    parts = []
    share = note.pop("proration", None)
    if share is not None:
        whole = output.amount(share["whole"], scale)
        parts.append(f"{share['part']}/{share['of']} of {whole} from {share['since'][:10]}")
    milestone = note.pop("milestone", None)
    if milestone is not None:
        parts.append(f"milestone {output.amount(milestone, scale)}")
    told = output.compact(note)
    return ", ".join([*([told] if told else []), *parts]) or "the program's amount"


def _flat(awards: Awards) -> Iterator[Decided]:
    for group in awards.groups.values():
        rows = zip(group.holder_ids, group.amounts, group.notes, strict=True)
        for holder_id, amount, note in rows:
            yield Decided(holder_id, "award", amount, "", note)
    for holder_id, reason, _ in awards.left_out:
        yield Decided(holder_id, "excluded", 0, reason)
    for holder_id, code, message in awards.failures:
        yield Decided(holder_id, "failed", 0, f"{message} ({code})")


async def _write(ledger: Ledger, file: Path, spool: IO[bytes], asset: Asset) -> None:
    """Write what was decided as CSV, the holders by their names."""
    with write_whole(file) as out:
        lines = csv.writer(out)
        lines.writerow(["holder", "outcome", "amount", "why"])
        for part in _parts(spool):
            names = await ledger.holders([one.holder_id for one in part])
            for one in part:
                award = one.outcome == "award"
                amount = output.amount(one.amount, asset.scale).replace(" ", "") if award else ""
                why = spelled(one.note, asset.scale) if award else one.why
                lines.writerow([_name(one, names), one.outcome, amount, why])


def _parts(spool: IO[bytes]) -> Iterator[list[Decided]]:
    part: list[Decided] = []
    for line in spool:
        part.append(_DECODER.decode(line))
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _totals(estimate: Estimate, asset: Asset) -> Iterator[tuple[str, str]]:
    amount = output.amount(estimate.amount, asset.scale, asset.code)
    yield "would award", f"{amount}, {output.counted(estimate.awards, 'holder')}"
    if estimate.excluded:
        yield "left out", run_view.left_out_words(estimate.excluded)
    if estimate.failed:
        yield "would fail", output.counted(estimate.failed, "holder")


def _json(
    program: str,
    asset: Asset,
    period: Period,
    estimate: Estimate,
    sample: Sample,
    names: Mapping[int, str],
) -> dict[str, Any]:
    awards = [
        {"holder": _name(one, names), "amount": one.amount, "note": one.note}
        for one in sample.awards
    ]
    failures = [{"holder": _name(one, names), "why": one.why} for one in sample.failures]
    shape = {"program": program, "asset": asset.code, "period": period, "estimate": estimate}
    return shape | {"awards": awards, "failures": failures}


def _name(one: Decided, names: Mapping[int, str]) -> str:
    return names.get(one.holder_id, f"number {one.holder_id}")


def _more(number: int, file: Path | None) -> None:
    if number > 0:
        where = "" if file is not None else "; -o FILE.csv lists all"
        output.say(f"and {output.amount(number, 0)} more{where}")

"""An import: a file's rows become holders in one transaction, or none do (H2, H3).

Rows are read and checked a few at a time while the database writes the ten thousand before them;
a thread would make both wait for the interpreter. A row that is bad goes to the rejects with its
line and the reason; what is wrong with the file as a whole, a crash or an interruption undo all.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

import msgspec
import psycopg

from bursar.holders import upserting
from bursar.holders.importing.cells import BadCell, Layout, layout_of
from bursar.holders.importing.double_ids import DoubleIds
from bursar.holders.importing.files import CsvRows, JsonRows, Lines, Problem
from bursar.holders.importing.import_plan import ImportPlan, check_plan, wrong
from bursar.holders.model import HolderChange, Upserted
from bursar.holders.upserting import Strangers, preparing
from bursar.ledger import Asset, Ledger
from bursar.ledger.decision.distribution import Distribution
from bursar.platform.collector import paused_collector
from bursar.platform.database import CONTENTION, Connection
from bursar.platform.ending import end
from bursar.platform.errors import Invalid, Missing, Rejected, Unavailable
from bursar.trail import record

_BATCH: Final = 10_000
_SLICE: Final = 200
"""So many rows are read before others get their turn: some three milliseconds."""

_JSON_SUFFIXES: Final = {".jsonl", ".ndjson"}


class Reject(msgspec.Struct, frozen=True, gc=False):
    """A row that was not imported: its line, why, and what stood there (cells, or the text)."""

    line: int
    reason: str
    row: Sequence[str] | str


class Report(msgspec.Struct, frozen=True):
    """How an import went, or would go if ``dry_run``; rows but for the last three.

    ``openings`` were posted, ``replayed`` were in the books already.
    """

    read: int
    created: int
    changed: int
    unchanged: int
    rejected: int
    openings: int
    replayed: int
    dry_run: bool
    seconds: float


class Progress(msgspec.Struct, frozen=True):
    """How far an import is: rows done, and bytes of the file's size (0 if it is not known)."""

    rows: int
    read: int
    size: int


class Sinks(msgspec.Struct, frozen=True):
    """Who is told of progress, of the file's columns (None in JSON Lines), of rejected rows."""

    progress: Callable[[Progress], None] = lambda _: None
    columns: Callable[[Sequence[str] | None], None] = lambda _: None
    reject: Callable[[Reject], None] = lambda _: None


class _Batch(msgspec.Struct, gc=False):
    """Some rows: their changes, lines, what stood there, opening balances; and who was rejected."""

    changes: list[HolderChange]
    lines: list[int]
    rows: list[Any]
    openings: list[Sequence[int]]
    rejects: list[Reject]
    read: int
    done: int
    strangers: Strangers | None = None


class Import:
    """One import of one file."""

    def __init__(
        self, ledger: Ledger, plan: ImportPlan, voice: tuple[str, str], sinks: Sinks
    ) -> None:
        self._ledger = ledger
        self._plan = check_plan(plan)
        self._voice = voice
        self._sinks = sinks
        self._counts: Counter[str] = Counter()
        self._all_new = True

    async def run(self, path: Path, zones: frozenset[str], *, dry_run: bool) -> Report:
        """Import a file, all of its good rows or nothing; see `Holders.import_file`."""
        began = time.perf_counter()
        assets = await self._assets()
        if self._plan.zone not in zones:
            raise wrong(f"there is no time zone {self._plan.zone!r}", "zone")
        with _open(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            batches, layout = self._read(stream, path, assets, zones)
            try:
                async with self._ledger.database.transaction() as connection:
                    await self._import(connection, batches, layout, size)
                    if dry_run:
                        raise psycopg.Rollback
            except CONTENTION:
                raise Unavailable(
                    "contention", "others changed the same holders; nothing was imported"
                ) from None
        counts = self._counts
        return Report(
            read=counts["read"],
            created=counts["created"],
            changed=counts["changed"],
            unchanged=counts["unchanged"],
            rejected=counts["rejected"],
            openings=counts["openings"],
            replayed=counts["replayed"],
            dry_run=dry_run,
            seconds=time.perf_counter() - began,
        )

    async def _import(
        self, connection: Connection, batches: Iterator[_Batch | None], layout: Layout, size: int
    ) -> None:
        """Write batch after batch; meanwhile the next is read."""
        writing: asyncio.Task[None] | None = None
        try:
            for batch in batches:
                if batch is None:
                    await asyncio.sleep(0)
                    continue
                if writing is not None:
                    await writing
                writing = asyncio.create_task(self._take(connection, batch, layout, size))
            if writing is not None:
                await writing
        finally:
            if writing is not None and not writing.done():
                await end([writing])
        if not self._counts["read"]:
            raise Invalid("file_empty", "there is no row in the file; nothing was imported")
        rejected = self._counts["rejected"]
        if self._plan.strict and rejected:
            raise Rejected(
                "import_rejected",
                f"{rejected:,} of {self._counts['read']:,} rows are bad; nothing was imported",
                rejected=rejected,
            )
        if any(self._counts[name] for name in ("created", "changed", "openings")):
            await self._record(connection)

    async def _record(self, connection: Connection) -> None:
        """Write down what the import came to (I2); one that changes nothing is no act."""
        names = ("read", "created", "changed", "unchanged", "rejected", "openings", "replayed")
        actor, reason = self._voice
        await record(
            connection,
            actor=actor,
            act="holders.import",
            subject="directory",
            reason=reason,
            after={name: self._counts[name] for name in names},
        )

    async def _take(self, connection: Connection, batch: _Batch, layout: Layout, size: int) -> None:
        """Write a batch, and tell of it."""
        await self._write(connection, batch, layout)
        self._counts["read"] += batch.read
        self._counts["rejected"] += len(batch.rejects)
        for reject in sorted(batch.rejects, key=lambda reject: reject.line):
            self._sinks.reject(reject)
        self._sinks.progress(Progress(self._counts["read"], batch.done, size))

    async def _write(self, connection: Connection, batch: _Batch, layout: Layout) -> None:
        """Write a batch with its opening balances; a row whose balance is refused has neither."""
        while batch.changes:
            async with connection.transaction() as savepoint:
                counts, bad = await self._try(connection, batch, layout)
                if bad:
                    raise psycopg.Rollback(savepoint)
            if not bad:
                self._counts += counts
                self._all_new = counts["created"] == len(batch.changes)
                return
            _reject(batch, bad)

    async def _try(
        self, connection: Connection, batch: _Batch, layout: Layout
    ) -> tuple[Counter[str], dict[int, str]]:
        """Write a batch; return what it came to, and which rows are refused for which reason."""
        refusals = [None] * len(batch.changes)
        answers = await upserting.apply(
            connection, batch.changes, refusals, self._voice, batch.strangers
        )
        bad = {
            i: f"{answer.refusal.message} ({answer.refusal.code})"
            for i, answer in enumerate(answers)
            if answer.refusal is not None
        }
        counts, refused = await self._open(connection, batch, answers, layout)
        counts.update(answer.outcome for answer in answers)
        return counts, bad | refused

    async def _open(
        self, connection: Connection, batch: _Batch, answers: Sequence[Upserted], layout: Layout
    ) -> tuple[Counter[str], dict[int, str]]:
        """Post the opening balances of a batch; return counts, and rows whose one is refused."""
        counts: Counter[str] = Counter()
        refused: dict[int, str] = {}
        for n, (asset, _) in enumerate(layout.openings):
            places: dict[int, int] = {}
            amounts: list[int] = []
            for i, (answer, openings) in enumerate(zip(answers, batch.openings, strict=True)):
                if openings[n] and answer.holder_id is not None and answer.refusal is None:
                    places[answer.holder_id] = i
                    amounts.append(openings[n])
            if not places:
                continue
            given = Distribution(
                asset=asset.code,
                reference=f"opening:{self._plan.name}",
                holder_ids=list(places),
                amounts=amounts,
                kind="opening",
            )
            actor, reason = self._voice
            done = await self._ledger.distribute(given, actor=actor, reason=reason, tx=connection)
            counts.update({"openings": done.applied, "replayed": done.replayed})
            for holder_id, refusal in done.refused.items():
                refused[places[holder_id]] = (
                    f"opening of {asset.code}: {refusal.message} ({refusal.status})"
                )
        return counts, refused

    def _read(
        self, stream: BinaryIO, path: Path, assets: dict[str, Asset], zones: frozenset[str]
    ) -> tuple[Iterator[_Batch | None], Layout]:
        """Read the header, and prepare to read the rows in batches."""
        plan = self._plan
        lines = Lines(stream, plan.encoding)
        as_json = plan.format == "jsonl" or (
            plan.format is None and path.suffix.lower() in _JSON_SUFFIXES
        )
        table = JsonRows(lines) if as_json else CsvRows(lines, plan)
        layout = layout_of(plan, table.names, assets, ZoneInfo(plan.zone), zones)
        sources = [column.source for column in layout.columns()]
        rows = table.rows(sources)
        self._sinks.columns(table.names)
        return self._batches(rows, lines, layout), layout

    def _batches(
        self, rows: Iterator[Any], lines: Lines, layout: Layout
    ) -> Iterator[_Batch | None]:
        """Turn rows into batches of changes; None now and then, so that others get their turn.

        As long as everybody is new, as in a first import, what follows from that is prepared too.
        """
        doubles = DoubleIds()
        ended = False
        while not ended:
            batch = _Batch([], [], [], [], [], 0, 0)
            while not ended and batch.read < _BATCH:
                with paused_collector():
                    ended = True
                    for row in islice(rows, _SLICE):
                        _add(batch, doubles, layout, row)
                        ended = False
                yield None
            batch.done = lines.done
            if batch.changes and self._all_new:
                batch.strangers = yield from preparing(batch.changes)
            if batch.read:
                yield batch

    async def _assets(self) -> dict[str, Asset]:
        """Find the assets of the opening balances."""
        known = {asset.code: asset for asset in await self._ledger.assets()}
        for code in self._plan.openings:
            if code not in known:
                raise Missing("asset_unknown", f"there is no asset {code!r}", asset=code)
        return known


def _add(batch: _Batch, doubles: DoubleIds, layout: Layout, given: tuple[int, Any, Any]) -> None:
    """Put one row into a batch, or among its rejects."""
    line, row, cells = given
    batch.read += 1
    if isinstance(cells, Problem):
        batch.rejects.append(Reject(line, cells.text, row))
        return
    try:
        change, openings = layout.change(cells)
    except BadCell as bad:
        batch.rejects.append(Reject(line, str(bad), row))
        return
    if first := doubles.first_line(change.external_id, line):
        batch.rejects.append(Reject(line, f"the same external_id stands in line {first}", row))
        return
    batch.changes.append(change)
    batch.lines.append(line)
    batch.rows.append(row)
    batch.openings.append(openings)


def _reject(batch: _Batch, bad: dict[int, str]) -> None:
    """Move rows from the good to the rejected."""
    for i, reason in bad.items():
        batch.rejects.append(Reject(batch.lines[i], reason, batch.rows[i]))
    batch.strangers = None
    kept = [i for i in range(len(batch.changes)) if i not in bad]
    batch.changes = [batch.changes[i] for i in kept]
    batch.lines = [batch.lines[i] for i in kept]
    batch.rows = [batch.rows[i] for i in kept]
    batch.openings = [batch.openings[i] for i in kept]


def _open(path: Path) -> BinaryIO:
    """Open a file; raises `Invalid` ``file_unusable``."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Invalid("file_unusable", f"{path}: {said}", path=str(path)) from error

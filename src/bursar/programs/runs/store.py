"""The SQL of runs: typed rows in and out."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.numeric import Int4, Int8

from bursar.platform.arrays import int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries
from bursar.programs.model import Period, RunId, RunKind, RunState
from bursar.programs.runs.model import Chunk, Estimate, NewRun, Progress, Run

QUERIES: Final = Queries("bursar.programs.runs")
_PERIOD: Final = msgspec.json.Decoder(Period)
_ESTIMATE: Final = msgspec.json.Decoder(Estimate)
_NEWEST: Final = 2**63 - 1


class Done(NamedTuple):
    """What a chunk has come to."""

    awarded: int
    amount: int
    failed: int
    excluded: dict[str, int]


class PeriodRun(NamedTuple):
    """The run that stands for a period; its generation counts the reversals before it."""

    run_id: RunId
    generation: int
    state: RunState


async def add_run(connection: Connection, new: NewRun) -> RunId | None:
    """Start a run; None if its period, its reference or its target has one already (P5)."""
    rows = await _all(
        connection,
        "add_run",
        {
            "program_id": _int4(new.program_id),
            "version": _int4(new.version),
            "kind": new.kind,
            "state": new.state,
            "asset": new.asset,
            "period": msgspec.json.encode(new.period).decode(),
            "period_key": new.period.key,
            "generation": Int4(new.generation),
            "as_of": new.as_of,
            "reference": new.reference,
            "amount": _int8(new.amount),
            "target_run": _int8(new.target_run),
            "policy": new.policy,
            "dry_run": new.dry_run,
            "holders": Int8(new.holders),
            "estimate": None
            if new.estimate is None
            else msgspec.json.encode(new.estimate).decode(),
            "ceiling": _int8(new.ceiling),
            "day_ceiling": _int8(new.day_ceiling),
            "started_by": new.started_by,
            "reason": new.reason,
            "note": new.note,
        },
    )
    return RunId(rows[0][0]) if rows else None


async def add_range(connection: Connection, run_id: RunId, last: int, size: int) -> None:
    """Cut the holders 1 to ``last`` into chunks."""
    values = {"run_id": Int8(run_id), "first": Int8(1), "last": Int8(last), "size": Int8(size)}
    await _all(connection, "add_range_chunks", values)


async def add_listed(
    connection: Connection, run_id: RunId, holder_ids: Sequence[int], size: int, *, after: int = 0
) -> None:
    """Cut these holders into chunks, numbered from ``after`` + 1."""
    values = {
        "run_id": Int8(run_id),
        "holder_ids": int8s(holder_ids),
        "size": Int8(size),
        "after": Int8(after),
    }
    await _all(connection, "add_listed_chunks", values)


async def add_due(
    connection: Connection, run_id: RunId, program_id: int, as_of: datetime, size: int
) -> int:
    """Cut the holders who are due into chunks; returns how many there are."""
    values = {
        "run_id": Int8(run_id),
        "program_id": Int4(program_id),
        "as_of": as_of,
        "size": Int8(size),
    }
    count: int = (await _all(connection, "add_due_chunks", values))[0][0]
    await set_holders(connection, run_id, count)
    return count


async def add_copied(connection: Connection, run_id: RunId, source: RunId) -> None:
    """Take over the chunks of another run that gave anything."""
    values = {"run_id": Int8(run_id), "source": Int8(source)}
    await _all(connection, "add_copied_chunks", values)


async def read_sources(
    connection: Connection, target: RunId, chunk: Chunk
) -> list[tuple[int, int]]:
    """Find the transactions that a chunk of a reversal takes back: (epoch, xid)."""
    values = {
        "source": Int8(target),
        "source_chunk": _int4(chunk.source_chunk),
        "first": Int8(chunk.first_holder),
        "last": Int8(chunk.last_holder),
    }
    return [(row[0], int(row[1])) for row in await _all(connection, "read_sources", values)]


async def set_holders(connection: Connection, run_id: RunId, holders: int) -> None:
    """Say how many holders a run has before it."""
    await _all(connection, "set_holders", {"run_id": Int8(run_id), "holders": Int8(holders)})


async def set_estimate(connection: Connection, run_id: RunId, estimate: Estimate) -> None:
    """Write what a run would come to."""
    values = {"run_id": Int8(run_id), "estimate": msgspec.json.encode(estimate).decode()}
    await _all(connection, "set_estimate", values)


async def claim(connection: Connection, run_id: RunId | None = None) -> Chunk | None:
    """Claim the next chunk, of one run or any; it is free again when the transaction ends (P7)."""
    rows = await _all(connection, "claim_chunk", {"run_id": _int8(run_id)})
    return Chunk(*rows[0]) if rows else None


async def is_running(connection: Connection, run_id: RunId) -> bool:
    """Look again whether a run is to be worked on, after its chunk has been claimed."""
    return await _all(connection, "is_running", {"run_id": Int8(run_id)}) == [(True,)]


async def hold_chunks(connection: Connection, run_id: RunId) -> None:
    """Wait for whoever works on a run, and let nobody begin until the transaction ends."""
    await _all(connection, "hold_chunks", {"run_id": Int8(run_id)})


async def finish_chunk(connection: Connection, chunk: Chunk, done: Done) -> None:
    """Write what a chunk has come to."""
    await _all(
        connection,
        "finish_chunk",
        {
            "run_id": Int8(chunk.run_id),
            "chunk_no": Int4(chunk.chunk_no),
            "awarded": Int4(done.awarded),
            "amount": Int8(done.amount),
            "failed": Int4(done.failed),
            "excluded": msgspec.json.encode(done.excluded).decode(),
        },
    )


async def reserve(connection: Connection, run_id: RunId, amount: int) -> bool:
    """Count what a chunk gives toward the run's ceiling; tell whether it fits (P10)."""
    values = {"run_id": Int8(run_id), "amount": Int8(amount)}
    return bool(await _all(connection, "reserve", values))


async def reserve_day(connection: Connection, program_id: int, amount: int, ceiling: int) -> bool:
    """Count it toward the program's day; tell whether it fits (P10)."""
    values = {"program_id": Int4(program_id), "amount": Int8(amount), "ceiling": Int8(ceiling)}
    return bool(await _all(connection, "reserve_day", values))


async def finish_runs(connection: Connection) -> list[RunId]:
    """End the runs whose last chunk is done, in a transaction: held first, then looked at again."""
    held = [row[0] for row in await _all(connection, "hold_done_runs")]
    values = {"run_ids": int8s(held)}
    return [RunId(row[0]) for row in await _all(connection, "finish_runs", values)] if held else []


async def read_runs(
    connection: Connection,
    *,
    run_ids: Sequence[int] | None = None,
    program: str | None = None,
    before: int | None = None,
    only_open: bool = False,
    limit: int = 50,
) -> list[Run]:
    """Read runs, the newest first."""
    rows = await _all(
        connection,
        "read_runs",
        {
            "run_ids": None if run_ids is None else int8s(run_ids),
            "program": program,
            "before": Int8(_NEWEST if before is None else before),
            "open": only_open,
            "limit": Int4(limit),
        },
    )
    return [_run(row) for row in rows]


async def read_progress(connection: Connection, run_id: RunId) -> Progress:
    """Add up what a run has come to."""
    key = {"run_id": Int8(run_id)}
    chunks, done, awarded, amount, failed = (await _all(connection, "read_progress", key))[0]
    excluded = dict(await _all(connection, "read_excluded", key))
    return Progress(chunks, done, awarded, int(amount), failed, excluded)


async def find_run(connection: Connection, reference: str) -> RunId | None:
    """Find the run of a reference."""
    rows = await _all(connection, "find_run", {"reference": reference})
    return RunId(rows[0][0]) if rows else None


async def read_newest(connection: Connection, program_id: int, period_key: str) -> PeriodRun | None:
    """Find the newest run that stands for a period, None if it was never run."""
    values = {"program_id": Int4(program_id), "period_key": period_key}
    rows = await _all(connection, "newest_of_period", values)
    return PeriodRun(RunId(rows[0][0]), rows[0][1], RunState(rows[0][2])) if rows else None


async def read_period(connection: Connection, program_id: int, period_key: str) -> Period | None:
    """Find a period that a run has taken up, by its key."""
    values = {"program_id": Int4(program_id), "period_key": period_key}
    rows = await _all(connection, "read_period", values)
    return _PERIOD.decode(rows[0][0]) if rows else None


async def read_period_at(connection: Connection, program_id: int, at: datetime) -> Period | None:
    """Find the period that a run has taken up and in which an instant lies."""
    rows = await _all(connection, "read_period_at", {"program_id": Int4(program_id), "at": at})
    return _PERIOD.decode(rows[0][0]) if rows else None


async def read_open_periods(connection: Connection, program_id: int) -> list[Period]:
    """Find the periods that runs of a program are still under way for."""
    rows = await _all(connection, "read_open_periods", {"program_id": Int4(program_id)})
    return [_PERIOD.decode(row[0]) for row in rows]


async def has_open_run(connection: Connection, program_id: int) -> bool:
    """Tell whether a run of a program is still under way."""
    rows = await _all(connection, "has_open_run", {"program_id": Int4(program_id)})
    return rows == [(True,)]


async def move_run(
    connection: Connection,
    run_id: RunId,
    state: RunState,
    from_states: Collection[RunState],
    *,
    note: str | None = None,
    approved_by: str | None = None,
    ceiling: int | None = None,
) -> bool:
    """Take a run from one of these states to another; False if it was in none of them."""
    values = {
        "run_id": Int8(run_id),
        "state": state,
        "from_states": texts([*from_states]),
        "note": note,
        "approved_by": approved_by,
        "ceiling": _int8(ceiling),
    }
    return bool(await _all(connection, "move_run", values))


async def hold_state(connection: Connection, run_id: RunId) -> RunState:
    """Tell how a run stands, which nobody changes until the transaction ends."""
    return RunState((await _all(connection, "hold_state", {"run_id": Int8(run_id)}))[0][0])


async def lock_last_chunk(connection: Connection, run_id: RunId) -> int:
    """Hold a run, and tell the highest number among its chunks, whoever added to it before."""
    await _all(connection, "hold_run", {"run_id": Int8(run_id)})
    number: int = (await _all(connection, "last_chunk", {"run_id": Int8(run_id)}))[0][0]
    return number


def _run(row: Sequence[Any]) -> Run:
    return Run(
        run_id=row[0],
        program_id=row[1],
        program=row[2],
        version=row[3],
        kind=RunKind(row[4]),
        state=RunState(row[5]),
        asset=row[6],
        period=_PERIOD.decode(row[7]),
        generation=row[8],
        as_of=row[9],
        reference=row[10],
        amount=row[11],
        target_run=row[12],
        policy=row[13],
        dry_run=row[14],
        holders=row[15],
        estimate=None if row[16] is None else _ESTIMATE.decode(row[16]),
        ceiling=row[17],
        day_ceiling=row[18],
        started_at=row[19],
        started_by=row[20],
        reason=row[21],
        approved_by=row[22],
        finished_at=row[23],
        note=row[24],
    )


def _int4(value: int | None) -> Int4 | None:
    return None if value is None else Int4(value)


def _int8(value: int | None) -> Int8 | None:
    return None if value is None else Int8(value)


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

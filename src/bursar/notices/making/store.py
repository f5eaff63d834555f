"""The SQL of making notices: typed rows in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.types.numeric import Int4, Int8

from bursar.notices.making.model import Dispatch, DispatchState
from bursar.platform.arrays import instants, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.making")


class Untold(NamedTuple):
    """A run that has ended and is not told of yet; ``program`` is None for what no program gave."""

    run_id: int
    kind: str
    dry_run: bool
    version: int | None
    program: str | None


class Work(NamedTuple):
    """A dispatch that is held, and up to where it has come."""

    dispatch_id: int
    run_id: int | None
    program_id: int | None
    period_key: str | None
    phase: str
    chunk_no: int
    holder_id: int


class LeftOut(NamedTuple):
    """A holder whom a run has left out for a reason that its program keeps."""

    holder_id: int
    program: str
    version: int
    period: str
    asset: str
    reason: str
    at: datetime


async def read_endpoints(connection: Connection) -> list[tuple[int, list[str]]]:
    """Read where machines listen, and for which kinds; none means all."""
    return [(row[0], row[1]) for row in await _all(connection, "read_endpoints", {})]


async def any_running(connection: Connection) -> bool:
    """Tell whether a run is giving credit just now."""
    running: bool = (await _all(connection, "any_running", {}))[0][0]
    return running


async def take_untold(connection: Connection) -> list[Untold]:
    """Take the runs that have ended and are not told of; whoever takes them tells of them."""
    rows = await _all(connection, "take_untold", {})
    return sorted((Untold(*row) for row in rows), key=lambda run: run.run_id)


async def begin_run(connection: Connection, run_id: int) -> None:
    """Begin to tell of a run, or go on with what has come to it since."""
    await _all(connection, "begin_run", {"run_id": Int8(run_id)})


async def begin_period(connection: Connection, program_id: int, period_key: str) -> None:
    """Begin to remind everybody of a period, unless that has been begun before."""
    values = {"program_id": Int4(program_id), "period_key": period_key}
    await _all(connection, "begin_period", values)


async def claim(connection: Connection) -> Work | None:
    """Hold a dispatch on which nobody else works; None if there is none."""
    rows = await _all(connection, "claim", {})
    return Work(*rows[0]) if rows else None


async def advance(connection: Connection, work: Work, *, looked: int, made: int) -> None:
    """Say up to where a dispatch has come: ``work`` as it is now."""
    values = {
        "dispatch_id": Int8(work.dispatch_id),
        "phase": work.phase,
        "chunk_no": Int4(work.chunk_no),
        "holder_id": Int8(work.holder_id),
        "looked": Int8(looked),
        "made": Int8(made),
    }
    await _all(connection, "advance", values)


async def finish(connection: Connection, dispatch_id: int) -> None:
    """End a dispatch that has looked at everything."""
    await _all(connection, "finish", {"dispatch_id": Int8(dispatch_id)})


async def next_chunk(
    connection: Connection, run_id: int, first: int
) -> tuple[int, int, int] | None:
    """Find the first chunk of a run from a number on: its number, epoch and transaction."""
    values = {"run_id": Int8(run_id), "from": Int4(first)}
    rows = await _all(connection, "next_chunk", values)
    return (rows[0][0], rows[0][1], int(rows[0][2])) if rows else None


async def read_left_out(
    connection: Connection, run_id: int, chunk_no: int, after: int, limit: int
) -> list[LeftOut]:
    """Read whom a chunk of a run has left out, by holder, after one of them."""
    values = {
        "run_id": Int8(run_id),
        "chunk_no": Int4(chunk_no),
        "after": Int8(after),
        "limit": Int4(limit),
    }
    return [LeftOut(*row) for row in await _all(connection, "read_left_out", values)]


class DueSoon(NamedTuple):
    """A holder whose cycle in a rolling program is due soon."""

    holder_id: int
    due_at: datetime


class Expiring(NamedTuple):
    """What a holder loses of an asset at one instant, of one origin."""

    expires_at: datetime
    holder_id: int
    asset_id: int
    asset: str
    origin: str | None
    amount: int


class Raised(NamedTuple):
    """A matter for the operators."""

    alert_id: int
    kind: str
    subject: str
    message: str
    raised_at: datetime


async def read_due_soon(
    connection: Connection, program_id: int, since: datetime, until: datetime, limit: int
) -> list[DueSoon]:
    """Read who is due between two instants and not reminded of it, the soonest first."""
    values = {"program_id": Int4(program_id), "since": since, "until": until, "limit": Int4(limit)}
    return [DueSoon(*row) for row in await _all(connection, "read_due_soon", values)]


async def next_due_soon(
    connection: Connection, program_id: int, after: datetime
) -> datetime | None:
    """Tell when the first is due after an instant; None if nobody is."""
    values = {"program_id": Int4(program_id), "after": after}
    instant: datetime | None = (await _all(connection, "next_due_soon", values))[0][0]
    return instant


async def next_expiring(connection: Connection, after: datetime) -> datetime | None:
    """Tell when the first lot expires after an instant; None if none does."""
    instant: datetime | None = (await _all(connection, "next_expiring", {"after": after}))[0][0]
    return instant


async def note_reminded(
    connection: Connection, program_id: int, due: Sequence[DueSoon]
) -> frozenset[int]:
    """Note of what these are reminded; returns those whom nobody else has noted meanwhile."""
    values = {
        "program_id": Int4(program_id),
        "holder_ids": int8s([one.holder_id for one in due]),
        "dues": instants([one.due_at for one in due]),
    }
    return frozenset(row[0] for row in await _all(connection, "note_reminded", values))


async def lock_warned(connection: Connection) -> tuple[datetime | None, int]:
    """Read up to which lot, by expiry and holder, holders are warned; nobody else warns now."""
    [row] = await _all(connection, "lock_warned", {})
    return row[0], row[1]


async def read_expiring(
    connection: Connection, since: datetime, after: int, until: datetime, limit: int
) -> list[Expiring]:
    """Read what expires up to an instant, after the lots of ``after`` that expire at ``since``.

    By expiry and holder, about ``limit`` lots, and always all of a holder's of one instant.
    """
    values = {"since": since, "after": Int8(after), "until": until, "limit": Int4(limit)}
    return [Expiring(*row) for row in await _all(connection, "read_expiring", values)]


async def set_warned(connection: Connection, until: datetime, holder_id: int) -> None:
    """Note up to which lot holders are warned."""
    await _all(connection, "set_warned", {"until": until, "holder_id": Int8(holder_id)})


async def read_alerts(connection: Connection, since: datetime) -> list[Raised]:
    """Read the open matters that were raised since an instant."""
    return [Raised(*row) for row in await _all(connection, "read_alerts", {"since": since})]


async def read_dispatches(
    connection: Connection, *, before: int, limit: int, dispatch_id: int | None = None
) -> list[Dispatch]:
    """Read dispatches, the newest first, or the one."""
    values = {
        "before": Int8(before),
        "limit": Int4(limit),
        "dispatch_id": None if dispatch_id is None else Int8(dispatch_id),
    }
    return [
        Dispatch(
            dispatch_id=row[0],
            run=None if row[1] is None else f"run_{row[1]}",
            program=row[2],
            period=row[3],
            state=DispatchState(row[4]),
            looked=row[5],
            made=row[6],
            started_at=row[7],
            ended_at=row[8],
            holders=row[9] or 0,
            sent=row[10],
            waiting=row[11],
        )
        for row in await _all(connection, "read_dispatches", values)
    ]


async def move(
    connection: Connection, dispatch_id: int, state: DispatchState, of: Sequence[DispatchState]
) -> bool:
    """Take a dispatch from one of some states to another; False if it is in none of them."""
    values = {
        "dispatch_id": Int8(dispatch_id),
        "state": state.value,
        "from_states": texts([s.value for s in of]),
    }
    return bool(await _all(connection, "move", values))


async def _all(connection: Connection, name: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

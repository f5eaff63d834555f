"""The SQL of the figures: typed rows out."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from psycopg.types.numeric import Int4

from bursar.notices.sending.store import read_queues
from bursar.operation.figures import (
    COUNTED_TO,
    AwardCount,
    CheckFigures,
    Figures,
    FollowerFigures,
    Movement,
    NoticeFigures,
    ProgramFigures,
    Queue,
    RunCount,
)
from bursar.operation.store import SILENT_S
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.operation", "figures.sql")

_FIRST: Final = date(1970, 1, 1)

Sums = dict[tuple[str, str, str], tuple[int, int]]
"""Amount and entries by asset, house account and kind."""


class Past:
    """House totals of the days that no posting can reach any more, added up once a process.

    A posting that was recorded yesterday may be committed today; one of the day before cannot.
    """

    def __init__(self) -> None:
        self._through = _FIRST - timedelta(days=1)
        self._sums: Sums = {}

    async def read(self, connection: Connection, today: date) -> tuple[Sums, date]:
        """Return the sums of the settled days, and the first day that is not one."""
        settled = today - timedelta(days=2)
        if settled > self._through:
            newer = await _sums(connection, self._through + timedelta(days=1), settled)
            self._sums, self._through = _added(self._sums, newer), settled
        return self._sums, self._through + timedelta(days=1)


async def read_figures(connection: Connection, past: Past) -> Figures:
    """Read all figures of one instant; ``connection`` is a snapshot."""
    now, today, schema, size, alerts, workers = (await _all(connection, "read_moment"))[0]
    since = {"since": datetime.combine(today, time(), UTC), "now": now}
    check = (await _all(connection, "read_check", {"silent_s": float(SILENT_S)}))[0]
    limit = {"limit": Int4(COUNTED_TO)}
    return Figures(
        at=now,
        schema=schema,
        database_bytes=size,
        alerts=alerts,
        workers=workers,
        movements=await _movements(connection, past, today),
        runs=tuple(RunCount(*row) for row in await _all(connection, "read_runs", since)),
        awards=tuple(AwardCount(*row) for row in await _all(connection, "read_awards", since)),
        programs=tuple(
            ProgramFigures(*row) for row in await _all(connection, "read_programs", limit)
        ),
        failures=dict(await _all(connection, "read_failures", limit)),
        queue=Queue(*(await _all(connection, "read_queue", {"now": now} | limit))[0]),
        followers=tuple(
            FollowerFigures(*row)
            for row in await _all(connection, "read_followers", {"now": now} | limit)
        ),
        notices=await _notices(connection, limit),
        check=CheckFigures(*check),
    )


async def _notices(connection: Connection, limit: dict[str, Any]) -> NoticeFigures:
    row = (await _all(connection, "read_notices", limit))[0]
    return NoticeFigures(
        queues=await read_queues(connection),
        dispatches_running=row[0],
        dispatches_paused=row[1],
        webhooks_on=row[2],
        webhooks_off=row[3],
        blocked=row[4],
    )


async def _movements(connection: Connection, past: Past, today: date) -> tuple[Movement, ...]:
    settled, first = await past.read(connection, today)
    days = await _sums(connection, first, today - timedelta(days=1))
    this = await _sums(connection, today, today)
    every = _added(_added(settled, days), this)
    return tuple(
        Movement(*key, *total, *this.get(key, (0, 0))) for key, total in sorted(every.items())
    )


async def _sums(connection: Connection, first: date, last: date) -> Sums:
    rows = await _all(connection, "read_movements", {"first": first, "last": last})
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def _added(left: Sums, right: Sums) -> Sums:
    both = dict(left)
    for key, (amount, entries) in right.items():
        before = both.get(key, (0, 0))
        both[key] = (before[0] + amount, before[1] + entries)
    return both


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

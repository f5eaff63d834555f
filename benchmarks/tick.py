"""The hourly tick of a rolling program with nothing due, over all its holders (P1)."""

import asyncio
from statistics import median
from time import perf_counter

from benchmarks.place import open_ledger, owner, server
from benchmarks.report import Report, progress
from benchmarks.run import people
from bursar.platform.database import Database
from bursar.programs.model import Amount, Program, Rolling
from bursar.programs.service import Programs

_REFRESH = Program(
    name="refresh",
    asset="coins",
    schedule=Rolling(days=30, stagger=True),
    amount=Amount(by_tier={"free": 1_000, "pro": 20_000}, otherwise=5_000),
)

# Everybody's next occurrence lies in the coming days, none of them in this hour.
_AHEAD = """
update bursar.program_cycles
   set due_at = now() + interval '2 hours' + holder_id % 2591000 * interval '1 second',
       look_at = now() + interval '2 hours' + holder_id % 2591000 * interval '1 second'
"""

_BARE = (
    "select exists (select from bursar.program_cycles where program_id = 1 and look_at <= now())"
)


def run(size: int = 1_000_000, ticks: int = 50) -> Report:
    """Measure ``ticks`` ticks; the limit is the bare question whether anybody is due."""
    with server() as started:
        progress(f"enrolling {size:,} people")
        people(started, size)
        progress("beginning their cycles")
        enrolled_s = asyncio.run(_begin(started.service_url))
        with owner(started) as connection:
            connection.execute(_AHEAD)
            connection.execute("vacuum analyze bursar.program_cycles")
        figures, limits = asyncio.run(_measure(started.service_url, ticks))
    figure, limit = median(figures), median(limits)
    settings = {
        "holders": size,
        "ticks": ticks,
        "slowest_ms": round(max(figures), 2),
        "cycles_begun_per_s": round(size / enrolled_s),
    }
    return Report("tick", figure, "ms", limit, limit / figure, settings)


async def _begin(url: str) -> float:
    async with await open_ledger(url) as ledger:
        programs = Programs(ledger)
        async with ledger.database.transaction() as connection:
            await programs.put(connection, _REFRESH, actor="benchmark", reason="benchmark")
        began = perf_counter()
        await programs.tick()
        return perf_counter() - began


async def _measure(url: str, ticks: int) -> tuple[list[float], list[float]]:
    figures, limits = [], []
    async with await open_ledger(url) as ledger:
        programs = Programs(ledger)
        await programs.tick()
        for _ in range(ticks):
            began = perf_counter()
            report = await programs.tick()
            figures.append((perf_counter() - began) * 1e3)
            assert not report.begun, "somebody was due"
            limits.append(await _ask(ledger.database))
    return figures, limits


async def _ask(database: Database) -> float:
    async with database.connection() as connection:
        began = perf_counter()
        await connection.execute(_BARE)
        return (perf_counter() - began) * 1e3

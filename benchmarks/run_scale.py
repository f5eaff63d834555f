"""What an award costs as the holders grow: 10 thousand, 100 thousand, … up to ``size`` (P7)."""

import asyncio
from time import perf_counter

from benchmarks.place import open_ledger, server, vacuum
from benchmarks.report import Report, progress
from benchmarks.run import begin, people, sandbox
from bursar.platform.postgres import Server
from bursar.programs.service import Programs

_SMALLEST = 10_000
_LARGE = 1_000_000
_AWARDS = 400_000
"""So many awards are measured of each size, or one run of it if that is more."""


def run(size: int = 1_000_000) -> Report:
    """Measure one worker that does a chunk at a time, so that all sizes are done the same way.

    The figure is what an award of the largest size costs, the limit what one of the smallest does.
    """
    sizes = [_SMALLEST]
    while sizes[-1] * 10 <= size:
        sizes.append(sizes[-1] * 10)
    costs = {}
    for holders in sizes:
        with server() as started:
            progress(f"enrolling {holders:,} people")
            people(started, holders)
            costs[holders] = _cost_us(started, holders)
            progress(f"{holders:,} holders: {costs[holders]:.2f} µs an award")
    smallest, largest = costs[sizes[0]], costs[sizes[-1]]
    settings = {f"us_at_{holders}": round(cost, 2) for holders, cost in costs.items()}
    spread = max(costs.values()) / min(costs.values())
    return Report(
        "run_scale",
        largest,
        "µs/award",
        smallest,
        smallest / largest,
        {**settings, "dearest_to_cheapest": round(spread, 2), "workers": 1, "lanes": 1},
    )


def _cost_us(started: Server, holders: int) -> float:
    """Find the median cost over runs of one month after the other; the first opens wallets."""
    asyncio.run(_one(started.service_url))
    vacuum(started, "bursar")
    costs = []
    for month in range(max(1 if holders > _LARGE else 3, _AWARDS // holders)):
        sandbox(started, month + 1)
        costs.append(asyncio.run(_one(started.service_url)))
    return sorted(costs)[len(costs) // 2]


async def _one(url: str) -> float:
    """Do the run that is due; returns microseconds an award."""
    await begin(url)
    async with await open_ledger(url) as ledger:
        programs = Programs(ledger)
        await ledger.assets()  # the connection is there before the clock starts
        began = perf_counter()
        await programs.runs.work(lanes=1)
        seconds = perf_counter() - began
        [newest] = await programs.runs.recent(limit=1)
        return seconds / newest.progress.awarded * 1e6

"""Recomputing the books, beside bare SQL that only reads every entry once (L10)."""

import asyncio

import psycopg

from benchmarks.place import (
    fill,
    grant_all,
    in_parallel,
    open_ledger,
    peak_memory_mb,
    server,
    vacuum,
)
from benchmarks.report import Report, median_of, progress

GRANTS = 3

_BARE = """
select count(*), sum(amount), sum(length(checksum) + length(reference))
  from bursar.entries
 where holder_id between %s and %s
"""


def run(size: int = 1_000_000, rounds: int = 3) -> Report:
    """Verify ``size`` wallets of three entries each, by two workers."""
    with server() as started:
        fill(started, size)
        for number in range(GRANTS - 1):
            in_parallel(grant_all, 2, started.service_url, size, f"grant:{number}")
        vacuum(started, "bursar")
        pairs = []
        for number in range(rounds):
            limit = in_parallel(_read_all, 2, started.owner_url, size)
            figure = asyncio.run(_verify(started.service_url, size * GRANTS))
            progress(f"round {number}: {figure:,.0f} entries/s, reading alone {limit:,.0f}")
            pairs.append((figure, limit))
    figure, limit, ratio = median_of(pairs)
    settings = {
        "wallets": size,
        "entries": size * GRANTS,
        "workers": 2,
        "rounds": rounds,
        "peak_memory_mb": round(peak_memory_mb()),
    }
    return Report("verify", figure, "entries/s", limit, ratio, settings)


async def _verify(url: str, entries: int) -> float:
    async with await open_ledger(url) as ledger:
        report = await ledger.verify()
        assert report.ok, report.findings[:3]
        assert report.entries == entries, "entries were left out"
        return report.entries / report.seconds


def _read_all(worker: int, workers: int, url: str, holders: int) -> int:
    first = worker * holders // workers + 1
    last = (worker + 1) * holders // workers
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(_BARE, [first, last]).fetchone()
    return int(row[0]) if row else 0

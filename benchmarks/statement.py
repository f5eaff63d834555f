"""A page of the statement of a wallet with a million entries, plain and by kind (L9)."""

import asyncio
import random
import time

import psycopg

from benchmarks.place import (
    ASSET,
    BATCH,
    enrol,
    open_ledger,
    peak_memory_mb,
    percentile,
    server,
    vacuum,
)
from benchmarks.report import Report, progress
from bursar.ledger.catalogue import Kind
from bursar.ledger.commands import Credit
from bursar.ledger.reading.wallets import Filter
from bursar.ledger.service import Ledger

PAGES = 2_000
LIMIT = 50
RARE = 1_000  # every thousandth entry is a purchase

_BARE = """
select * from bursar.entries
 where holder_id = 1 and asset_id = 1 and seq <= %s
 order by seq desc limit 50
"""


def run(size: int = 1_000_000) -> Report:
    """Measure the p99 of pages at random places; the figure is the slower of the two kinds."""
    with server() as started:
        enrol(started, 1)
        progress(f"writing one wallet of {size:,} entries")
        asyncio.run(_fill(started.service_url, size))
        vacuum(started, "bursar")
        limit = _bare(started.owner_url, size)
        plain, filtered = asyncio.run(_measure(started.service_url, size))
    figure = max(plain, filtered)
    settings = {
        "entries": size,
        "page": LIMIT,
        "pages": PAGES,
        "p99_plain_ms": round(plain, 3),
        "p99_by_kind_ms": round(filtered, 3),
        "peak_memory_mb": round(peak_memory_mb()),
    }
    return Report("statement", figure, "ms p99", limit, limit / figure, settings)


async def _fill(url: str, size: int) -> None:
    async with await open_ledger(url) as ledger:
        for first in range(0, size, BATCH):
            commands = [
                Credit(
                    holder_id=1,
                    asset=ASSET,
                    amount=1,
                    reference=str(i),
                    kind="grant" if i % RARE else "purchase",
                )
                for i in range(first, min(first + BATCH, size))
            ]
            results = await ledger.post(commands, actor="benchmark", reason="fill")
            assert all(result.ok for result in results), "a command was refused"


async def _measure(url: str, size: int) -> tuple[float, float]:
    async with await open_ledger(url) as ledger:
        plain = await _pages(ledger, size, Filter())
        filtered = await _pages(ledger, size, Filter(kinds=(Kind.PURCHASE,)))
    return plain, filtered


async def _pages(ledger: Ledger, size: int, wanted: Filter) -> float:
    choose = random.Random(1)
    times = []
    for _ in range(PAGES):
        cursor = str(choose.randint(size // 10, size))
        began = time.perf_counter()
        page = await ledger.statement(
            holder_id=1, asset=ASSET, wanted=wanted, limit=LIMIT, cursor=cursor
        )
        times.append(time.perf_counter() - began)
        assert page.items, "an empty page"
    return percentile(times, 0.99) * 1000


def _bare(url: str, size: int) -> float:
    choose = random.Random(1)
    times = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
        for _ in range(PAGES):
            place = choose.randint(size // 10, size)
            began = time.perf_counter()
            rows = connection.execute(_BARE, [place]).fetchall()
            times.append(time.perf_counter() - began)
            assert len(rows) == LIMIT, "a short page"
    return percentile(times, 0.99) * 1000

"""A whole run: eligibility, a table by tier, checksums; two workers, beside bare SQL (P5, P7)."""

import asyncio
import multiprocessing
import time
from datetime import date

from benchmarks.place import (
    enrol,
    in_parallel,
    make_twins,
    open_ledger,
    owner,
    peak_memory_mb,
    server,
    vacuum,
)
from benchmarks.posting import bare_all
from benchmarks.report import Report, median_of, progress
from bursar.platform.postgres import Server
from bursar.programs.model import Amount, Calendar, Program
from bursar.programs.runs.execute import LANES
from bursar.programs.service import Programs

WORKERS = 2

# Every fifth is not eligible; the others are of three tiers.
_PEOPLE = """
insert into bursar.holders (holder_id, xid, epoch, created_at, matters_since, login_map, changes,
                            verified, status, tier, attributes)
select i.holder_id, pg_current_xact_id(), e.epoch, '2020-01-01', '2020-01-01', 0, 0,
       i.holder_id % 10 <> 0,
       case when i.holder_id % 10 = 5 then 'canceled' else 'active' end,
       (array['free', 'plus', 'pro'])[1 + i.holder_id % 3], '{}'
  from bursar.holder_ids i cross join bursar.economy e
"""

_MONTHLY = Program(
    name="monthly",
    asset="coins",
    schedule=Calendar(every="month"),
    who={"subscribed": 'holder.status == "active"', "verified": "holder.verified"},
    amount=Amount(by_tier={"free": 1_000, "plus": 5_000, "pro": 20_000}),
    starts=date(2026, 1, 1),
)


def people(started: Server, holders: int) -> None:
    """Enrol so many people, as they are since long ago."""
    enrol(started, holders)
    with owner(started) as connection:
        connection.execute(_PEOPLE)
        connection.execute("vacuum analyze bursar.holders")


def sandbox(started: Server, month: int) -> None:
    """Move the economy's clock into a month from here."""
    with owner(started) as connection:
        connection.execute(
            "update bursar.economy set sandbox = true, clock_offset = make_interval(months => %s)",
            [month],
        )


async def begin(url: str) -> int:
    """Make the run that is due, and tell how many holders it has before it."""
    async with await open_ledger(url) as ledger:
        programs = Programs(ledger)
        if not await programs.programs():
            async with ledger.database.transaction() as connection:
                await programs.put(connection, _MONTHLY, actor="benchmark", reason="benchmark")
        [run_id] = (await programs.tick()).begun
        return (await programs.runs.report(run_id)).run.holders


def work(worker: int, workers: int, url: str) -> int:
    """Work on what there is; returns the awards of this worker's chunks, roughly its share."""
    return asyncio.run(_work(url))


def work_and_weigh(worker: int, workers: int, url: str) -> int:
    """The same, but returns this process's peak of memory in MB."""
    asyncio.run(_work(url))
    return round(peak_memory_mb())


async def _work(url: str) -> int:
    async with await open_ledger(url) as ledger:
        return await Programs(ledger).runs.work()


def one_run(started: Server) -> tuple[float, int, int]:
    """Do the run that is due with two workers: seconds, awards, holders."""
    holders = asyncio.run(begin(started.service_url))
    # in_parallel tells units a second: the units are chunks, so their number tells the seconds
    rate = in_parallel(work, WORKERS, started.service_url)
    with owner(started) as connection:
        [(chunks, awarded)] = connection.execute(
            "select count(*), sum(awarded) from bursar.run_chunks"
            " where run_id = (select max(run_id) from bursar.runs)"
        )
    return chunks / rate, int(awarded), holders


def run(size: int = 1_000_000, rounds: int = 3) -> Report:
    """Measure ``rounds`` pairs over ``size`` holders, 80 % of them eligible."""
    with server() as started:
        progress(f"enrolling {size:,} people")
        people(started, size)
        one_run(started)  # opens the wallets
        vacuum(started, "bursar")
        make_twins(started)
        pairs = []
        for number in range(rounds):
            sandbox(started, number + 1)
            limit = in_parallel(bare_all, 2, started.owner_url, size, f"round:{number}")
            seconds, awarded, holders = one_run(started)
            progress(
                f"round {number}: {awarded / seconds:,.0f} awards/s over {holders:,} holders in"
                f" {seconds:.1f} s, bare SQL {limit:,.0f}"
            )
            pairs.append((awarded / seconds, limit))
            vacuum(started, "bursar")
            vacuum(started, "bare")
        sandbox(started, rounds + 1)
        asyncio.run(begin(started.service_url))
        memory = _weigh(started)
        began = time.perf_counter()
        clean = asyncio.run(_verify(started.service_url))
    figure, limit, ratio = median_of(pairs)
    settings = {
        "holders": size,
        "eligible": size * 4 // 5,
        "workers": WORKERS,
        "lanes": LANES,
        "rounds": rounds,
        "memory_mb": memory,
        "verified": clean,
        "verify_s": round(time.perf_counter() - began, 1),
    }
    return Report("run", figure, "awards/s", limit, ratio, settings)


def _weigh(started: Server) -> int:
    """Do one more run in processes of their own, and tell the larger one's peak of memory."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(WORKERS) as pool:
        jobs = [
            pool.apply_async(work_and_weigh, (k, WORKERS, started.service_url))
            for k in range(WORKERS)
        ]
        return max(job.get() for job in jobs)


async def _verify(url: str) -> bool:
    async with await open_ledger(url) as ledger:
        return (await ledger.verify()).ok

"""A durable server of its own for each benchmark, filled through the ledger itself."""

import asyncio
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.report import progress
from bursar.ledger.commands import Credit
from bursar.ledger.decision.distribution import Distribution
from bursar.ledger.service import Ledger
from bursar.platform import postgres
from bursar.platform.database import Database
from bursar.platform.migrations import migrate
from bursar.platform.postgres import Server

ASSET = "coins"
BATCH = 10_000
IN_FLIGHT = 3
"""Batches that a worker has under way: while the database writes some, it decides another."""

# The same tables once more, with the same columns and indexes and nothing else: no checks, no
# ledger. What bare SQL does to them is the limit.
_TWINS = """
drop schema if exists bare cascade;
create schema bare;
create table bare.wallets (like bursar.wallets including all) with (fillfactor = 70);
create table bare.entries (like bursar.entries including all);
insert into bare.wallets select * from bursar.wallets order by holder_id;
insert into bare.entries select * from bursar.entries order by holder_id, asset_id, seq;
"""


@contextmanager
def server() -> Iterator[Server]:
    """Run a server with Bursar's own settings, fsync on; it and its data are gone afterwards.

    ``BENCHMARK_DIR`` says where the data lies; the default is the temporary directory.
    """
    base = Path(tempfile.mkdtemp(prefix="bursar-bench-", dir=os.environ.get("BENCHMARK_DIR")))
    base.chmod(0o711)
    try:
        started = postgres.start(base / "data")
        migrate(started.owner_url)
        yield started
    finally:
        postgres.stop(base / "data")
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def owner(started: Server) -> Iterator[psycopg.Connection]:
    """Connect as the owner of the tables."""
    with psycopg.connect(started.owner_url, autocommit=True) as connection:
        yield connection


async def open_ledger(url: str) -> Ledger:
    """Open a ledger on a running server."""
    database = Database(url)
    await database.open()
    ledger = Ledger(database)
    await ledger.add_asset(ASSET, actor="benchmark", reason="benchmark")
    return ledger


def enrol(started: Server, holders: int) -> None:
    """Number ``holders`` holders from 1."""
    with owner(started) as connection:
        connection.execute(
            "insert into bursar.holder_ids (external_id) select 'user-' || i"
            "  from generate_series(1, %s::bigint) i",
            [holders],
        )
        connection.execute("vacuum analyze bursar.holder_ids")


def fill(started: Server, holders: int) -> None:
    """Give each holder a wallet with one grant in it, by two workers."""
    progress(f"filling {holders:,} wallets")
    enrol(started, holders)
    in_parallel(grant_all, 2, started.service_url, holders, "opening")
    vacuum(started, "bursar")


def make_twins(started: Server) -> None:
    """Copy wallets and entries into the bare tables."""
    progress("copying them for bare SQL")
    with owner(started) as connection:
        connection.execute(_TWINS)
    vacuum(started, "bare")


def vacuum(started: Server, schema: str) -> None:
    """Leave no housekeeping for the measurement."""
    with owner(started) as connection:
        connection.execute(f"vacuum analyze {schema}.wallets, {schema}.entries")
        connection.execute("checkpoint")


def grant_all(worker: int, workers: int, url: str, holders: int, reference: str) -> int:
    """Distribute to every holder of this worker's share, in batches of neighbours."""
    return asyncio.run(_grant_all(worker, workers, url, holders, reference))


async def _grant_all(worker: int, workers: int, url: str, holders: int, reference: str) -> int:
    batches = shares(worker, workers, holders)

    async def lane(ledger: Ledger) -> int:
        done = 0
        for batch in batches:
            given = Distribution(
                asset=ASSET, reference=reference, holder_ids=batch, amounts=[100] * len(batch)
            )
            outcome = await ledger.distribute(given, actor="benchmark", reason="distribution")
            assert outcome.applied == len(batch), "a grant was refused"
            done += len(batch)
        return done

    async with await open_ledger(url) as ledger:
        return sum(await asyncio.gather(*(lane(ledger) for _ in range(IN_FLIGHT))))


def post_all(worker: int, workers: int, url: str, holders: int, reference: str) -> int:
    """The same as commands, each with an answer of its own."""
    return asyncio.run(_post_all(worker, workers, url, holders, reference))


async def _post_all(worker: int, workers: int, url: str, holders: int, reference: str) -> int:
    async with await open_ledger(url) as ledger:
        done = 0
        for batch in shares(worker, workers, holders):
            commands = [
                Credit(holder_id=holder_id, asset=ASSET, amount=100, reference=reference)
                for holder_id in batch
            ]
            results = await ledger.post(commands, actor="benchmark", reason="distribution")
            assert all(result.ok for result in results), "a grant was refused"
            done += len(batch)
        return done


def shares(worker: int, workers: int, holders: int) -> Iterator[range]:
    """Cut 1…holders into batches of neighbours, and name this worker's."""
    for first in range(worker * BATCH + 1, holders + 1, workers * BATCH):
        yield range(first, min(first + BATCH, holders + 1))


def in_parallel(work: Callable[..., int], workers: int, *args: Any) -> float:
    """Run ``work(worker, workers, *args)`` in so many processes; return units a second.

    The clock starts when all of them are ready to start and stops with the last.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        pool.starmap(_ready, [()] * workers)
        began = time.perf_counter()
        jobs = [pool.apply_async(work, (k, workers, *args)) for k in range(workers)]
        done = sum(job.get() for job in jobs)
        return done / (time.perf_counter() - began)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def peak_memory_mb() -> float:
    """Return the largest resident size that this process has had."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _ready() -> None:
    time.sleep(0.2)  # long enough that no process takes two of the calls

"""Batches of 10,000 distinct wallets over all of them, two workers, beside bare SQL (L2)."""

import asyncio

import psycopg

from benchmarks.place import (
    BATCH,
    IN_FLIGHT,
    fill,
    grant_all,
    in_parallel,
    make_twins,
    open_ledger,
    post_all,
    server,
    vacuum,
)
from benchmarks.report import Report, median_of, progress

_BARE = """
with moved as (
    update bare.wallets
       set balance = balance + 100, seq = seq + 1, recorded_at = now(), head = %(checksum)s
     where holder_id between %(first)s and %(last)s
    returning holder_id, asset_id, seq, balance
)
insert into bare.entries (holder_id, asset_id, key_id, seq, posting_id, amount, held_change,
                          balance, effective_at, recorded_at, checksum, kind, reference,
                          house_account)
select holder_id, asset_id, 0, seq, %(posting)s, 100, 0, balance, now(), now(), %(checksum)s,
       'grant', %(reference)s, 'issuance'
  from moved
"""


def bare_all(worker: int, workers: int, url: str, holders: int, reference: str) -> int:
    """Update every balance and insert an entry for it, and nothing else."""
    done = 0
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(worker * BATCH + 1, holders + 1, workers * BATCH):
            last = min(first + BATCH - 1, holders)
            values = {
                "first": first,
                "last": last,
                "posting": first,
                "reference": reference,
                "checksum": bytes(32),
            }
            done += connection.execute(_BARE, values).rowcount
    return done


def run(size: int = 1_000_000, rounds: int = 3) -> Report:
    """Measure ``rounds`` pairs over ``size`` wallets."""
    with server() as started:
        fill(started, size)
        make_twins(started)
        pairs = []
        for number in range(rounds):
            reference = f"round:{number}"
            limit = in_parallel(bare_all, 2, started.owner_url, size, reference)
            figure = in_parallel(grant_all, 2, started.service_url, size, reference)
            progress(f"round {number}: {figure:,.0f} postings/s, bare SQL {limit:,.0f}")
            pairs.append((figure, limit))
            vacuum(started, "bursar")
            vacuum(started, "bare")
        by_command = in_parallel(post_all, 2, started.service_url, size, "commands")
        clean = asyncio.run(_verify(started.service_url))
    figure, limit, ratio = median_of(pairs)
    settings = {
        "wallets": size,
        "batch": BATCH,
        "workers": 2,
        "in_flight": IN_FLIGHT,
        "rounds": rounds,
        "as_commands": round(by_command),
        "as_commands_ratio": round(by_command / limit, 2),
        "verified": clean,
    }
    return Report("posting", figure, "postings/s", limit, ratio, settings)


async def _verify(url: str) -> bool:
    async with await open_ledger(url) as ledger:
        return (await ledger.verify()).ok

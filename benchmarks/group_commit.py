"""Single commands from 64 tasks of one process, beside pgbench with 64 clients (L2)."""

import asyncio
import os
import random
import re
import subprocess
import time
from urllib.parse import unquote, urlsplit

from benchmarks.place import ASSET, fill, make_twins, open_ledger, server
from benchmarks.report import Report, median_of, progress
from bursar.ledger.commands import Credit
from bursar.platform.postgres import Server
from bursar.platform.postgres.programs import find

TASKS = 64
SECONDS = 10

# The bare statement of one posting: one balance, one entry, and nothing else.
BARE = r"""
\set holder random(1, {holders})
with moved as (
    update bare.wallets
       set balance = balance + 100, seq = seq + 1, recorded_at = now()
     where holder_id = :holder and asset_id = 1
    returning holder_id, asset_id, seq, balance, head
)
insert into bare.entries (holder_id, asset_id, key_id, seq, posting_id, amount, held_change,
                          balance, effective_at, recorded_at, checksum, kind, reference,
                          house_account)
select holder_id, asset_id, 0, seq, 1, 100, 0, balance, now(), now(), head,
       'grant', gen_random_uuid()::text, 'issuance'
  from moved;
"""


def run(size: int = 1_000_000, rounds: int = 3) -> Report:
    """Measure ``rounds`` pairs of ten seconds each over ``size`` wallets."""
    with server() as started:
        fill(started, size)
        make_twins(started)
        pairs = []
        for number in range(rounds):
            limit = pgbench(started, size)
            figure = asyncio.run(_submit(started.service_url, size, number))
            progress(f"round {number}: {figure:,.0f} postings/s, pgbench {limit:,.0f}")
            pairs.append((figure, limit))
    figure, limit, ratio = median_of(pairs)
    settings = {"wallets": size, "tasks": TASKS, "clients": TASKS, "rounds": rounds}
    return Report("group_commit", figure, "postings/s", limit, ratio, settings)


async def _submit(url: str, holders: int, number: int) -> float:
    """Let every task submit one command after another; return how many a second."""
    async with await open_ledger(url) as ledger:
        done = 0
        began = time.perf_counter()
        until = began + SECONDS

        async def task(name: int) -> int:
            choose = random.Random(number * TASKS + name)
            count = 0
            while time.perf_counter() < until:
                command = Credit(
                    holder_id=choose.randint(1, holders),
                    asset=ASSET,
                    amount=100,
                    reference=f"{number}:{name}:{count}",
                )
                result = await ledger.submit(command, actor="benchmark", reason="single")
                assert result.ok, "a command was refused"
                count += 1
            return count

        done = sum(await asyncio.gather(*(task(name) for name in range(TASKS))))
        return done / (time.perf_counter() - began)


def pgbench(started: Server, holders: int, script_text: str = BARE) -> float:
    """Let 64 clients of pgbench send a script, the bare statement by default; how many a second."""
    script = started.data_dir.parent / "pgbench.sql"
    script.write_text(script_text.format(holders=holders))
    url = urlsplit(started.owner_url)
    program = find().path("pgbench")
    result = subprocess.run(
        [
            program,
            *("--no-vacuum", "--protocol=prepared", "--jobs=2"),
            *(f"--client={TASKS}", f"--time={SECONDS}", f"--file={script}"),
            *("--host", str(started.socket_dir), "--port", str(started.port)),
            *("--username", url.username or "", "bursar"),
        ],
        env=os.environ | {"PGPASSWORD": unquote(url.password or "")},
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS * 6,
    )
    found = re.search(r"tps = ([0-9.]+) \(without", result.stdout)
    assert found is not None, result.stdout
    return float(found.group(1))

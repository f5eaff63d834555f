"""Importing made-up people from CSV, beside plain COPY of the same rows (H2)."""

import asyncio
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import psycopg

from benchmarks.place import open_ledger, owner, peak_memory_mb, server
from benchmarks.report import Report, median_of, progress
from bursar.holders import Holders, ImportPlan
from bursar.platform.postgres import Server

_PLAN = ImportPlan(
    map={
        "external_id": "customer",
        "username": "name",
        "email": "mail",
        "created_at": "joined",
        "status": "churn",
        "tier": "plan",
        "verified": "checked",
        "attributes.months": "months",
    },
    values={"status": {"Yes": "canceled", "No": "active"}},
)
_TIERS = ("free", "basic", "pro")

# The same columns and primary key, and nothing else.
_BARE = """
drop schema if exists bare cascade;
create schema bare;
create table bare.holders (like bursar.holders);
alter table bare.holders add primary key (holder_id);
"""


def run(size: int = 1_000_000, rounds: int = 3) -> Report:
    """Import ``size`` holders into an empty directory, so many times."""
    with server() as started:
        file = Path(started.data_dir).parent / "people.csv"
        progress(f"making up {size:,} people")
        with file.open("w", encoding="utf-8", newline="") as out:
            out.writelines(_people(size))
        pairs = []
        for number in range(rounds):
            _empty(started)
            figure = asyncio.run(_import(started.service_url, file, size))
            limit = _copy(started, size)
            progress(f"round {number}: {figure:,.0f} holders/s, COPY alone {limit:,.0f}")
            pairs.append((figure, limit))
    figure, limit, ratio = median_of(pairs)
    settings = {"holders": size, "rounds": rounds, "peak_memory_mb": round(peak_memory_mb())}
    return Report("import", figure, "holders/s", limit, ratio, settings)


def _people(size: int) -> Iterator[str]:
    yield "customer,name,mail,joined,churn,plan,checked,months,unused\r\n"
    first = date(2015, 1, 1)
    for i in range(size):
        joined = first + timedelta(days=i * 7919 % 4_000)
        person = f"cus_{i * 2_654_435_761 % 2**32:08x}{i:07}"
        yield (
            f"{person},name-{i},{i}@example.org,{joined},{'Yes' if i % 4 == 0 else 'No'},"
            f'{_TIERS[i % 3]},{i % 5 != 0},{i % 72},"nothing, really"\r\n'
        )


def _empty(started: Server) -> None:
    with owner(started) as connection:
        connection.execute("truncate bursar.holders, bursar.holder_ids restart identity")
        connection.execute(_BARE)
        connection.execute("checkpoint")


async def _import(url: str, file: Path, size: int) -> float:
    async with await open_ledger(url) as ledger:
        report = await Holders(ledger).import_file(file, _PLAN, actor="benchmark", reason="import")
        assert (report.created, report.rejected) == (size, 0), report
        return size / report.seconds


def _copy(started: Server, size: int) -> float:
    """Copy the rows that were imported, from this process as they would come from a file."""
    with psycopg.connect(started.owner_url, autocommit=True) as connection:
        connection.execute("checkpoint")
        cursor = connection.cursor()
        with cursor.copy("copy bursar.holders to stdout") as copy:
            rows = [bytes(block) for block in copy]
        blocks = [b"".join(rows[i : i + 1_000]) for i in range(0, len(rows), 1_000)]
        began = time.perf_counter()
        with cursor.copy("copy bare.holders from stdin") as copy:
            for block in blocks:
                copy.write(block)
        return size / (time.perf_counter() - began)

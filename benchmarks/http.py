"""The HTTP API under load: single postings, bulk, reads (L2, I1).

Generator, API and database share the machine. Each round measures the figure, the same server's
answer to a validated POST that posts nothing, and ``pgbench`` with as many clients doing the bare
update and insert. The run is wrong if any request fails, and if the books are not sound after it.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import msgspec

from benchmarks.group_commit import pgbench
from benchmarks.http_load import BULK, Kind, Load, Told
from benchmarks.http_server import from_environment
from benchmarks.peer import make_peer, peer_between, peer_giving
from benchmarks.place import ASSET, fill, make_twins, open_ledger, server
from benchmarks.report import Report, median_of, progress
from bursar.access import Access
from bursar.api.server import run_server
from bursar.platform.postgres import Server
from bursar.platform.settings import load_settings

CONNECTIONS = 64
SECONDS = 8.0
_BULK_CONNECTIONS = 4


def single(size: int = 100_000, rounds: int = 3, processes: int = 2) -> Report:
    """Measure single postings from 64 connections."""
    with books(size) as filled, filled.api(processes) as api:
        make_twins(filled.server)
        make_peer(filled.server, size)
        api.ask("single", seconds=2)
        told: list[Told] = []
        empties, limits, between, giving = [], [], [], []
        for number in range(rounds):
            told.append(api.ask("single"))
            empties.append(api.ask("empty").a_second)
            limits.append(pgbench(filled.server, size))
            between.append(peer_between(filled.server, size))
            giving.append(peer_giving(filled.server, size))
            progress(
                f"round {number}: {told[-1].a_second:,.0f} postings/s, "
                f"p99 {told[-1].p99_ms:.0f} ms, empty {empties[-1]:,.0f}, "
                f"pgbench {limits[-1]:,.0f}, peer {between[-1]:,.0f}, giving {giving[-1]:,.0f}"
            )
        figures = [t.a_second for t in told]
        figure, limit, ratio = median_of(list(zip(figures, limits, strict=True)))
        settings: dict[str, object] = {
            "wallets": size,
            "connections": CONNECTIONS,
            "processes": processes,
            "p50_ms": round(median(t.p50_ms for t in told), 1),
            "p99_ms": round(median(t.p99_ms for t in told), 1),
            "empty_post": round(median(empties)),
            "of_empty": round(median(f / e for f, e in zip(figures, empties, strict=True)), 2),
            "peer_giving": round(median(giving)),
            "times_peer_giving": _times(figures, giving),
            "peer_between": round(median(between)),
            "times_peer_between": _times(figures, between),
            "generator_us": round(median(t.own_us for t in told)),
        }
        filled.verify()
    return Report("http_single", figure, "postings/s", limit, ratio, settings)


def bulk(size: int = 100_000, rounds: int = 3, processes: int = 2) -> Report:
    """Measure postings by requests of 1,000 commands."""
    with books(size) as filled, filled.api(processes) as api:
        make_twins(filled.server)
        api.ask("bulk", seconds=2, connections=_BULK_CONNECTIONS)
        pairs = []
        for number in range(rounds):
            told = api.ask("bulk", connections=_BULK_CONNECTIONS)
            limit = pgbench(filled.server, size)
            figure = told.a_second * BULK
            progress(f"round {number}: {figure:,.0f} postings/s, pgbench {limit:,.0f}")
            pairs.append((figure, limit))
        filled.verify()
    figure, limit, ratio = median_of(pairs)
    settings: dict[str, object] = {"wallets": size, "commands": BULK, "processes": processes}
    return Report("http_bulk", figure, "postings/s", limit, ratio, settings)


def read(size: int = 100_000, rounds: int = 3, processes: int = 2) -> Report:
    """Measure reads of random wallets, beside the validated POST that does nothing."""
    with books(size) as filled, filled.api(processes) as api:
        api.ask("read", seconds=2)
        pairs, told = [], []
        for number in range(rounds):
            told.append(api.ask("read"))
            empty = api.ask("empty").a_second
            progress(f"round {number}: {told[-1].a_second:,.0f} reads/s, empty {empty:,.0f}")
            pairs.append((told[-1].a_second, empty))
        filled.verify()
    figure, limit, ratio = median_of(pairs)
    settings: dict[str, object] = {
        "wallets": size,
        "connections": CONNECTIONS,
        "processes": processes,
        "p99_ms": round(median(t.p99_ms for t in told), 1),
    }
    return Report("http_read", figure, "reads/s", limit, ratio, settings)


def _times(figures: list[float], others: list[float]) -> float:
    return round(median(f / o for f, o in zip(figures, others, strict=True)), 1)


class Api:
    """A server that runs, and how to ask it."""

    def __init__(self, port: int, pid: int, key: str, holders: int) -> None:
        self.port = port
        self.pid = pid
        self._key = key
        self._holders = holders

    def ask(self, kind: Kind, *, seconds: float = SECONDS, connections: int = CONNECTIONS) -> Told:
        """Send for so long; every request must have succeeded."""
        load = Load(
            kind=kind,
            port=self.port,
            key=self._key,
            asset=ASSET,
            holders=self._holders,
            connections=connections,
            seconds=seconds,
        )
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.http_load"],
            input=msgspec.json.encode(load),
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds * 10,
        )
        told = msgspec.json.decode(done.stdout, type=Told)
        bad = {status: n for status, n in told.statuses.items() if status[0] != "2"}
        assert not bad, f"requests failed: {bad}"
        return told


class Books:
    """A filled ledger, and the API on it."""

    def __init__(self, started: Server, holders: int, key: str) -> None:
        self.server = started
        self._holders = holders
        self._key = key

    @contextmanager
    def api(self, processes: int) -> Iterator[Api]:
        """Serve in processes of their own until the block ends."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.http", str(port), str(processes)]
        environment = os.environ | {
            "BENCHMARK_DATABASE": self.server.service_url,
            "BURSAR_KEY_PER_MINUTE": "100000000",
        }
        process = subprocess.Popen(command, env=environment)
        try:
            _wait_for(port)
            yield Api(port, process.pid, self._key, self._holders)
        finally:
            process.terminate()
            process.wait(30)

    def verify(self) -> None:
        """Check the books after the load."""

        async def check() -> None:
            async with await open_ledger(self.server.service_url) as ledger:
                report = await ledger.verify()
                assert not report.found, f"the books are not sound: {report}"

        asyncio.run(check())


@contextmanager
def books(holders: int) -> Iterator[Books]:
    with server() as started:
        fill(started, holders)
        yield Books(started, holders, asyncio.run(_key(started.service_url)))


async def _key(url: str) -> str:
    async with await open_ledger(url) as ledger:
        access = Access(ledger.database, key_per_minute=1, holder_per_minute=1)
        made = await access.add_key(
            "benchmark", "benchmark", ["ingest"], actor="benchmark", reason="load"
        )
        await access.close()
        return made.secret


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the API did not come up")


def main() -> None:
    """Serve the benchmark's application on a port, in so many processes."""
    port, processes = int(sys.argv[1]), int(sys.argv[2])
    settings = msgspec.structs.replace(load_settings(), port=port, processes=processes)
    run_server(from_environment, settings)


if __name__ == "__main__":
    main()

"""Inboxes that many watch at once: server-sent events of one process, everybody paid (N1).

As many listen as a process takes. In each round everybody is given something in batches of 1,000,
and the figure is how long it takes from the commit of the last one until all have been told. The
listeners share the machine with the process and the database. The limit is reading as many inboxes
from the database without HTTP, two at a time as the process does.
"""

import asyncio
import os
import resource
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.http import Api, books
from benchmarks.notices import settings
from benchmarks.place import ASSET, open_ledger
from benchmarks.report import Report, median_of, progress
from bursar.access import Access
from bursar.api.hub import MOST
from bursar.ledger import Credit, Ledger
from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.service import Notices
from bursar.notices.settings import SettingsBook

_QUIET_S = 10
_BATCH = 1_000
_READERS = 2
_PATIENCE_S = 120
_TOLD = NoticeSettings(product="benchmark", channels=("inbox",), send=(Kind.DEPOSIT,))


class Listener:
    """One who listens; ``heard`` is when the last notice came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.notices = 0
        self.heard = 0.0
        self.told = asyncio.Event()

    @classmethod
    async def join(cls, port: int, token: str) -> "Listener":
        """Connect, and wait for the first event."""
        made = cls(*await asyncio.open_connection("127.0.0.1", port))
        request = f"GET /v1/me/inbox/events HTTP/1.1\r\nhost: b\r\nauthorization: Bearer {token}"
        made._writer.write(request.encode() + b"\r\n\r\n")
        await made._reader.readuntil(b"event: ")
        return made

    async def listen(self) -> None:
        """Count the notices that come, until there are no more."""
        while line := await self._reader.readline():
            if line.startswith(b"event: notice"):
                self.notices += 1
                self.heard = time.perf_counter()
                self.told.set()

    def leave(self) -> None:
        """Hang up."""
        self._writer.close()


def run(size: int = MOST, rounds: int = 5) -> Report:
    """Measure with ``size`` who listen, 2,000 at most."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with books(size) as filled, filled.api(1) as api:
        return asyncio.run(_measured(filled.server.service_url, api, size, rounds))


async def _measured(url: str, api: Api, size: int, rounds: int) -> Report:
    alone = _memory_mb(api.pid)
    async with await open_ledger(url) as ledger:
        async with ledger.database.transaction() as connection:
            await SettingsBook().put(connection, _TOLD)
        names = [f"user-{number}" for number in range(1, size + 1)]
        began = time.perf_counter()
        listeners = await _all_join(ledger, api.port, names)
        joined_s = time.perf_counter() - began
        progress(f"{size:,} listen after {joined_s:.1f} s")
        tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
        before = _worked_s(api.pid)
        await asyncio.sleep(_QUIET_S)
        quiet = (_worked_s(api.pid) - before) / _QUIET_S
        pairs, middles = [], []
        for number in range(rounds):
            committed = await _pay(ledger, names, f"round-{number}")
            waits = await _heard(listeners, number + 1, committed)
            limit = await _read_all(ledger, names)
            progress(f"round {number}: all told after {waits[-1]:.2f} s, read in {limit:.2f} s")
            pairs.append((waits[-1], limit))
            middles.append(waits[size // 2])
        held = _memory_mb(api.pid)
        for listener in listeners:
            listener.leave()
        await asyncio.gather(*tasks, return_exceptions=True)
    figure, limit, _ = median_of(pairs)
    said = {
        "listeners": size,
        "rounds": rounds,
        "half_told_s": round(median(middles), 2),
        "joined_s": round(joined_s, 1),
        "quiet_core": round(quiet, 3),
        "kb_each": round((held - alone) * 1_024 / size, 1),
    }
    ratio = median(limit / told for told, limit in pairs)
    return Report("streams", figure, "s", limit, ratio, said)


async def _all_join(ledger: Ledger, port: int, names: Sequence[str]) -> list[Listener]:
    access = Access(ledger.database, key_per_minute=1, holder_per_minute=1)
    try:
        tokens = [(await access.issue_token(n, ttl_s=3_600, actor="benchmark")).text for n in names]
    finally:
        await access.close()
    gate = asyncio.Semaphore(32)

    async def join(token: str) -> Listener:
        async with gate:
            return await Listener.join(port, token)

    return await asyncio.gather(*map(join, tokens))


async def _pay(ledger: Ledger, names: Iterable[str], reference: str) -> float:
    """Give everybody something; when the last of it was committed."""
    rest = iter(names)
    while batch := [*islice(rest, _BATCH)]:
        commands = [Credit(holder=n, asset=ASSET, amount=1, reference=reference) for n in batch]
        await ledger.post(commands, actor="benchmark", reason="benchmark")
    return time.perf_counter()


async def _heard(listeners: Sequence[Listener], notices: int, since: float) -> list[float]:
    """Wait until all have heard of so many; how long that took each, the quickest first."""
    async with asyncio.timeout(_PATIENCE_S):
        for listener in listeners:
            await listener.told.wait()
            listener.told.clear()
    assert all(listener.notices == notices for listener in listeners), "something was told twice"
    return sorted(max(0.0, listener.heard - since) for listener in listeners)


async def _read_all(ledger: Ledger, names: Iterable[str]) -> float:
    """Read every inbox once, without HTTP."""
    notices = Notices(ledger, settings())
    rest = iter(names)

    async def read() -> None:
        for name in rest:
            await notices.inboxes.page(name, limit=1)

    began = time.perf_counter()
    await asyncio.gather(*(read() for _ in range(_READERS)))
    return time.perf_counter() - began


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1_024


def _worked_s(pid: int) -> float:
    """Say how long a process has worked on a core."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

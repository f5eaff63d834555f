"""What was answered is in the books once, whatever is killed, cut, full or used up (L3, O1).

BURSAR_FAULT_SEED repeats the choices of a run; what they hit is up to the machine.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
import pytest

from bursar.ledger import Ledger
from bursar.platform.postgres.process import is_alive
from tests.faults.callers import ASSET, REFUSALS, Callers
from tests.faults.wire import Wire
from tests.support.running import Running, children, kept_port, running, wait_for
from tests.support.serving import add_key

_KILLS: Final = {"process": 4, "all": 2, "worker": 2, "crash": 3, "cut": 3, "silence": 2, "used": 1}
_UNFELT: Final = {"worker", "silence"}
"""Whoever asks meanwhile is answered all the same, if late."""
_LOAD: Final = 40
"""So many answers lie between a recovery and the next fault."""

_ENTRIES: Final = """
select e.reference, i.external_id, e.amount
  from bursar.entries e
  join bursar.holder_ids i using (holder_id)
"""

say: Final = partial(print, flush=True)


def chance() -> tuple[int, Random]:
    seed = int(os.environ.get("BURSAR_FAULT_SEED") or secrets.randbelow(2**32))
    say(f"BURSAR_FAULT_SEED={seed}")
    return seed, Random(seed)


async def prepare(url: str) -> str:
    """Make the asset and a key, whose secret is returned."""
    async with await Ledger.open(url, max_connections=2) as ledger:
        await ledger.add_asset(ASSET, actor="test", reason="because")
    return await add_key(url, "ingest")


async def findings(url: str) -> Any:
    async with await Ledger.open(url) as ledger:
        return (await ledger.verify()).findings


def in_books(server: Any) -> dict[str, tuple[str, int]]:
    """Read holder and amount by reference; no reference stands there twice."""
    with psycopg.connect(server.owner_url) as owner:
        rows = owner.execute(_ENTRIES).fetchall()
    assert [name for name, n in Counter(row[0] for row in rows).items() if n > 1] == []
    return {reference: (holder, amount) for reference, holder, amount in rows}


def check(server: Any, callers: Callers) -> None:
    """Compare the callers' ledger with the books, and prove the books."""
    say(dict(callers.told))
    assert callers.missing == set()
    assert in_books(server) == callers.applied
    refused = {one.code for one in callers.asked.values() if one.status not in (200, 201)}
    assert refused
    assert refused <= REFUSALS
    assert asyncio.run(findings(server.url)) == ()


class Faults:
    """What may happen to an API with two processes, its worker and its database."""

    def __init__(self, server: Any, wire: Wire, log: Path, random: Random) -> None:
        self._server = server
        self._wire = wire
        self._log = log
        self._random = random
        self._starts = 0
        self._stack = ExitStack()
        self._port = ExitStack()
        self.port = self._port.enter_context(kept_port())
        self.one = self._start()

    def __enter__(self) -> "Faults":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._port.close()

    def _start(self) -> Running:
        self._stack.close()
        self._starts += 1
        one = self._stack.enter_context(
            running(
                self._log.with_name(f"log.{self._starts}"),
                *("up", "--processes", 2, "--db", self._wire.lead(self._server.url)),
                environ={"BURSAR_TICK_S": "1"},
                port=self.port,
            )
        )
        one.until("serving", 2)
        one.until("working")
        return one

    def process(self) -> None:
        """Kill one of the processes that serve; the other goes on, and it is put anew."""
        served = len(self.one.events("serving"))
        self._kill(self._random.choice(sorted(self.one.serving())))
        self.one.until("serving", served + 1)

    def worker(self) -> None:
        """Kill the worker, which is started again."""
        worked = self.one.events("working")
        self._kill(worked[-1]["pid"])
        self.one.until("working", len(worked) + 1)

    def all(self) -> None:
        """Kill the process above all; what it has started ends, and the service manager's turn is
        this test's.
        """
        left = children(self.one.pid)
        assert self.one.end(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: not any(is_alive(pid) for pid in left), "the end of all")
        self.one = self._start()

    def crash(self) -> None:
        """End PostgreSQL where it stands, and start it again once that has been noticed."""
        self._server.crash()
        self._until_not_ready()
        self._server.restart()

    def cut(self) -> None:
        """Cut the wire to the database, both ends told."""
        self._wire.cut()
        self._until_not_ready()
        self._wire.mend()

    def silence(self) -> None:
        """Cut the wire to the database, nobody told."""
        self._wire.silence()
        self._until_not_ready()
        self._wire.mend()

    def used(self) -> None:
        """Let others take every connection that the server has, ours too."""
        with ExitStack() as taken, psycopg.connect(self._server.owner_url, autocommit=True) as own:
            while self.one.status() == 200:
                own.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'bursar'"
                )
                try:
                    while True:
                        taken.enter_context(psycopg.connect(self._server.url))
                except psycopg.OperationalError:
                    continue
            self._until_not_ready()

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), "the end of a process")

    def _until_not_ready(self) -> None:
        wait_for(lambda: self.one.status() == 503, "not ready")


@pytest.mark.slow
def test_what_was_answered_is_in_the_books_once_whatever_is_killed(
    own_server: Any, tmp_path: Path
) -> None:
    seed, random = chance()
    kinds = [kind for kind, number in _KILLS.items() for _ in range(number)]
    random.shuffle(kinds)
    key = asyncio.run(prepare(own_server.url))
    hit: Counter[str] = Counter()
    began = time.monotonic()
    with (
        Wire(socket_of(own_server)) as wire,
        Faults(own_server, wire, tmp_path / "log", random) as faults,
        Callers(faults.port, key, seed) as callers,
    ):
        for kind in kinds:
            callers.until_answered(_LOAD)
            time.sleep(random.uniform(0.005, 0.1))
            under_way, disturbed = callers.in_flight, disturbances(callers)
            getattr(faults, kind)()
            wait_for(lambda: faults.one.status() == 200, f"ready after {kind}")
            callers.until_answered(_LOAD)
            disturbed = disturbances(callers) - disturbed
            hit[kind] += under_way > 0 and (disturbed > 0 or kind in _UNFELT)
            after = time.monotonic() - began
            say(f"{after:6.2f} s  {kind}: {under_way} under way, {disturbed} disturbed")
        callers.finish()
        assert faults.one.end() == 0
    check(own_server, callers)
    assert hit["worker"] == _KILLS["worker"]
    assert sum(hit.values()) >= len(kinds) - 2, f"most must hit under load: {hit}"
    assert callers.told["200"] > 0, "some answer was lost whose work was done"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", [1, 2])
def test_who_is_told_to_stop_answers_what_it_has_read(
    own_server: Any, tmp_path: Path, processes: int, number: signal.Signals
) -> None:
    seed, random = chance()
    key = asyncio.run(prepare(own_server.url))
    given = ("serve", "--processes", processes, "--db", own_server.url)
    with running(tmp_path / "log", *given) as one:
        one.until("serving", processes)
        with Callers(one.port, key, seed, retry=False) as callers:
            callers.until_answered(500)
            time.sleep(random.uniform(0, 0.05))
            assert callers.in_flight > 0
            assert one.end(number) == 0
            callers.wait_until_done()
    # nothing is in the books but what was answered: whoever heard nothing was not read
    assert callers.missing
    assert in_books(own_server) == callers.applied
    with running(tmp_path / "again", *given, port=one.port) as again:
        again.until("serving", processes)
        callers.send_again(callers.missing)
        assert again.end() == 0
    check(own_server, callers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "processes", "number"),
    [
        ("serve", 1, signal.SIGTERM),
        ("serve", 2, signal.SIGINT),
        ("up", 1, signal.SIGINT),
        ("up", 2, signal.SIGTERM),
    ],
)
def test_a_second_signal_ends_it_at_once(
    own_server: Any, tmp_path: Path, command: str, processes: int, number: signal.Signals
) -> None:
    seed, _ = chance()
    key = asyncio.run(prepare(own_server.url))
    given = (command, "--processes", processes, "--db", own_server.url)
    with running(tmp_path / "log", *given) as one:
        one.until("serving", processes)
        one.until_ready()
        started = children(one.pid)
        with (
            psycopg.connect(own_server.owner_url) as owner,
            Callers(one.port, key, seed, retry=False) as callers,
        ):
            callers.until_answered(50)
            owner.execute("lock table bursar.wallets in exclusive mode")
            wait_for(lambda: callers.in_flight == 16, "everybody to wait")
            one.process.send_signal(number)
            wait_for(lambda: one.status("/health/live") == 0, "the end of the socket")
            assert one.process.poll() is None
            assert one.end(number) == 128 + number
            wait_for(lambda: not any(is_alive(pid) for pid in started), "the end of all")
            owner.rollback()
            callers.wait_until_done()
    with running(tmp_path / "again", *given, port=one.port) as again:
        again.until("serving", processes)
        callers.send_again(callers.missing)
        assert again.end() == 0
    check(own_server, callers)


@pytest.fixture
def little_room(own_server: Any) -> Iterator[Path]:
    """Entries lie on a disk of their own, of 24 MB; what is in it is the disk's root."""
    place = own_server.data_dir.parent / "little"
    place.mkdir()
    who = (own_server.data_dir / "pgdata").stat()
    size = f"size=24m,mode=0700,uid={who.st_uid},gid={who.st_gid}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "none", place], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        (place / "space").mkdir(mode=0o700)
        os.chown(place / "space", who.st_uid, who.st_gid)
        with psycopg.connect(own_server.owner_url, autocommit=True) as owner:
            owner.execute(f"create tablespace little location '{place / 'space'}'")
            owner.execute("alter table bursar.entries set tablespace little")
        yield place
        own_server.crash()
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_loses_nothing_and_is_got_over(
    own_server: Any, little_room: Path, tmp_path: Path
) -> None:
    seed, _ = chance()
    key = asyncio.run(prepare(own_server.url))
    with running(tmp_path / "log", "serve", "--db", own_server.url) as one:
        one.until_ready()
        with Callers(one.port, key, seed) as callers:
            for _ in range(2):
                callers.until_answered(_LOAD)
                full = callers.told["503 disk_full"]
                with suppress(OSError), (little_room / "ballast").open("wb", 0) as ballast:
                    while True:
                        ballast.write(bytes(65_536))
                wait_for(lambda full=full: callers.told["503 disk_full"] > full, "a full disk")
                assert one.status("/health/live") == 200
                (little_room / "ballast").unlink()
                callers.until_answered(_LOAD)
            callers.finish()
        assert one.end() == 0
    check(own_server, callers)


def disturbances(callers: Callers) -> int:
    """Count the attempts that were not settled."""
    return sum(n for told, n in callers.told.items() if told[:3] in {"mis", "503"})


def socket_of(server: Any) -> Path:
    """Find the socket of a server by its address."""
    with psycopg.connect(server.owner_url) as owner:
        return Path(owner.info.host) / f".s.PGSQL.{owner.info.port}"

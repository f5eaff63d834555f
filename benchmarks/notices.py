"""A whole run with deposit notices in the inbox, beside the same run without them (N5).

With notices, each worker also does a worker's duties for notices while it pays, and one of them
looks into inboxes of holders whose chunk has just been committed: each must show its deposit.
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import Awaitable, Callable

import msgspec

from benchmarks.place import in_parallel, open_ledger, owner, server, vacuum
from benchmarks.report import Report, progress
from benchmarks.run import _MONTHLY, WORKERS, people, sandbox
from bursar.ledger import Ledger
from bursar.notices.duties import duties_of
from bursar.notices.making.service import Dispatches, Maker
from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.service import Notices
from bursar.notices.settings import SettingsBook
from bursar.platform.ending import end
from bursar.platform.postgres import Server
from bursar.platform.settings import Settings, load_settings
from bursar.programs.model import Terms
from bursar.programs.runs.execute import LANES
from bursar.programs.service import Programs

_TELLING = msgspec.structs.replace(_MONTHLY, terms=Terms(notices=(Kind.DEPOSIT.value,)))
_INBOX_ONLY = NoticeSettings(product="benchmark", channels=("inbox",))
_LOOKS = 5
_DONE = """
select h.holder_id
  from bursar.run_chunks c
  join bursar.holders h on h.holder_id between c.first_holder and c.last_holder
 where c.run_id = (select max(run_id) from bursar.runs) and c.done_at is not null
   and h.verified and h.status = 'active'
   and h.holder_id = c.first_holder + %s
 order by c.done_at desc
 limit %s
"""


def settings() -> Settings:
    """Make settings without a mail server."""
    return msgspec.structs.replace(load_settings({}), smtp_url=None)


def work(worker: int, workers: int, url: str) -> int:
    """Pay, and nothing else."""
    return asyncio.run(_paying(url, None))


def work_and_tell(worker: int, workers: int, url: str) -> int:
    """Pay, with what a worker does for notices beside it."""
    return asyncio.run(_paying(url, worker))


async def _paying(url: str, teller: int | None) -> int:
    async with await open_ledger(url) as ledger:
        if teller is None:
            return await Programs(ledger).runs.work()
        notices = Notices(ledger, settings())
        beside = [asyncio.create_task(_keep(d.do, d.every_s)) for d in duties_of(notices)]
        looking = asyncio.create_task(_look_on(ledger, notices)) if teller == 0 else None
        try:
            return await Programs(ledger).runs.work()
        finally:
            await end([*beside, *([looking] if looking is not None else [])])
            if looking is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await looking  # what it found missing is raised here


async def _keep(do: Callable[[], Awaitable[object]], every_s: float) -> None:
    while True:
        await do()
        await asyncio.sleep(every_s)


async def _look_on(ledger: Ledger, notices: Notices) -> None:
    """Look into some inboxes each second while the run goes on."""
    while True:
        await asyncio.sleep(1)
        await look(ledger, notices)


async def look(ledger: Ledger, notices: Notices) -> list[float]:
    """Look for the first time into inboxes of holders who have been given theirs; milliseconds.

    Raises if one does not show the run's deposit.
    """
    offset = random.randrange(0, 9_000)
    async with ledger.database.connection() as connection:
        rows = await (await connection.execute(_DONE, (offset, _LOOKS))).fetchall()
        newest = await (await connection.execute("select max(run_id) from bursar.runs")).fetchone()
    took = []
    names = await ledger.holders([row[0] for row in rows])
    for name in names.values():
        began = time.perf_counter()
        shown = (await notices.inboxes.page(name)).items
        took.append((time.perf_counter() - began) * 1_000)
        if newest is None or not shown or shown[0].kind is not Kind.DEPOSIT:
            raise AssertionError(f"{name} has been paid and sees nothing: {shown}")
    return took


async def begin(url: str, *, telling: bool) -> None:
    """Make the run that is due, of a program that tells or does not."""
    async with await open_ledger(url) as ledger:
        programs = Programs(ledger)
        async with ledger.database.transaction() as connection:
            program = _TELLING if telling else _MONTHLY
            await programs.put(connection, program, actor="benchmark", reason="benchmark")
            await SettingsBook().put(connection, _INBOX_ONLY)
        [_] = (await programs.tick()).begun


def one_run(started: Server, *, telling: bool) -> float:
    """Do the run that is due with two workers; how many seconds that takes."""
    asyncio.run(begin(started.service_url, telling=telling))
    rate = in_parallel(work_and_tell if telling else work, WORKERS, started.service_url)
    with owner(started) as connection:
        [(chunks,)] = connection.execute(
            "select count(*) from bursar.run_chunks"
            " where run_id = (select max(run_id) from bursar.runs)"
        )
    return chunks / rate


def run(size: int = 1_000_000, rounds: int = 5) -> Report:
    """Measure ``rounds`` pairs over ``size`` holders, 80 % of them eligible."""
    pairs = []
    with server() as started:
        progress(f"enrolling {size:,} people")
        people(started, size)
        one_run(started, telling=False)  # opens the wallets
        vacuum(started, "bursar")
        for number in range(2 * rounds):
            sandbox(started, number + 1)
            # first the one, then the other: what the second finds warm or full takes turns too
            telling = number % 4 in (1, 2)
            seconds = one_run(started, telling=telling)
            progress(f"run {number}: {seconds:.1f} s {'with' if telling else 'without'} notices")
            pairs.append((telling, seconds))
            vacuum(started, "bursar")
        reads = asyncio.run(_reads(started.service_url))
        progress("telling of one more run by e-mail and to a machine")
        made, made_s = tell_of_one_more(started, 2 * rounds + 1)
    halves = [dict(pairs[n : n + 2]) for n in range(0, 2 * rounds, 2)]
    without = statistics.median(half[False] for half in halves)
    with_notices = statistics.median(half[True] for half in halves)
    ratio = statistics.median(half[False] / half[True] for half in halves)
    said = {
        "holders": size,
        "eligible": size * 4 // 5,
        "workers": WORKERS,
        "lanes": LANES,
        "pairs": rounds,
        "first_read_ms": round(statistics.median(reads), 2),
        "letters_and_batches_made": made,
        "made_s": round(made_s, 1),
        "ratios": [round(half[False] / half[True], 3) for half in halves],
    }
    return Report("notices", with_notices, "s", without, ratio, said)


def tell_of_one_more(started: Server, month: int) -> tuple[int, float]:
    """Do a run, then make what is sent of it: deliveries made, and the seconds that took.

    Everybody has an address, and one endpoint takes all kinds; nothing is sent.
    """
    sandbox(started, month)
    with owner(started) as connection:
        connection.execute("update bursar.holders set email = 'm' || holder_id || '@example.com'")
        connection.execute(
            "insert into bursar.webhook_endpoints"
            " (url, description, kinds, secret, made_at, changed_at, state)"
            " values ('https://example.com', '', '{}', '', now(), now(), 'on')"
        )
    vacuum(started, "bursar")
    one_run(started, telling=True)
    return asyncio.run(_make(started.service_url))


async def _make(url: str) -> tuple[int, float]:
    async with await open_ledger(url) as ledger:
        async with ledger.database.transaction() as connection:
            letters = msgspec.structs.replace(_INBOX_ONLY, channels=("inbox", "email"))
            await SettingsBook().put(connection, letters)
        maker = Maker(ledger, ProgramKinds(), mail=True)
        began = time.perf_counter()
        await maker.dispatch()
        took = time.perf_counter() - began
        [dispatch, *_] = (await Dispatches(ledger.database).list(limit=1)).items
        return dispatch.made, took


async def _reads(url: str) -> list[float]:
    """Time first looks into inboxes when the run is over."""
    async with await open_ledger(url) as ledger:
        notices = Notices(ledger, settings())
        return [took for _ in range(10) for took in await look(ledger, notices)]

"""What scenes of programs are told with: people, what they were given, the books at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from bursar.holders import HolderChange
from bursar.ledger import MAX_AMOUNT, Credit, Debit, Kind, Ledger, SetState
from bursar.ledger.reading.wallets import Filter
from bursar.platform.database import Database
from bursar.platform.errors import Missing
from bursar.programs.due import plan
from bursar.programs.model import RunId
from bursar.programs.runs.model import RunReport
from bursar.programs.service import Programs
from bursar.programs.store import read_now

FULL = MAX_AMOUNT


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


async def enrol(programs: Programs, *holders: str, **said: Any) -> None:
    """Say the same of each of these holders."""
    changes = [HolderChange(external_id=holder, **said) for holder in holders]
    for done in await programs.holders.upsert(changes, actor="test", reason="test"):
        assert done.refusal is None, done


async def given(ledger: Ledger, holder: str) -> list[tuple[str, int]]:
    """List what a holder was granted: (reference, amount), the oldest first."""
    try:
        page = await ledger.statement(
            holder, "coins", wanted=Filter(kinds=(Kind.GRANT,)), limit=1_000
        )
    except Missing:
        return []
    return [(entry.reference, entry.amount) for entry in reversed(page.items)]


async def amounts(ledger: Ledger, *holders: str) -> list[list[int]]:
    """List the amounts granted to each of these holders."""
    return [[amount for _, amount in await given(ledger, holder)] for holder in holders]


async def balance(ledger: Ledger, holder: str) -> int:
    return (await ledger.wallet(holder, "coins")).balance


async def fill(ledger: Ledger, holder: str) -> None:
    """Leave no room in a wallet for anything: whatever is given is refused."""
    command = Credit(holder=holder, asset="coins", amount=FULL, reference="full", kind="adjust")
    (await ledger.submit(command, actor="ops", reason="test")).unwrap()


async def set_state(ledger: Ledger, holder: str, state: Any) -> None:
    """Freeze a wallet, close it, or open it again."""
    command = SetState(holder=holder, asset="coins", state=state, reference=f"state:{state}")
    (await ledger.submit(command, actor="ops", reason="test")).unwrap()


async def sound(ledger: Ledger) -> None:
    report = await ledger.verify()
    assert report.ok, report


@asynccontextmanager
async def another_process(database: Any) -> AsyncIterator[Programs]:
    """Open the same programs on a pool of connections of their own."""
    opened = Database(database.url, max_connections=6)
    await opened.open()
    async with Ledger(opened) as ledger:
        yield Programs(ledger)


async def plan_small(programs: Programs, size: int = 2, name: str = "monthly") -> list[RunId]:
    """Make the runs of one program that are due, in chunks of so few holders."""
    in_force = await programs.program(name)
    async with programs.ledger.database.transaction() as connection:
        return await plan(connection, in_force, await read_now(connection), size)


async def do_chunks(programs: Programs, run_id: RunId, chunks: int) -> None:
    """Do so many chunks of a run, and leave it there."""
    for _ in range(chunks):
        assert await programs.runs._executor.work_one(run_id)


async def last_run(programs: Programs) -> RunReport:
    return (await programs.runs.recent(limit=1))[0]


async def states(programs: Programs, name: str = "monthly") -> list[tuple[str, str, str]]:
    """List the runs of a program, the oldest first: (kind, period, state)."""
    runs = [report.run for report in await programs.runs.recent(name, limit=1_000)]
    return [(run.kind.value, run.period.key, run.state.value) for run in reversed(runs)]


async def spend(ledger: Ledger, holder: str, amount: int) -> None:
    """Spend so much of what there is; once for each amount."""
    reference = f"order:{amount}"
    command = Debit(holder=holder, asset="coins", amount=amount, reference=reference)
    (await ledger.submit(command, actor="app", reason="order")).unwrap()

"""Before a holder claims, the days that have ended are settled for them (P22).

Automatic claims are made by a run when the day is over. Who claims before that run has come to
them would seem to have missed the day; so it is settled for this one holder first, and the run
finds it done.
"""

from datetime import datetime

from bursar.ledger import Ledger
from bursar.platform.database import Connection
from bursar.platform.errors import Rejected
from bursar.programs.claims.deciding import decide_claims
from bursar.programs.due import claims_ended, imagine, new_run
from bursar.programs.judge import Judge
from bursar.programs.library import Compiled
from bursar.programs.model import Claim, InForce, Period, RunKind
from bursar.programs.runs import store
from bursar.programs.runs.deciding import people_of
from bursar.programs.runs.giving import give
from bursar.programs.runs.model import Chunk
from bursar.programs.runs.work import Work
from bursar.programs.store import read_overrides


async def settle_ended(
    connection: Connection,
    ledger: Ledger,
    compiled: Compiled,
    in_force: InForce,
    schedule: Claim,
    holder_id: int,
    now: datetime,
) -> None:
    """Claim for one holder what automatic runs have yet to come to, the oldest first."""
    if schedule.automatic == "no":
        return
    periods = claims_ended(in_force, schedule, now)
    under_way = await store.read_open_periods(connection, in_force.program_id)
    for period in sorted({*under_way, *periods}, key=lambda p: p.start):
        await _settle(connection, ledger, compiled, in_force, schedule, holder_id, period, now)


async def within_day(connection: Connection, in_force: InForce, amount: int) -> None:
    """Hold the day's guard rail (P10); raises `Rejected` ``day_ceiling``."""
    ceiling = in_force.program.limits.day
    if ceiling is None or not amount:
        return
    if not await store.reserve_day(connection, in_force.program_id, amount, ceiling):
        raise Rejected(
            "day_ceiling", f"{in_force.program.name} gives no more today", ceiling=ceiling
        )


async def _settle(
    connection: Connection,
    ledger: Ledger,
    compiled: Compiled,
    in_force: InForce,
    schedule: Claim,
    holder_id: int,
    period: Period,
    now: datetime,
) -> None:
    new = new_run(in_force, RunKind.SCHEDULED, period, now, reason=f"claim {period.key}")
    run = imagine(new, in_force, now)
    work = Work(run, compiled, Judge(in_force.program, compiled.rules, period))
    chunk = Chunk(run.run_id, 0, holder_id, holder_id, [holder_id])
    people = await people_of(connection, work.judge.facts, chunk)
    overrides = await read_overrides(connection, in_force.program_id, holder_id, holder_id)
    awards, settle = await decide_claims(connection, work, schedule, chunk, people, overrides)
    _, amount = await give(connection, ledger, work, awards)
    await within_day(connection, in_force, amount)
    if settle is not None:
        await settle(frozenset(failed for failed, _, _ in awards.failures))

"""A claim by hand: the holder asks, and has it at once or is told why not (P20)."""

from datetime import datetime

import msgspec

from bursar.holders.store_people import read_these
from bursar.ledger import Credit, Ledger, Status
from bursar.platform.database import Connection
from bursar.platform.errors import Missing, Rejected
from bursar.programs import store as programs
from bursar.programs.claims import store
from bursar.programs.claims.deciding import note_of, outages_of
from bursar.programs.claims.settling import settle_ended, within_day
from bursar.programs.judge import Judge, milestone_of
from bursar.programs.library import Library
from bursar.programs.model import Claim, InForce, Override
from bursar.programs.references import reference_of
from bursar.programs.runs.awarding import PAUSED, own_verdict
from bursar.programs.streaks import StreakState
from bursar.programs.streaks import claim as decide_claim


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim brought: ``awarded`` is 0 if the period had been claimed before (P20).

    ``balance`` is that after the award, None if there was none.
    """

    awarded: int
    already: bool
    streak: int
    period: str
    next_available_at: datetime
    balance: int | None = None


async def claim(
    connection: Connection,
    ledger: Ledger,
    library: Library,
    in_force: InForce,
    holder_id: int,
    *,
    actor: str,
) -> ClaimAnswer:
    """Claim for one holder, in the caller's transaction; raises `Rejected` with the reason."""
    program = in_force.program
    schedule = program.schedule
    if not isinstance(schedule, Claim) or not schedule.by_hand:
        raise Rejected("claim_not_offered", f"{program.name} cannot be claimed by hand")
    if not in_force.gives:
        raise Rejected("program_off", f"{program.name} is switched off", program=program.name)
    if program.dry_run:
        raise Rejected("program_off", f"{program.name} only counts, in dry runs")
    now = await programs.read_now(connection)
    compiled = await library.get(connection, in_force.program_id, in_force.version)
    await settle_ended(connection, ledger, compiled, in_force, schedule, holder_id, now)
    state = await store.lock_streak(connection, in_force.program_id, holder_id) or StreakState()
    claimed = decide_claim(schedule, state, now, await outages_of(connection))
    judge = Judge(program, compiled.rules, claimed.period)
    people = await read_these(connection, judge.facts, [holder_id])
    if not people.holder_ids:
        raise Missing("holder_unknown", "there is no such holder in the directory")
    answer = ClaimAnswer(
        awarded=0,
        already=True,
        streak=claimed.length,
        period=claimed.period.key,
        next_available_at=claimed.next_available_at,
    )
    if claimed.already:
        return answer
    overrides = await programs.read_overrides(connection, in_force.program_id, holder_id, holder_id)
    override = overrides.get(holder_id, Override())
    verdict = own_verdict(judge, people.facts[0], override, streak=claimed.length)
    verdict = milestone_of(judge, verdict, claimed.milestone)
    reason = PAUSED if override.paused else verdict.reason
    if verdict.failure is not None:
        raise Rejected(*verdict.failure)
    if reason is not None:
        raise Rejected(
            "not_eligible", f"{program.name} is not for this holder: {reason}", why=reason
        )
    credit = Credit(
        holder_id=holder_id,
        asset=program.asset,
        amount=verdict.amount,
        reference=reference_of(program, claimed.period.key, claimed.period.start),
        source=program.name,
        metadata={
            "program": program.name,
            "version": in_force.version,
            "period": claimed.period.key,
            "kind": "claim",
            **note_of(verdict.tier, claimed),
        },
    )
    [result] = await ledger.post(
        [credit], actor=actor, reason=f"claim {program.name}", tx=connection
    )
    if result.status is Status.REFERENCE_CONFLICT or result.status is Status.REPLAYED:
        return answer
    entry = result.unwrap()
    await within_day(connection, in_force, verdict.amount)
    await store.write_streaks(connection, in_force.program_id, [(holder_id, claimed.state)])
    return msgspec.structs.replace(
        answer, awarded=verdict.amount, already=False, balance=entry.balance
    )

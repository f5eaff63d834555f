"""Claiming for holders when the day is over (P22): from a chunk to its awards."""

from datetime import date, timedelta
from typing import Any, Final

from bursar.holders.model import People
from bursar.holders.store_people import logged_in
from bursar.platform.database import Connection
from bursar.programs import store as programs
from bursar.programs.claims import store
from bursar.programs.judge import milestone_of
from bursar.programs.model import AS_ALL, Claim, Override
from bursar.programs.references import reference_of
from bursar.programs.runs.awarding import ALREADY_PAID, NOT_STARTED, PAUSED, own_verdict
from bursar.programs.runs.model import Awards, Chunk
from bursar.programs.runs.work import Decided, Work
from bursar.programs.streaks import Claimed, Outage, StreakState, claim_for_day
from bursar.programs.zones import local_date

NOT_LOGGED_IN: Final = "not_logged_in"

_INSTANT: Final = timedelta(microseconds=1)


async def outages_of(connection: Connection) -> tuple[Outage, ...]:
    """Read the windows in which nobody can have missed anything (P23)."""
    return tuple(Outage(o.starts_at, o.ends_at) for o in await programs.read_outages(connection))


async def decide_claims(
    connection: Connection,
    work: Work,
    schedule: Claim,
    chunk: Chunk,
    people: People,
    overrides: dict[int, Override],
) -> Decided:
    """Settle the day that ended: dated that day, for whoever logged in on it or for everybody."""
    period = work.run.period
    day = local_date(period.start, schedule.zone)
    first, last = chunk.first_holder, chunk.last_holder
    states = await store.lock_streaks(connection, work.program_id, first, last)
    outages = await outages_of(connection)
    present = None
    if schedule.automatic == "logged_in":
        present = frozenset(await logged_in(connection, first, last, day))
    awards = Awards()
    reference = reference_of(work.program, period.key, period.start, work.run.generation)
    group = awards.group(reference, period, "claim")
    group.effective_at = period.end - _INSTANT
    after: list[tuple[int, StreakState]] = []
    claims: dict[StreakState, Claimed] = {}
    for holder_id, facts, created in zip(
        people.holder_ids, people.facts, people.created, strict=True
    ):
        if created >= period.end:
            awards.exclude(holder_id, NOT_STARTED)
            continue
        if present is not None and holder_id not in present:
            awards.exclude(holder_id, NOT_LOGGED_IN)
            continue
        override = overrides.get(holder_id, AS_ALL)
        if override.paused:
            awards.exclude(holder_id, PAUSED)
            continue
        claimed = _claim(claims, schedule, states.get(holder_id, StreakState()), day, outages)
        if claimed.already:
            awards.exclude(holder_id, ALREADY_PAID)
            continue
        verdict = own_verdict(work.judge, facts, override, streak=claimed.length)
        verdict = milestone_of(work.judge, verdict, claimed.milestone)
        if verdict.failure is not None:
            awards.fail(holder_id, *verdict.failure)
        elif verdict.amount:
            group.add(holder_id, verdict.amount, note_of(verdict.tier, claimed))
            after.append((holder_id, claimed.state))
        else:
            awards.exclude(holder_id, verdict.reason or "no_amount")

    async def settle(failed: frozenset[int]) -> None:
        kept = [(holder_id, state) for holder_id, state in after if holder_id not in failed]
        await store.write_streaks(connection, work.program_id, kept)

    return Decided(awards, settle)


def note_of(tier: str, claimed: Claimed) -> dict[str, Any]:
    """Tell on the entry how the amount came about (L12, P12)."""
    note: dict[str, Any] = {"streak": claimed.length}
    if tier:
        note["tier"] = tier
    if claimed.milestone:
        note["milestone"] = claimed.milestone
    if claimed.frozen_days:
        note["frozen_days"] = claimed.frozen_days
    return note


def _claim(
    claims: dict[StreakState, Claimed],
    schedule: Claim,
    state: StreakState,
    day: date,
    outages: tuple[Outage, ...],
) -> Claimed:
    found = claims.get(state)
    if found is None:
        found = claims[state] = claim_for_day(schedule, state, day, outages)
    return found

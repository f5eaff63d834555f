"""What a program will give to many holders in a period to come, as things stand now (P13)."""

from collections.abc import Sequence
from datetime import datetime

from bursar.holders.store_people import read_these
from bursar.platform.database import Connection
from bursar.programs import store
from bursar.programs.judge import Judge, looks_at_period
from bursar.programs.library import Library
from bursar.programs.model import AS_ALL, InForce, Period, Rolling
from bursar.programs.rolling import key_of
from bursar.programs.runs.awarding import own_verdict


async def foresee(
    connection: Connection,
    library: Library,
    in_force: InForce,
    periods: Sequence[tuple[int, Period]],
) -> dict[int, int]:
    """Tell how much each of these holders will be given in their period, of those who will be.

    ``periods`` name each holder once, with the period; the amounts are minor units. Whoever is
    paused, does not qualify or would be set aside is left out.
    """
    if not periods:
        return {}
    compiled = await library.get(connection, in_force.program_id, in_force.version)
    first = Judge(in_force.program, compiled.rules, periods[0][1])
    judges = {periods[0][1].key: first}
    varies = looks_at_period(compiled.rules)
    holder_ids = sorted(holder_id for holder_id, _ in periods)
    people = await read_these(connection, first.facts, holder_ids)
    overrides = await store.read_overrides(
        connection, in_force.program_id, holder_ids[0], holder_ids[-1], holder_ids
    )
    facts = dict(zip(people.holder_ids, people.facts, strict=True))
    amounts: dict[int, int] = {}
    for holder_id, period in periods:
        override = overrides.get(holder_id, AS_ALL)
        if holder_id not in facts or override.paused:
            continue
        judge = first
        if varies:
            judge = judges.setdefault(period.key, Judge(in_force.program, compiled.rules, period))
        verdict = own_verdict(judge, facts[holder_id], override)
        if verdict.amount and verdict.failure is None:
            amounts[holder_id] = verdict.amount
    return amounts


def period_of_cycle(schedule: Rolling, due_at: datetime) -> Period:
    """Name the period of a rolling program that is due at an instant."""
    return Period(key_of(schedule, due_at), due_at, due_at, schedule.days)

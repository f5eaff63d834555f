"""From the cycles of a chunk to its awards, and to where each cycle goes next."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bursar.holders.model import People
from bursar.holders.store_people import read_people, read_these
from bursar.platform.database import Connection
from bursar.programs import store as programs
from bursar.programs.cycles import store
from bursar.programs.cycles.store import CycleMove, HolderCycle
from bursar.programs.judge import Judge, Rules, looks_at_period
from bursar.programs.model import AS_ALL, Override, Period, Program, Rolling
from bursar.programs.references import reference_of
from bursar.programs.rolling import (
    Cycle,
    Dues,
    decide,
    grace_end,
    interval_days,
    key_of,
    occurrence,
    retier,
)
from bursar.programs.runs.awarding import PAUSED, own_verdict
from bursar.programs.runs.model import Awards, Chunk, Group
from bursar.programs.runs.work import Decided, Settle, Work

MINIMUM_DAYS: Final = "minimum_days"
MISSED: Final = "missed"
GONE: Final = "gone"

_LOOK_AGAIN: Final = timedelta(hours=1)


async def decide_due(
    connection: Connection,
    work: Work,
    schedule: Rolling,
    chunk: Chunk,
) -> Decided:
    """Decide for whoever of a chunk is due (P1, P9); cycles move on once the awards are posted."""
    as_of = work.run.as_of
    if chunk.holder_ids is None:
        cycles = await store.read_due(
            connection, work.program_id, chunk.first_holder, chunk.last_holder, as_of
        )
    else:
        cycles = await store.read_of(connection, work.program_id, chunk.holder_ids)
    due = [one for one in cycles if one.cycle.due_at <= as_of]
    people = await _people_of(connection, work, chunk, [one.holder_id for one in due])
    overrides = await programs.read_overrides(
        connection, work.program_id, chunk.first_holder, chunk.last_holder, chunk.holder_ids
    )
    decision = _Decision(work.program, schedule, work.compiled.rules, as_of)
    facts_of = dict(zip(people.holder_ids, people.facts, strict=True))
    for one in due:
        decision.decide(one, facts_of.get(one.holder_id), overrides.get(one.holder_id, AS_ALL))

    async def settle(failed: frozenset[int]) -> None:
        moves = [
            moved.after_failure if moved.move.holder_id in failed else moved.move
            for moved in decision.moves
        ]
        await store.move(connection, work.program_id, moves)

    return Decided(decision.awards, settle)


def counting_anew(connection: Connection, work: Work, granted: Awards) -> Settle | None:
    """Let cycles that are counted from the last grant by hand begin with this one (H3)."""
    schedule = work.program.schedule
    if not isinstance(schedule, Rolling) or schedule.anchor != "last_grant":
        return None
    as_of = work.run.as_of
    holder_ids = [h for group in granted.groups.values() for h in group.holder_ids]

    async def settle(failed: frozenset[int]) -> None:
        given = [holder_id for holder_id in holder_ids if holder_id not in failed]
        moves = []
        for one in await store.read_of(connection, work.program_id, given):
            days = interval_days(schedule, one.tier)
            cycle = Cycle(as_of, 1, occurrence(schedule, as_of, 1, days, None))
            due_at = one.cycle.due_at
            moves.append(CycleMove(one.holder_id, due_at, cycle, cycle.due_at, as_of, one.tier))
        await store.move(connection, work.program_id, moves)

    return settle


async def award_again(
    connection: Connection,
    work: Work,
    schedule: Rolling,
    people: People,
    overrides: dict[int, Override],
) -> Awards:
    """Judge the occurrence that these holders were last given by what they are now (P4).

    Whoever is due another just now has that by the new tier, whichever of the two runs comes first.
    """
    awards = Awards()
    decision = _Decision(work.program, schedule, work.compiled.rules, work.run.as_of)
    cycles = await store.read_of(connection, work.program_id, people.holder_ids)
    facts_of = dict(zip(people.holder_ids, people.facts, strict=True))
    for one in cycles:
        override = overrides.get(one.holder_id, AS_ALL)
        if one.last_award_at is None or override.paused or one.cycle.n == 0:
            continue
        facts = facts_of[one.holder_id]
        if decision.due(one, override).pay:
            continue
        days = interval_days(schedule, one.tier)
        n, anchor = one.cycle.n - 1, one.cycle.anchor
        last = occurrence(schedule, anchor, n, days, override.refresh_day)
        verdict = own_verdict(work.judge, facts, override)
        if verdict.amount:
            key = key_of(schedule, last)
            group = awards.group(
                reference_of(work.program, key, last), Period(key, last, one.cycle.due_at, days)
            )
            group.add(one.holder_id, verdict.amount, {"tier": verdict.tier})
    return awards


async def _people_of(connection: Connection, work: Work, chunk: Chunk, due: list[int]) -> People:
    """Read those who are due: by name, unless they are most of the chunk's range.

    On an ordinary day one in thirty is due, and the range of a chunk is as much wider.
    """
    facts = work.judge.facts
    if 2 * len(due) < chunk.last_holder - chunk.first_holder + 1:
        return await read_these(connection, facts, due)
    return await read_people(connection, facts, first=chunk.first_holder, last=chunk.last_holder)


class _Moved(NamedTuple):
    """Where a cycle goes; after a failure it stays, to be looked at with the next occurrence."""

    move: CycleMove
    after_failure: CycleMove


class _Decision:
    """The decisions of one chunk."""

    def __init__(self, program: Program, schedule: Rolling, rules: Rules, as_of: datetime) -> None:
        self.awards = Awards()
        self.moves: list[_Moved] = []
        self._program = program
        self._schedule = schedule
        self._rules = rules
        self._as_of = as_of
        self._judges: dict[datetime | None, Judge] = {}
        self._dues: dict[tuple[object, ...], Dues] = {}
        self._groups: dict[tuple[datetime, datetime], Group] = {}
        self._period_counts = looks_at_period(rules)

    def decide(
        self, one: HolderCycle, facts: tuple[object, ...] | None, override: Override
    ) -> None:
        """Decide for one holder."""
        if facts is None:
            self.awards.exclude(one.holder_id, GONE)
            dues = self.due(one, override)
            self._stay(one, dues.wait_until or dues.next.due_at)
            return
        tier = self._judge_of(one.cycle.due_at).tier(facts)
        dues = self.due(one, override)
        if override.paused:
            self._pass(one, dues, tier, override, PAUSED)
            return
        if dues.wait_until is not None:
            self.awards.exclude(one.holder_id, MINIMUM_DAYS)
            self._stay(one, dues.wait_until)
            return
        if not dues.pay:
            self._pass(one, dues, tier, override, MISSED)
            return
        self._award(one, dues, facts, tier, override)

    def _award(
        self,
        one: HolderCycle,
        dues: Dues,
        facts: tuple[object, ...],
        tier: str,
        override: Override,
    ) -> None:
        note = {"tier": tier} if tier else None
        for n, due_at in enumerate(dues.pay):
            verdict = own_verdict(self._judge_of(due_at), facts, override)
            if verdict.failure is not None:
                self.awards.fail(one.holder_id, *verdict.failure)
            elif verdict.amount:
                until = dues.pay[n + 1] if n + 1 < len(dues.pay) else dues.next.due_at
                group = self._group(due_at, until, tier)
                group.add(one.holder_id, verdict.amount, note)
            else:
                self._pass_or_wait(one, dues, tier, override, verdict.reason or "no_amount")
                return
        self._move(one, dues, tier, override, award_at=self._as_of)

    def _pass_or_wait(
        self, one: HolderCycle, dues: Dues, tier: str, override: Override, reason: str
    ) -> None:
        """Leave out whoever does not qualify; within the grace they are looked at again (P1)."""
        until = grace_end(
            self._schedule, one.cycle, tier=one.tier, refresh_day=override.refresh_day
        )
        if until is not None and self._as_of < until:
            self.awards.exclude(one.holder_id, reason)
            self._stay(one, min(self._as_of + _LOOK_AGAIN, until))
        else:
            self._pass(one, dues, tier, override, reason)

    def _pass(
        self, one: HolderCycle, dues: Dues, tier: str, override: Override, reason: str
    ) -> None:
        self.awards.exclude(one.holder_id, reason)
        self._move(one, dues, tier, override, award_at=None)

    def _move(
        self,
        one: HolderCycle,
        dues: Dues,
        tier: str,
        override: Override,
        *,
        award_at: datetime | None,
    ) -> None:
        """Go on to the next occurrence, in the interval of the tier that the holder has now."""
        following = dues.next
        if interval_days(self._schedule, tier) != interval_days(self._schedule, one.tier):
            following = retier(self._schedule, following, tier, override.refresh_day)
        due_at = one.cycle.due_at
        move = CycleMove(one.holder_id, due_at, following, following.due_at, award_at, tier)
        stay = CycleMove(one.holder_id, due_at, one.cycle, dues.next.due_at, None, one.tier)
        self.moves.append(_Moved(move, stay))

    def _stay(self, one: HolderCycle, look_at: datetime) -> None:
        stay = CycleMove(one.holder_id, one.cycle.due_at, one.cycle, look_at, None, one.tier)
        self.moves.append(_Moved(stay, stay))

    def due(self, one: HolderCycle, override: Override) -> Dues:
        """Say what is due, in the interval in which the cycle is; another begins with the next."""
        cycle, tier = one.cycle, one.tier
        key = (cycle.anchor, cycle.n, cycle.due_at, tier, override.refresh_day, one.last_award_at)
        found = self._dues.get(key)
        if found is None:
            found = self._dues[key] = decide(
                self._schedule,
                cycle,
                self._as_of,
                tier=tier,
                refresh_day=override.refresh_day,
                last_award_at=one.last_award_at,
                catch_up=self._program.catch_up,
                late_hours=self._program.late_hours,
            )
        return found

    def _group(self, due_at: datetime, until: datetime, tier: str) -> Group:
        """Find the awards of an occurrence; many holders are due at the same instant."""
        found = self._groups.get((due_at, until))
        if found is None:
            period = self._period(due_at, until, tier)
            reference = reference_of(self._program, period.key, due_at)
            found = self._groups[due_at, until] = self.awards.group(reference, period)
        return found

    def _judge_of(self, due_at: datetime) -> Judge:
        """One judge for all, unless the rules look at the period."""
        key = due_at if self._period_counts else None
        found = self._judges.get(key)
        if found is None:
            period = self._period(due_at, due_at, "")
            found = self._judges[key] = Judge(self._program, self._rules, period)
        return found

    def _period(self, due_at: datetime, until: datetime, tier: str) -> Period:
        days = interval_days(self._schedule, tier)
        return Period(key_of(self._schedule, due_at), due_at, until, days)

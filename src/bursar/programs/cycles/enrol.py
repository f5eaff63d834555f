"""Giving holders their cycle in a rolling program, and another where their tier has changed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bursar.holders.model import People
from bursar.holders.stagger import offset_days
from bursar.holders.store_people import read_these
from bursar.platform.database import Connection
from bursar.programs import store as programs
from bursar.programs.cycles import store
from bursar.programs.cycles.store import CycleMove, HolderCycle
from bursar.programs.model import AS_ALL, InForce, Override, Rolling
from bursar.programs.rolling import begin, interval_days, retier

_BATCH: Final = 10_000
_FACTS: Final = ("external_id", "tier", "billing_anchor")


async def enrol(
    connection: Connection,
    in_force: InForce,
    schedule: Rolling,
    holder_ids: Sequence[int],
    now: datetime,
) -> list[int]:
    """Begin the cycles of those who have none, and let a new tier's interval count (P1).

    What is due is first given, and then the new interval counts.
    Whoever lacks what the anchor asks for, a billing date say, is enrolled once they have it.
    Returns those others whose tier has changed.
    """
    changed: list[int] = []
    for first in range(0, len(holder_ids), _BATCH):
        part = holder_ids[first : first + _BATCH]
        people = await read_these(connection, _FACTS, part)
        cycles = {
            c.holder_id: c for c in await store.read_of(connection, in_force.program_id, part)
        }
        overrides = await programs.read_overrides(
            connection, in_force.program_id, part[0], part[-1], part
        )
        changed += await _enrol(connection, in_force, schedule, people, cycles, overrides, now)
    return changed


async def _enrol(
    connection: Connection,
    in_force: InForce,
    schedule: Rolling,
    people: People,
    cycles: dict[int, HolderCycle],
    overrides: dict[int, Override],
    now: datetime,
) -> list[int]:
    new: list[tuple[int, Any, str]] = []
    moves: list[CycleMove] = []
    other_tier: list[int] = []
    for holder_id, facts, started, created in zip(
        people.holder_ids, people.facts, people.subscription_starts, people.created, strict=True
    ):
        external_id, tier, billing = facts
        tier = tier or ""
        refresh_day = overrides.get(holder_id, AS_ALL).refresh_day
        had = cycles.get(holder_id)
        if had is None:
            anchor = anchor_of(schedule, external_id, tier, created, started, billing)
            if anchor is not None:
                not_before = in_force.standing.starts_at
                cycle = begin(schedule, anchor, tier, refresh_day, not_before)
                new.append((holder_id, cycle, tier))
        elif had.tier != tier:
            other_tier.append(holder_id)
            if had.cycle.due_at <= now:
                continue
            cycle = had.cycle
            if interval_days(schedule, tier) != interval_days(schedule, had.tier):
                cycle = retier(schedule, cycle, tier, refresh_day)
            moves.append(CycleMove(holder_id, had.cycle.due_at, cycle, cycle.due_at, None, tier))
    await store.add(connection, in_force.program_id, new)
    await store.move(connection, in_force.program_id, moves)
    return other_tier


def anchor_of(
    schedule: Rolling,
    external_id: str,
    tier: str,
    created: datetime,
    started: datetime | None,
    billing: datetime | None,
) -> datetime | None:
    """Find the instant from which a holder's cycle counts; None if it is not known yet (H3)."""
    anchors = {
        "created": created,
        "subscription_start": started,
        "billing": billing,
        "last_grant": created,
    }
    anchor = anchors[schedule.anchor]
    if anchor is None or not schedule.stagger:
        return anchor
    return anchor - timedelta(days=offset_days(external_id, interval_days(schedule, tier)))

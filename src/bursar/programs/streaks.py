"""Claims and their streaks: what a claim continues, breaks or brings (P20–P23). Pure.

A streak is counted in the units of its schedule, days or weeks that begin on Monday, by the
calendar of the schedule's zone: a day of 23 or 25 hours is a day, and a date that a zone left out
is none. A unit is named by its first date.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from bursar.programs.model import Claim, Period, Streak
from bursar.programs.periods import period_at
from bursar.programs.zones import MIDNIGHT, instant_of, local_date

_NO_STREAK = Streak()


class StreakState(msgspec.Struct, frozen=True):
    """How a holder's streak stands.

    ``last_day`` is the first date of the unit claimed last. ``frozen`` are the missed ones that
    freezes forgave, as far back as they still count.
    """

    length: int = 0
    last_day: date | None = None
    frozen: tuple[date, ...] = ()


class Outage(msgspec.Struct, frozen=True):
    """From ``start`` to before ``end`` nobody could be expected to claim (P23)."""

    start: datetime
    end: datetime


class Claimed(msgspec.Struct, frozen=True):
    """What a claim comes to.

    ``already``: the unit, or one after it, was claimed before; nothing is awarded and nothing
    changes. ``milestone`` is to be added to the amount. ``frozen_days`` are the freezes spent.
    """

    length: int
    period: Period
    state: StreakState
    already: bool
    milestone: int
    next_available_at: datetime
    frozen_days: int


def claim(schedule: Claim, state: StreakState, now: datetime, outages: Sequence[Outage]) -> Claimed:
    """Claim the unit that contains ``now``."""
    return claim_for_day(schedule, state, local_date(now, schedule.zone), outages)


def claim_for_day(
    schedule: Claim, state: StreakState, day: date, outages: Sequence[Outage]
) -> Claimed:
    """Claim the unit that contains a date, as automatic claims do for the day that ended (P22).

    The first claim has length 1, one after the last claim's unit continues, and an older one
    begins anew, unless every unit missed between is forgiven. Automatic claims of a unit must be
    settled before anybody claims the next, for units are claimed in their order.
    """
    unit = _unit(schedule, day)
    period = period_at(schedule, instant_of(unit, MIDNIGHT, schedule.zone))
    if state.last_day is not None and unit <= _unit(schedule, state.last_day):
        return Claimed(state.length, period, state, True, 0, period.end, 0)
    terms = schedule.streak or _NO_STREAK
    spent = _forgiven(schedule, terms, state, unit, outages)
    length = 1 if spent is None else state.length + 1
    window = unit - timedelta(days=terms.freeze_days)
    frozen = tuple(one for one in (*state.frozen, *(spent or ())) if one > window)
    return Claimed(
        length=length,
        period=period,
        state=StreakState(length, unit, frozen),
        already=False,
        milestone=terms.milestones.get(length, 0),
        next_available_at=period.end,
        frozen_days=len(spent or ()),
    )


def _forgiven(
    schedule: Claim, terms: Streak, state: StreakState, unit: date, outages: Sequence[Outage]
) -> list[date] | None:
    """Which missed units freezes must forgive for the streak to go on; None if it cannot.

    Outages forgive first, then grace the units that the claim is late by, then freezes what is
    left. It is all or nothing: a streak that breaks spends none.
    """
    if state.last_day is None:
        return None
    last = _unit(schedule, state.last_day)
    step = timedelta(days=7 if schedule.every == "week" else 1)
    grace = terms.grace_days
    to_freeze: list[date] = []
    missed = unit - step
    while missed > last:
        if not _excused(schedule, missed, step, outages):
            if grace > 0:
                grace -= 1
            elif len(to_freeze) < terms.freezes:
                to_freeze.append(missed)
            else:
                return None
        missed -= step
    to_freeze.reverse()
    used = list(state.frozen)
    for one in to_freeze:
        window = one - timedelta(days=terms.freeze_days)
        if sum(window < before for before in used) >= terms.freezes:
            return None
        used.append(one)
    return to_freeze


def _excused(schedule: Claim, missed: date, step: timedelta, outages: Sequence[Outage]) -> bool:
    """Does an outage touch this unit, or has the zone no such date?"""
    start = instant_of(missed, MIDNIGHT, schedule.zone)
    end = instant_of(missed + step, MIDNIGHT, schedule.zone)
    return start == end or any(one.start < end and start < one.end for one in outages)


def _unit(schedule: Claim, day: date) -> date:
    return day - timedelta(days=day.weekday()) if schedule.every == "week" else day

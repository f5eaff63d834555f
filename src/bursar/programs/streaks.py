"""Streaks of claims: what a claim makes of them (P20–P23). Pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from whenever import Date, Time

from bursar.programs.model import Claim, Period, Streak
from bursar.programs.periods import period_at
from bursar.programs.zones import instant, local_date

_DAY: Final = timedelta(days=1)
_PLAIN: Final = Streak()


class StreakState(NamedTuple):
    """A streak: its length, the first day of the last period claimed, the days forgiven."""

    length: int
    last_day: date | None
    frozen: tuple[date, ...] = ()


class Outage(NamedTuple):
    """A window in which nobody could act."""

    start: datetime
    end: datetime


class Claimed(NamedTuple):
    """What a claim comes to; ``already`` if its period had been claimed, and nothing changes."""

    length: int
    period: Period
    state: StreakState
    already: bool
    milestone: int
    next_available_at: datetime
    frozen_days: int = 0


def claim(
    schedule: Claim, state: StreakState, now: datetime, outages: Sequence[Outage]
) -> Claimed:
    """Claim for the day or week that it is now."""
    return _claim(schedule, state, period_at(schedule, now), outages)


def claim_for_day(
    schedule: Claim, state: StreakState, day: date, outages: Sequence[Outage]
) -> Claimed:
    """Claim for a day, or the week that it lies in, as when the day that ended is settled (P22)."""
    start = instant(Date(day), Time(), schedule.zone)
    return _claim(schedule, state, period_at(schedule, start), outages)


def _claim(
    schedule: Claim, state: StreakState, period: Period, outages: Sequence[Outage]
) -> Claimed:
    day = local_date(period.start, schedule.zone).to_stdlib()
    if state.last_day is not None and day <= state.last_day:
        return Claimed(state.length, period, state, True, 0, period.end)
    rules = schedule.streak or _PLAIN
    forgiven = _forgiven(schedule, rules, state, day, outages)
    length = 1 if forgiven is None else state.length + 1
    spent = forgiven or ()
    kept = tuple(d for d in (*state.frozen, *spent) if day - d < rules.freeze_days * _DAY)
    return Claimed(
        length,
        period,
        StreakState(length, day, kept if forgiven is not None else ()),
        False,
        rules.milestones.get(length, 0),
        period.end,
        len(spent),
    )


def _forgiven(
    schedule: Claim, rules: Streak, state: StreakState, day: date, outages: Sequence[Outage]
) -> tuple[date, ...] | None:
    """Name the missed days for which freezes are spent; None if the streak breaks.

    All that was missed is forgiven, or nothing is and no freeze is spent.
    """
    if state.last_day is None:
        return None
    step = _DAY if schedule.every == "day" else 7 * _DAY
    count = (day - state.last_day) // step - 1
    if count > rules.grace_days + rules.freezes and not outages:
        return None
    missed = [state.last_day + n * step for n in range(1, count + 1)]
    missed = [d for d in missed if not _in_outage(schedule, d, outages)]
    if len(missed) <= rules.grace_days:
        return ()
    used = sum(1 for d in state.frozen if day - d < rules.freeze_days * _DAY)
    if len(missed) <= rules.freezes - used:
        return tuple(missed)
    return None


def _in_outage(schedule: Claim, day: date, outages: Sequence[Outage]) -> bool:
    """Tell whether an outage touched a day, or the week that begins on it."""
    if not outages:
        return False
    period = period_at(schedule, instant(Date(day), Time(), schedule.zone))
    return any(o.start < period.end and o.end > period.start for o in outages)

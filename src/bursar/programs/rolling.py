"""Cycles of rolling schedules: occurrence n is the anchor and n intervals (P1, P9). Pure.

An occurrence is never computed from the one before it, so that no lateness adds up.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from whenever import Date, Time

from bursar.programs.model import CatchUp, Rolling
from bursar.programs.zones import clamped, instant, local, local_date, month_after

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Cycle(NamedTuple):
    """Where a holder stands: occurrence ``n`` of ``anchor`` is due at ``due_at``."""

    anchor: datetime
    n: int
    due_at: datetime


class Dues(NamedTuple):
    """What becomes of what is due: paid, the oldest first, or missed; and the cycle that follows.

    With ``wait_until`` nothing is paid before then, and the occurrence stays due.
    """

    pay: tuple[datetime, ...]
    missed: tuple[datetime, ...]
    next: Cycle
    wait_until: datetime | None = None


def interval_days(schedule: Rolling, tier: str) -> int:
    """Tell the interval for a tier."""
    return schedule.days_by_tier.get(tier, schedule.days)


def occurrence(
    schedule: Rolling, anchor: datetime, n: int, days: int, refresh_day: int | None
) -> datetime:
    """Find occurrence n: n intervals after the anchor, or the n-th refresh day after it."""
    there = local(anchor, schedule.zone)
    at = there.time() if schedule.at is None else Time.parse_iso(schedule.at)
    day = there.date()
    if refresh_day is None:
        return instant(day.add(days=n * days), at, schedule.zone)
    return instant(_refresh_day(day, n, refresh_day), at, schedule.zone)


def begin(
    schedule: Rolling,
    anchor: datetime,
    tier: str,
    refresh_day: int | None,
    not_before: datetime,
) -> Cycle:
    """Begin with the first occurrence at or after an instant; what lies before is not owed."""
    days = interval_days(schedule, tier)
    n = 0 if schedule.at_once and refresh_day is None else 1
    if not_before > anchor:
        passed = (not_before - anchor) // _DAY
        step = days if refresh_day is None else 31
        n = max(n, passed // step - 1)
    while (due_at := occurrence(schedule, anchor, n, days, refresh_day)) < not_before:
        n += 1
    return Cycle(anchor, n, due_at)


def decide(
    schedule: Rolling,
    cycle: Cycle,
    now: datetime,
    *,
    tier: str,
    refresh_day: int | None,
    last_award_at: datetime | None,
    catch_up: CatchUp,
    late_hours: int,
    most: int = 100,
) -> Dues:
    """Say which occurrences due by now are paid and which are missed (P9).

    ``minimum_days`` puts off the first award after the last one; it does not part occurrences
    that are caught up at once. Of more than ``most`` occurrences the newest are kept.
    """
    days = interval_days(schedule, tier)
    due: list[datetime] = []
    n, due_at = cycle.n, cycle.due_at
    while due_at <= now:
        due.append(due_at)
        n += 1
        due_at = occurrence(schedule, cycle.anchor, n, days, refresh_day)
    following = Cycle(cycle.anchor, n, due_at)
    if not due:
        return Dues((), (), cycle)
    if schedule.minimum_days is not None and last_award_at is not None:
        earliest = last_award_at + schedule.minimum_days * _DAY
        if now < earliest:
            return Dues((), (), cycle, wait_until=earliest)
    pay, missed = _choose(due, catch_up, now, late_hours)
    return Dues(tuple(pay[-most:]), tuple(missed), following)


def grace_end(
    schedule: Rolling, cycle: Cycle, *, tier: str, refresh_day: int | None
) -> datetime | None:
    """Tell until when an occurrence that could not be given still may be; None without grace."""
    if schedule.grace_days is None:
        return None
    days = interval_days(schedule, tier)
    before = occurrence(schedule, cycle.anchor, cycle.n - 1, days, refresh_day)
    after = occurrence(schedule, cycle.anchor, cycle.n + 1, days, refresh_day)
    there = local(before, schedule.zone)
    end = instant(there.date().add(days=schedule.grace_days), there.time(), schedule.zone)
    return min(max(end, cycle.due_at), after)


def retier(schedule: Rolling, cycle: Cycle, tier: str, refresh_day: int | None) -> Cycle:
    """Let another tier's interval count from the last occurrence, or the anchor itself."""
    if refresh_day is not None:
        return cycle
    before = cycle.due_at
    for days in {schedule.days, *schedule.days_by_tier.values()}:
        if occurrence(schedule, cycle.anchor, cycle.n, days, None) == cycle.due_at:
            before = occurrence(schedule, cycle.anchor, cycle.n - 1, days, None)
            break
    anchor = max(before, cycle.anchor)
    days = interval_days(schedule, tier)
    return Cycle(anchor, 1, occurrence(schedule, anchor, 1, days, None))


def key_of(schedule: Rolling, due_at: datetime) -> str:
    """Name an occurrence by its local date."""
    return local_date(due_at, schedule.zone).format_iso()


def _refresh_day(anchor: Date, n: int, refresh_day: int) -> Date:
    """Find the n-th refresh day after a date; the 0th is the last that is not after it."""
    months = n if clamped(anchor.year, anchor.month, refresh_day) <= anchor else n - 1
    return clamped(*month_after(anchor, months), refresh_day)


def _choose(
    due: list[datetime], catch_up: CatchUp, now: datetime, late_hours: int
) -> tuple[list[datetime], list[datetime]]:
    if catch_up == "all":
        return due, []
    if catch_up == "latest" or now - due[-1] <= late_hours * _HOUR:
        return due[-1:], due[:-1]
    return [], due

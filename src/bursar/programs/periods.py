"""The periods of a schedule: which contains an instant, which are due, which comes next (P1). Pure.

Regular periods follow from the schedule alone: each begins on its date at its hour, whatever came
before, so nothing drifts, and none overlaps or leaves a gap. What is already paid only decides
where paying goes on, and with it whether the first period after a change of schedule is partial
(P5). Instants are aware, and in UTC where they are answered.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from bursar.programs.model import Calendar, CatchUp, Claim, Period
from bursar.programs.zones import hour_of, instant_of, local_date

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


def period_at(schedule: Calendar | Claim, instant: datetime) -> Period:
    """Find the regular period that contains the instant.

    Keys are ``2026-03`` of the month it begins in, ``2026-W11`` for a week that begins on Monday,
    otherwise the date that it begins on.
    """
    calendar = _calendar(schedule)
    begins = _on_or_before(calendar, local_date(instant, calendar.zone) + 2 * _DAY)
    while (start := _instant(calendar, begins)) > instant:
        begins = _on_or_before(calendar, begins - _DAY)
    ends = _after(calendar, begins)
    while (end := _instant(calendar, ends)) <= start:
        ends = _after(calendar, ends)
    return Period(_key(calendar, begins), start, end, (ends - begins).days)


def periods_after(
    schedule: Calendar | Claim,
    paid_until: datetime | None,
    starts: datetime,
    now: datetime,
    most: int = 1000,
) -> list[Period]:
    """List what is due: the periods that have begun by ``now`` and are not paid, oldest first.

    Where nothing is paid they begin with the regular one that contains ``starts``, and nothing is
    due before ``starts``. If more than ``most`` are due the newest are kept.
    """
    first = _first(schedule, paid_until, starts)
    if first.start > now or (paid_until is None and starts > now):
        return []
    due: list[Period] = []
    period = period_at(schedule, now)
    while period.start >= first.end and len(due) < most:
        due.append(period)
        period = period_at(schedule, period.start - _TICK)
    if len(due) < most:
        due.append(first)
    due.reverse()
    return due


def upcoming(
    schedule: Calendar | Claim, paid_until: datetime | None, starts: datetime, now: datetime
) -> Period:
    """Find the next period that begins after ``now``; before ``starts`` the first there will be."""
    first = _first(schedule, paid_until, starts)
    if first.start > now or (paid_until is None and starts > now):
        return first
    return period_at(schedule, max(first.end, period_at(schedule, now).end))


def choose(
    due: Sequence[Period], catch_up: CatchUp, now: datetime, late_hours: int
) -> tuple[list[Period], list[Period]]:
    """Split what is due, oldest first, into what is paid and what is not, after downtime (P9).

    ``skip`` pays what began at most ``late_hours`` ago, so that a run that is a little late still
    pays.
    """
    match catch_up:
        case "all":
            return list(due), []
        case "latest":
            return list(due[-1:]), list(due[:-1])
        case "skip":
            oldest = now - timedelta(hours=late_hours)
            paid = [period for period in due if period.start >= oldest]
            return paid, [period for period in due if period.start < oldest]


def _first(schedule: Calendar | Claim, paid_until: datetime | None, starts: datetime) -> Period:
    """Where paying begins or goes on.

    What is left of a period by a change of schedule is one partial period; a sliver of up to a
    day is no period of its own but belongs to the next.
    """
    if paid_until is None:
        return period_at(schedule, starts)
    period = period_at(schedule, paid_until)
    if period.start == paid_until:
        return period
    while period.end - paid_until <= _DAY:
        period = period_at(schedule, period.end)
    start = paid_until.astimezone(UTC)
    key = start.strftime("%Y-%m-%dT%H:%MZ")
    return Period(key, start, period.end, period.whole_days, partial=True)


def _calendar(schedule: Calendar | Claim) -> Calendar:
    match schedule:
        case Calendar():
            return schedule
        case Claim(every=every, zone=zone):
            return Calendar(every=every, zone=zone)


def _instant(calendar: Calendar, day: date) -> datetime:
    return instant_of(day, hour_of(calendar.at), calendar.zone)


def _on_or_before(calendar: Calendar, day: date) -> date:
    """The last date up to this one on which a period begins."""
    match calendar.every:
        case "day":
            return day
        case "week":
            return day - timedelta(days=(day.isoweekday() - calendar.day) % 7)
        case "month":
            begins = _in_month(day, calendar.day)
            return begins if begins <= day else _in_month(day.replace(day=1) - _DAY, calendar.day)


def _after(calendar: Calendar, begins: date) -> date:
    """The next date on which a period begins, after one on which a period does."""
    match calendar.every:
        case "day":
            return begins + _DAY
        case "week":
            return begins + 7 * _DAY
        case "month":
            return _in_month(begins.replace(day=1) + 31 * _DAY, calendar.day)


def _in_month(day: date, number: int) -> date:
    """Day ``number`` of that month; its last day serves those it does not have."""
    return day.replace(day=min(number, monthrange(day.year, day.month)[1]))


def _key(calendar: Calendar, begins: date) -> str:
    match calendar.every:
        case "month":
            return begins.strftime("%Y-%m")
        case "week" if calendar.day == 1:
            return begins.strftime("%G-W%V")
        case "week" | "day":
            return begins.isoformat()

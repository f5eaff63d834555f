"""Periods of calendar and claim schedules, without gap and without overlap (P1, P5, P9). Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from whenever import Date, Time

from bursar.programs.model import Calendar, CatchUp, Claim, Period
from bursar.programs.zones import clamped, instant, local_date, month_after

_SLIVER: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_WEEK: Final = 7

ByPeriod = Calendar | Claim


def period_at(schedule: ByPeriod, at: datetime) -> Period:
    """Find the regular period that contains an instant."""
    day = _first_day(schedule, local_date(at, schedule.zone))
    while _boundary(schedule, day) > at:
        day = _step(schedule, day, -1)
    while _boundary(schedule, following := _step(schedule, day, 1)) <= at:
        day = following
    return _regular(schedule, day)


def periods_after(
    schedule: ByPeriod,
    paid_until: datetime | None,
    starts: datetime,
    now: datetime,
    most: int = 1000,
) -> list[Period]:
    """List the periods that have begun by now and are not paid, the oldest first.

    The first is the one that contains ``starts``, or begins where what is paid ends: after a
    change of schedule that is a part of a period, or a little more than one (P5). Of more than
    ``most`` the newest are kept.
    """
    due: list[Period] = []
    for period in _from(schedule, paid_until, starts):
        if period.start > now:
            break
        due.append(period)
        if len(due) > 2 * most:
            del due[:-most]
    return due[-most:]


def upcoming(
    schedule: ByPeriod, paid_until: datetime | None, starts: datetime, now: datetime
) -> Period:
    """Find the next period that begins after now."""
    newest = paid_until
    if newest is not None and newest <= now and _is_boundary(schedule, newest):
        newest = period_at(schedule, now).start
    if newest is None and starts <= now:
        newest = period_at(schedule, now).start
    return next(p for p in _from(schedule, newest, starts) if p.start > now)


def choose(
    due: Sequence[Period], catch_up: CatchUp, now: datetime, late_hours: int
) -> tuple[list[Period], list[Period]]:
    """Part what is due into what is paid and what is left out (P9).

    ``skip`` still pays the newest while it is at most ``late_hours`` late.
    """
    if catch_up == "all" or not due:
        return list(due), []
    if catch_up == "latest" or now - due[-1].start <= late_hours * _HOUR:
        return [due[-1]], list(due[:-1])
    return [], list(due)


def _from(schedule: ByPeriod, paid_until: datetime | None, starts: datetime) -> Iterator[Period]:
    """Walk through the periods from what is paid on, or from the one that contains ``starts``."""
    regular = period_at(schedule, starts if paid_until is None else paid_until)
    if paid_until is None or regular.start == paid_until:
        yield regular
    else:
        if regular.end - paid_until <= _SLIVER:
            regular = period_at(schedule, regular.end)
        key = paid_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        yield Period(key, paid_until, regular.end, regular.whole_days, partial=True)
    while True:
        regular = period_at(schedule, regular.end)
        yield regular


def _is_boundary(schedule: ByPeriod, at: datetime) -> bool:
    return period_at(schedule, at).start == at


def _regular(schedule: ByPeriod, day: Date) -> Period:
    following = _step(schedule, day, 1)
    days = (following.to_stdlib() - day.to_stdlib()).days
    start, end = _boundary(schedule, day), _boundary(schedule, following)
    return Period(_key(schedule, day), start, end, days)


def _key(schedule: ByPeriod, day: Date) -> str:
    if schedule.every == "month":
        return day.format_iso()[:7]
    if schedule.every == "week" and _week_day(schedule) == 1:
        year, week, _ = day.to_stdlib().isocalendar()
        return f"{year}-W{week:02}"
    return day.format_iso()


def _first_day(schedule: ByPeriod, day: Date) -> Date:
    """Find the first day of the period in which a local date lies, or of a neighbour."""
    if schedule.every == "month":
        assert isinstance(schedule, Calendar)
        return clamped(day.year, day.month, schedule.day)
    if schedule.every == "week":
        since = (day.to_stdlib().isoweekday() - _week_day(schedule)) % _WEEK
        return day.subtract(days=since)
    return day


def _step(schedule: ByPeriod, day: Date, periods: int) -> Date:
    if schedule.every == "month":
        assert isinstance(schedule, Calendar)
        return clamped(*month_after(day, periods), schedule.day)
    return day.add(days=periods * (_WEEK if schedule.every == "week" else 1))


def _week_day(schedule: ByPeriod) -> int:
    return schedule.day if isinstance(schedule, Calendar) else 1


def _boundary(schedule: ByPeriod, day: Date) -> datetime:
    at = Time.parse_iso(schedule.at) if isinstance(schedule, Calendar) else Time()
    return instant(day, at, schedule.zone)

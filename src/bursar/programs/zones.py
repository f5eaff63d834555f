"""Between instants and the days and hours of a zone. Pure.

An hour that does not exist moves forward, one that comes twice is the first; instants are aware
datetimes in UTC.
"""

from datetime import UTC, datetime

from whenever import Date, Instant, PlainDateTime, Time


def local(instant: datetime, zone: str) -> PlainDateTime:
    """Tell what the clocks of a zone show."""
    return Instant(instant).to_tz(zone).to_plain()


def local_date(instant: datetime, zone: str) -> Date:
    """Tell the date in a zone."""
    return local(instant, zone).date()


def instant(day: Date, at: Time, zone: str) -> datetime:
    """Find the instant at which the clocks of a zone show a day and hour."""
    there = day.at(at).assume_tz(zone, disambiguation="compatible")
    return there.to_instant().to_stdlib().astimezone(UTC)


def clamped(year: int, month: int, day: int) -> Date:
    """Find a day of a month; the last also serves the days that the month lacks."""
    first = Date(year, month, 1)
    return first.replace(day=min(day, first.days_in_month()))


def month_after(day: Date, months: int) -> tuple[int, int]:
    """Name the month so many after a day's own: (year, month)."""
    count = day.year * 12 + day.month - 1 + months
    return count // 12, count % 12 + 1

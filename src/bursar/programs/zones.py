"""Local dates and hours, and the instants they are. Pure.

Instants are aware datetimes in UTC. Zones are IANA names; an unknown one raises whenever's
TimeZoneNotFoundError, so the economy file is checked for them.
"""

from datetime import date, datetime, time

from whenever import Date, Instant, Time

MIDNIGHT = time()


def hour_of(at: str) -> time:
    """Read ``HH:MM``."""
    return time.fromisoformat(at)


def instant_of(day: date, at: time, zone: str) -> datetime:
    """When it is this hour of this date in the zone.

    An hour that comes twice is the first. One that is skipped moves forward by as much as the
    clocks do; where that would be on another date, it moves back, so that a date keeps its own
    instant. Only a date that a zone left out whole shares one with the date after it.
    """
    local = Date(day).at(Time(at))
    found = local.assume_tz(zone, disambiguation="compatible")
    if found.date() != local.date():
        earlier = local.assume_tz(zone, disambiguation="earlier")
        if earlier.date() == local.date():
            found = earlier
    return found.to_instant().to_stdlib()


def local(instant: datetime, zone: str) -> tuple[date, time]:
    """The date and the hour that the zone's clocks show at this instant."""
    shown = Instant(instant).to_tz(zone)
    return shown.date().to_stdlib(), shown.time().to_stdlib()


def local_date(instant: datetime, zone: str) -> date:
    """The date that the zone's calendars show at this instant."""
    return local(instant, zone)[0]

"""Which channels a notice takes to a holder, and when its e-mail may go (N5). Pure."""

from datetime import datetime, time, timedelta
from typing import Final

from whenever import TimeZoneNotFoundError

from bursar.notices.model import Channel, Kind, NoticeSettings, Personal, Preferences, QuietHours
from bursar.programs.zones import instant_of, local

_DAY: Final = timedelta(days=1)
_UTC: Final = "UTC"


def wants(kind: Kind, channel: Personal, settings: NoticeSettings, holder: Preferences) -> bool:
    """Say whether a holder is told of a kind in this way: their choice, else the default."""
    chosen = holder.choices.get(kind, {}).get(channel)
    return channel in settings.defaults(kind) if chosen is None else chosen


def channels(kind: Kind, settings: NoticeSettings, holder: Preferences) -> tuple[Channel, ...]:
    """List the ways in which a holder is told of a kind."""
    ways: tuple[Personal, ...] = ("inbox", "email")
    return tuple(Channel(way) for way in ways if wants(kind, way, settings, holder))


def not_before(now: datetime, quiet: QuietHours | None, zone: str | None) -> datetime:
    """Say when an e-mail may go: now, or when the quiet hours of the holder's zone end.

    A zone that is none counts as UTC.
    """
    if quiet is None:
        return now
    try:
        day, hour = local(now, zone or _UTC)
    except (TimeZoneNotFoundError, ValueError):
        zone = _UTC
        day, hour = local(now, zone)
    if not _within(hour, quiet):
        return now
    ends = day if hour < quiet.until else day + _DAY
    return max(now, instant_of(ends, quiet.until, zone or _UTC))


def waits(
    now: datetime, settings: NoticeSettings, holder: Preferences, zone: str | None
) -> timedelta:
    """Say for how long a holder's e-mail has to wait: their quiet hours, else the economy's.

    ``zone`` is the holder's, if they have one.
    """
    quiet = holder.quiet or settings.quiet
    return not_before(now, quiet, zone or settings.time_zone) - now


def _within(wall: time, quiet: QuietHours) -> bool:
    if quiet.start == quiet.until:
        return False
    if quiet.start < quiet.until:
        return quiet.start <= wall < quiet.until
    return wall >= quiet.start or wall < quiet.until

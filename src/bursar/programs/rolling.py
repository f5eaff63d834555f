"""Each holder's own cycle: what is due, paid, missed and next (P1, P9). Pure.

Occurrence n is reckoned from the anchor alone, never from the one before it, so that nothing that
came late moves what comes next. Instants are aware, in UTC where they are answered. Intervals are
days of the schedule's zone, at least one.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from bursar.programs.model import CatchUp, Rolling
from bursar.programs.zones import hour_of, instant_of, local, local_date


class Cycle(msgspec.Struct, frozen=True):
    """Where a holder stands: occurrence ``n`` of this anchor is due at ``due_at``."""

    anchor: datetime
    n: int
    due_at: datetime


class Dues(msgspec.Struct, frozen=True):
    """What is to be done by now, oldest first.

    With ``wait_until`` what is due stays due until then, and ``next`` is where the cycle stood.
    """

    pay: tuple[datetime, ...]
    missed: tuple[datetime, ...]
    next: Cycle
    wait_until: datetime | None = None


def interval_days(schedule: Rolling, tier: str | None) -> int:
    """Look up the interval of a tier."""
    return schedule.days if tier is None else schedule.days_by_tier.get(tier, schedule.days)


def key_of(schedule: Rolling, due_at: datetime) -> str:
    """Name an occurrence by its local date, ``2026-03-17``: unique within a holder's cycle."""
    return local_date(due_at, schedule.zone).isoformat()


def occurrence(
    schedule: Rolling, anchor: datetime, n: int, days: int, refresh_day: int | None
) -> datetime:
    """When occurrence n is due: n × ``days`` after the anchor's date, on ``at`` or its hour.

    With a refresh day it is the n-th such day of a month after the anchor's date; the last day of
    a month serves those it does not have. Occurrence 0 is the anchor itself.
    """
    if n == 0:
        return anchor.astimezone(UTC)
    begins, hour = _anchored(schedule, anchor)
    if refresh_day is None:
        return instant_of(begins + timedelta(days=n * days), hour, schedule.zone)
    first = 0 if _in_month(begins, 0, refresh_day) > begins else 1
    return instant_of(_in_month(begins, first + n - 1, refresh_day), hour, schedule.zone)


def begin(
    schedule: Rolling,
    anchor: datetime,
    tier: str | None,
    refresh_day: int | None,
    not_before: datetime,
) -> Cycle:
    """Find the first occurrence at or after ``not_before``: what lies before it is not owed.

    Also where a holder's refresh day was set, changed or taken: with the last occurrence as the
    anchor, and now.
    """
    days = interval_days(schedule, tier)
    n = 0 if schedule.at_once else 1
    n = max(n, _near(schedule, anchor, days, refresh_day, not_before))
    while (due_at := occurrence(schedule, anchor, n, days, refresh_day)) < not_before:
        n += 1
    return Cycle(anchor, n, due_at)


def decide(
    schedule: Rolling,
    cycle: Cycle,
    now: datetime,
    *,
    tier: str | None,
    refresh_day: int | None,
    last_award_at: datetime | None,
    catch_up: CatchUp,
    late_hours: int,
    most: int = 100,
) -> Dues:
    """Settle the occurrences due by ``now``, and move on to the first after it.

    ``all`` pays each, ``latest`` the newest, ``skip`` those at most ``late_hours`` old. If more
    than ``most`` are due only the newest are looked at. Nothing is paid within ``minimum_days``
    (of 24 hours) of the last award: it waits, and a wait is not lateness. What ``all`` pays at
    once is not held against itself.
    """
    if cycle.due_at > now:
        return Dues((), (), cycle)
    days = interval_days(schedule, tier)
    earliest = _earliest(schedule, last_award_at)
    if earliest is not None and earliest > now:
        return Dues((), (), cycle, wait_until=earliest)
    n = max(cycle.n, _near(schedule, cycle.anchor, days, refresh_day, now))
    following = occurrence(schedule, cycle.anchor, n, days, refresh_day)
    while following <= now:
        n += 1
        following = occurrence(schedule, cycle.anchor, n, days, refresh_day)
    oldest = max(cycle.n, n - most)
    # A date that the zone left out shares its instant with the next: a dict keeps one, in order.
    due = tuple(
        dict.fromkeys(
            occurrence(schedule, cycle.anchor, number, days, refresh_day)
            for number in range(oldest, n)
        )
    )
    pay = _chosen(due, catch_up, now - timedelta(hours=late_hours), earliest)
    missed = tuple(one for one in due if one not in pay)
    return Dues(pay, missed, Cycle(cycle.anchor, n, following))


def grace_end(
    schedule: Rolling, cycle: Cycle, *, tier: str | None, refresh_day: int | None
) -> datetime | None:
    """Until when this occurrence may be given to a holder who was not eligible when it was due.

    ``grace_days`` after the occurrence before it, on the same hour, but not into the next; None
    without grace. It is never before the occurrence itself.
    """
    if schedule.grace_days is None:
        return None
    days = interval_days(schedule, tier)
    before = occurrence(schedule, cycle.anchor, max(0, cycle.n - 1), days, refresh_day)
    following = occurrence(schedule, cycle.anchor, cycle.n + 1, days, refresh_day)
    _, hour = _anchored(schedule, cycle.anchor)
    ends = local_date(before, schedule.zone) + timedelta(days=schedule.grace_days)
    return max(cycle.due_at, min(following, instant_of(ends, hour, schedule.zone)))


def retier(schedule: Rolling, cycle: Cycle, new_tier: str | None, refresh_day: int | None) -> Cycle:
    """Go on in the interval of another tier, counted from the last occurrence passed.

    That is the occurrence before the one in the cycle, or the anchor. Nothing changes where the
    interval does not, for a holder with a refresh day, or before an award that is due at once.
    """
    if refresh_day is not None or cycle.n == 0:
        return cycle
    days = interval_days(schedule, new_tier)
    anchored = local_date(cycle.anchor, schedule.zone)
    due = local_date(cycle.due_at, schedule.zone)
    old_days = ((due - anchored).days + cycle.n // 2) // cycle.n
    if days == old_days:
        return cycle
    anchor = occurrence(schedule, cycle.anchor, cycle.n - 1, old_days, None)
    return Cycle(anchor, 1, occurrence(schedule, anchor, 1, days, None))


def _anchored(schedule: Rolling, anchor: datetime) -> tuple[date, time]:
    begins, hour = local(anchor, schedule.zone)
    return begins, hour if schedule.at is None else hour_of(schedule.at)


def _in_month(day: date, months: int, number: int) -> date:
    """Day ``number`` of the month so many months after this date's."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(number, monthrange(year, month + 1)[1]))


def _near(
    schedule: Rolling, anchor: datetime, days: int, refresh_day: int | None, instant: datetime
) -> int:
    """Say an occurrence that is not after the instant, and at most a few before it."""
    begins, until = local_date(anchor, schedule.zone), local_date(instant, schedule.zone)
    if refresh_day is None:
        return (until - begins).days // days - 1
    return (until.year - begins.year) * 12 + until.month - begins.month - 2


def _earliest(schedule: Rolling, last_award_at: datetime | None) -> datetime | None:
    if schedule.minimum_days is None or last_award_at is None:
        return None
    return last_award_at.astimezone(UTC) + timedelta(days=schedule.minimum_days)


def _chosen(
    due: tuple[datetime, ...], catch_up: CatchUp, oldest: datetime, earliest: datetime | None
) -> tuple[datetime, ...]:
    match catch_up:
        case "all":
            return due
        case "latest":
            return due[-1:]
        case "skip":
            waited = [one for one in due if earliest is not None and one <= earliest]
            held = waited[-1:] if earliest is not None and earliest >= oldest else []
            return tuple(one for one in due if one >= oldest or one in held)

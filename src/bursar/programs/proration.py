"""The share of a period's amount for whom the period began late (P4). Pure.

Whole numbers throughout: amount × numerator / denominator, rounded once. Both are answered, to be
kept beside what was paid.
"""

from datetime import datetime, timedelta

import msgspec

from bursar.programs.model import Period, Proration, Rounding
from bursar.programs.zones import instant_of, local, local_date

_SECOND = timedelta(seconds=1)


class Prorated(msgspec.Struct, frozen=True):
    """A share, in minor units, and what it was computed from."""

    amount: int
    numerator: int
    denominator: int


def prorate(amount: int, period: Period, since: datetime, how: Proration, zone: str) -> Prorated:
    """Share out what a holder gets for whom the conditions hold since ``since``.

    By days it is the local dates left, the first included, out of those of the regular period:
    50,000 from the sixteenth of March are 16/31, 25,806 rounded down. By seconds it is the true
    ones, so a month with a change of clocks has its own number. Since the start or before it is
    the whole; a partial period is itself a share of the regular one. Never more than the amount,
    nor less than nothing, and later is never more.
    """
    since = max(since, period.start)
    if since >= period.end:
        numerator, denominator = 0, 1
    elif how.by == "days":
        numerator, denominator = _days(period, since, zone), period.whole_days
    else:
        # Begun seconds count: who joined within one has it.
        numerator = -((since - period.end) // _SECOND)
        denominator = max(1, (period.end - _regular_start(period, zone)) // _SECOND)
    numerator = min(numerator, denominator)
    return Prorated(_divide(amount * numerator, denominator, how.rounding), numerator, denominator)


def _days(period: Period, since: datetime, zone: str) -> int:
    if since == period.start and not period.partial:
        return period.whole_days
    return max(1, (local_date(period.end, zone) - local_date(since, zone)).days)


def _regular_start(period: Period, zone: str) -> datetime:
    """When the regular period began of which a partial one is the end."""
    if not period.partial:
        return period.start
    ends, at = local(period.end, zone)
    return instant_of(ends - timedelta(days=period.whole_days), at, zone)


def _divide(product: int, denominator: int, rounding: Rounding) -> int:
    match rounding:
        case "down":
            return product // denominator
        case "up":
            return -(-product // denominator)
        case "nearest":
            return (2 * product + denominator) // (2 * denominator)

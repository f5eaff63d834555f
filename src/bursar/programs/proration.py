"""A part of an amount for a part of a period, exactly (P4). Pure."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bursar.programs.model import Period, Proration, Rounding
from bursar.programs.zones import local_date

_SECOND: Final = timedelta(seconds=1)


class Prorated(NamedTuple):
    """What is due, and as which fraction of the whole."""

    amount: int
    numerator: int
    denominator: int


def prorate(
    amount: int, period: Period, since: datetime, how: Proration, zone: str
) -> Prorated:
    """Share out an amount for who qualifies since an instant of the period.

    By days the first one counts: from the sixteenth of March it is 16/31, and 50,000 becomes
    25,806 rounded down. Of a period that is a part of a regular one, its own part is the most.
    """
    since = max(since, period.start)
    if how.by == "days":
        last, first = local_date(period.end, zone), local_date(since, zone)
        part = (last.to_stdlib() - first.to_stdlib()).days
        whole = period.whole_days
    else:
        part = (period.end - since) // _SECOND
        whole = (period.end - period.start) // _SECOND
        if period.partial:
            whole = max(whole, period.whole_days * 86_400)
    whole = max(whole, 1)
    part = min(max(part, 0), whole)
    return Prorated(divided(amount * part, whole, how.rounding), part, whole)


def divided(dividend: int, divisor: int, rounding: Rounding) -> int:
    """Divide whole numbers that are not negative; the nearest of two equally near is the larger."""
    match rounding:
        case "down":
            return dividend // divisor
        case "up":
            return -(-dividend // divisor)
        case "nearest":
            return (2 * dividend + divisor) // (2 * divisor)

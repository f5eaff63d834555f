"""Proration: the first day counts, in whole numbers, never more than the amount."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.programs.model import Calendar, Period, Proration
from bursar.programs.periods import period_at, periods_after
from bursar.programs.proration import Prorated, prorate
from tests.programs.test_periods import calendars, instants

BERLIN = "Europe/Berlin"
MONTHLY = Calendar(every="month", zone=BERLIN)
BY_DAYS = Proration()
BY_SECONDS = Proration(by="seconds")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MARCH = period_at(MONTHLY, utc("2026-03-16T00:00"))


def test_fifty_thousand_from_the_sixteenth_of_march_are_16_of_31_days() -> None:
    for since in ("2026-03-15T23:00", "2026-03-16T21:59"):
        assert prorate(50_000, MARCH, utc(since), BY_DAYS, BERLIN) == Prorated(25_806, 16, 31)


@pytest.mark.parametrize(
    ("rounding", "amount"), [("down", 25_806), ("up", 25_807), ("nearest", 25_806)]
)
def test_rounding_is_as_stated(rounding, amount: int) -> None:
    how = Proration(rounding=rounding)
    assert prorate(50_000, MARCH, utc("2026-03-16T12:00"), how, BERLIN).amount == amount


def test_a_half_is_rounded_up_by_nearest() -> None:
    april = period_at(MONTHLY, utc("2026-04-16T12:00"))
    since = utc("2026-04-16T12:00")
    share = prorate(1, april, since, Proration(rounding="nearest"), BERLIN)
    assert share == Prorated(1, 15, 30)


def test_the_whole_is_for_those_who_were_there_and_the_last_day_is_one_day() -> None:
    for how in (BY_DAYS, BY_SECONDS):
        assert prorate(50_000, MARCH, MARCH.start, how, BERLIN).amount == 50_000
        assert prorate(50_000, MARCH, utc("2020-01-01T00:00"), how, BERLIN).amount == 50_000
        assert prorate(50_000, MARCH, MARCH.end, how, BERLIN).amount == 0
    last = MARCH.end - timedelta(seconds=1)
    assert prorate(50_000, MARCH, last, BY_DAYS, BERLIN) == Prorated(1_612, 1, 31)
    assert prorate(50_000, MARCH, last, BY_SECONDS, BERLIN).numerator == 1


def test_by_seconds_a_month_with_a_change_of_clocks_has_its_true_length() -> None:
    share = prorate(50_000, MARCH, utc("2026-03-15T23:00"), BY_SECONDS, BERLIN)
    assert (share.numerator, share.denominator) == (16 * 86_400 - 3_600, 31 * 86_400 - 3_600)


def test_a_partial_period_is_its_own_days_out_of_the_regular_ones() -> None:
    to_the_15th = Calendar(every="month", day=15, zone=BERLIN)
    now = utc("2026-04-02T00:00")
    [partial] = periods_after(to_the_15th, utc("2026-03-31T22:00"), now, now)
    assert prorate(31_000, partial, partial.start, BY_DAYS, BERLIN) == Prorated(14_000, 14, 31)
    assert prorate(31_000, partial, now, BY_DAYS, BERLIN) == Prorated(13_000, 13, 31)
    by_seconds = prorate(31_000, partial, partial.start, BY_SECONDS, BERLIN)
    assert (by_seconds.numerator, by_seconds.denominator) == (14 * 86_400, 31 * 86_400 - 3_600)


def test_a_partial_period_longer_than_the_regular_one_is_not_more_than_the_whole() -> None:
    start = utc("2026-03-31T22:00")
    merged = Period("2026-03-31T22:00Z", start, utc("2026-05-01T20:00"), 30, partial=True)
    for how in (BY_DAYS, BY_SECONDS):
        assert prorate(30_000, merged, start, how, BERLIN).amount == 30_000


@settings(max_examples=300, deadline=None)
@given(
    calendars,
    instants,
    st.integers(0, 2**62),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    st.builds(
        Proration,
        by=st.sampled_from(["days", "seconds"]),
        rounding=st.sampled_from(["down", "up", "nearest"]),
    ),
    st.none() | calendars,
)
def test_later_is_never_more_and_a_share_lies_between_nothing_and_the_whole(
    schedule, instant, amount, parts, how, before
) -> None:
    period = period_at(schedule, instant)
    if before is not None:
        paid_until = period_at(before, instant).end
        period = periods_after(schedule, paid_until, instant, paid_until)[0]
    length = period.end - period.start
    one, other = (period.start + length * part / 10**6 for part in sorted(parts))
    first = prorate(amount, period, one, how, schedule.zone)
    second = prorate(amount, period, other, how, schedule.zone)
    assert amount >= first.amount >= second.amount >= 0
    if not period.partial:
        assert prorate(amount, period, period.start, how, schedule.zone).amount == amount

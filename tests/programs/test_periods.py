"""Periods: contiguous, without drift, through short months, new clocks and new schedules."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.programs.model import Calendar, Claim
from bursar.programs.periods import choose, period_at, periods_after, upcoming
from bursar.programs.zones import local

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Africa/Casablanca",
    "Pacific/Kiritimati",
]
zones = st.sampled_from(ZONES)
hours = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)) | st.sampled_from(
    ["00:00", "02:30", "23:30"]
)
instants = st.datetimes(
    datetime(1972, 1, 1),  # noqa: DTZ001
    datetime(2080, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
) | st.sampled_from(
    [
        datetime(2011, 12, 29, 12, tzinfo=UTC),
        datetime(2011, 12, 30, 9, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2024, 2, 29, 23, 59, tzinfo=UTC),
    ]
)
calendars = st.one_of(
    st.builds(Calendar, every=st.just("month"), day=st.integers(1, 31), at=hours, zone=zones),
    st.builds(Calendar, every=st.just("week"), day=st.integers(1, 7), at=hours, zone=zones),
    st.builds(Calendar, every=st.just("day"), at=hours, zone=zones),
    st.builds(Claim, every=st.sampled_from(["day", "week"]), zone=zones),
)

MONTHLY = Calendar(every="month", zone="Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(periods):
    return [(one.key, one.start, one.end) for one in periods]


def test_a_month_in_berlin_begins_at_its_midnight() -> None:
    march = period_at(MONTHLY, utc("2026-03-16T12:00"))
    assert (march.key, march.whole_days, march.partial) == ("2026-03", 31, False)
    assert (march.start, march.end) == (utc("2026-02-28T23:00"), utc("2026-03-31T22:00"))
    assert march.start.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("year", "starts"),
    [(2026, ["01-31", "02-28", "03-31", "04-30"]), (2028, ["01-31", "02-29", "03-31", "04-30"])],
)
def test_the_last_day_of_a_short_month_serves_day_31(year: int, starts: list[str]) -> None:
    monthly = Calendar(every="month", day=31, at="09:00")
    period = period_at(monthly, utc(f"{year}-01-31T09:00"))
    for begins in starts:
        assert period.start == utc(f"{year}-{begins}T09:00")
        assert period.key == f"{year}-{begins[:2]}"
        period = period_at(monthly, period.end)


def test_weeks_are_named_by_the_week_or_by_their_first_day() -> None:
    at = utc("2026-03-12T10:00")
    assert period_at(Calendar(every="week"), at).key == "2026-W11"
    assert period_at(Claim(every="week"), at).key == "2026-W11"
    assert period_at(Calendar(every="week", day=4), at).key == "2026-03-12"
    assert period_at(Calendar(every="week"), utc("2027-01-02T00:00")).key == "2026-W53"
    assert period_at(Calendar(every="day"), at).key == "2026-03-12"


def test_an_hour_that_is_skipped_moves_forward_and_one_that_comes_twice_is_the_first() -> None:
    daily = Calendar(every="day", at="02:30", zone="Europe/Berlin")
    assert period_at(daily, utc("2026-03-29T12:00")).start == utc("2026-03-29T01:30")
    assert period_at(daily, utc("2026-03-30T12:00")).start == utc("2026-03-30T00:30")
    assert period_at(daily, utc("2026-10-25T12:00")).start == utc("2026-10-25T00:30")


def test_a_date_that_a_zone_left_out_has_no_period() -> None:
    daily = Calendar(every="day", zone="Pacific/Apia")
    before = period_at(daily, utc("2011-12-29T20:00"))
    after = period_at(daily, before.end)
    assert (before.key, after.key) == ("2011-12-29", "2011-12-31")
    assert before.whole_days == after.whole_days == 1


def test_the_first_period_is_the_one_that_contains_the_start() -> None:
    now = utc("2026-05-02T00:00")
    due = periods_after(MONTHLY, None, utc("2026-03-16T00:00"), now)
    assert [one.key for one in due] == ["2026-03", "2026-04", "2026-05"]
    assert not any(one.partial for one in due)


def test_nothing_is_due_before_the_start() -> None:
    starts, now = utc("2026-03-16T00:00"), utc("2026-03-10T00:00")
    assert periods_after(MONTHLY, None, starts, now) == []
    assert upcoming(MONTHLY, None, starts, now).key == "2026-03"


def test_what_is_paid_is_not_due_again() -> None:
    april = utc("2026-03-31T22:00")
    starts = utc("2026-01-01T00:00")
    assert periods_after(MONTHLY, april, starts, april - timedelta(seconds=1)) == []
    assert [one.key for one in periods_after(MONTHLY, april, starts, april)] == ["2026-04"]
    assert upcoming(MONTHLY, april, starts, april).key == "2026-05"
    assert upcoming(MONTHLY, april, starts, utc("2026-01-15T00:00")).key == "2026-04"


def test_after_a_change_of_schedule_the_first_period_is_partial() -> None:
    to_the_15th = Calendar(every="month", day=15, zone="Europe/Berlin")
    due = periods_after(
        to_the_15th, utc("2026-03-31T22:00"), utc("2026-01-01T00:00"), utc("2026-05-20T00:00")
    )
    assert spans(due) == [
        ("2026-03-31T22:00Z", utc("2026-03-31T22:00"), utc("2026-04-14T22:00")),
        ("2026-04", utc("2026-04-14T22:00"), utc("2026-05-14T22:00")),
        ("2026-05", utc("2026-05-14T22:00"), utc("2026-06-14T22:00")),
    ]
    assert [(one.partial, one.whole_days) for one in due] == [(True, 31), (False, 30), (False, 31)]


def test_a_sliver_of_a_day_belongs_to_the_period_after_it() -> None:
    later = Calendar(every="month", at="22:00", zone="Europe/Berlin")
    due = periods_after(
        later, utc("2026-03-31T22:00"), utc("2026-01-01T00:00"), utc("2026-05-20T00:00")
    )
    assert spans(due) == [
        ("2026-03-31T22:00Z", utc("2026-03-31T22:00"), utc("2026-05-01T20:00")),
        ("2026-05", utc("2026-05-01T20:00"), utc("2026-06-01T20:00")),
    ]
    assert (due[0].partial, due[0].whole_days) == (True, 30)


def test_of_too_many_the_newest_are_kept() -> None:
    daily = Calendar(every="day")
    due = periods_after(daily, None, utc("1980-01-01T00:00"), utc("2026-01-03T12:00"), most=3)
    assert [one.key for one in due] == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_what_is_missed_is_paid_as_the_program_says() -> None:
    daily = Calendar(every="day")
    now = utc("2026-03-04T05:00")
    due = periods_after(daily, utc("2026-03-01T00:00"), utc("2026-01-01T00:00"), now)
    keys = [[[one.key[-2:] for one in part] for part in choose(due, how, now, 6)]
            for how in ("all", "latest", "skip")]  # fmt: skip
    assert keys == [
        [["01", "02", "03", "04"], []],
        [["04"], ["01", "02", "03"]],
        [["04"], ["01", "02", "03"]],
    ]
    late = now + timedelta(hours=2)
    assert choose(due, "skip", late, 6) == ([], due)
    assert choose([], "latest", now, 6) == ([], [])


@settings(max_examples=300, deadline=None)
@given(calendars, instants)
def test_regular_periods_follow_each_other_and_contain_what_they_are_asked_for(
    schedule, instant
) -> None:
    period = period_at(schedule, instant)
    assert period.start <= instant < period.end
    keys = {period.key}
    for _ in range(15):
        following = period_at(schedule, period.end)
        assert following.start == period.end < following.end
        assert period_at(schedule, following.end - timedelta(microseconds=1)) == following
        assert following.whole_days >= 1
        assert following.key not in keys
        keys.add(following.key)
        period = following


@settings(max_examples=200, deadline=None)
@given(calendars, instants)
def test_a_period_begins_at_its_hour_unless_the_clocks_were_changed(schedule, instant) -> None:
    period = period_at(schedule, instant)
    _, at = local(period.start, schedule.zone)
    wanted = getattr(schedule, "at", "00:00")
    _, before = local(period.start - timedelta(days=1), schedule.zone)
    assert at.strftime("%H:%M") == wanted or at != before


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(calendars, st.integers(0, 200)), min_size=2, max_size=8), instants)
def test_periods_never_overlap_or_leave_a_gap_however_often_the_schedule_changes(
    changes, starts
) -> None:
    """Each schedule is run for a while, from where the one before has paid."""
    paid, now = [], starts
    for schedule, days in changes:
        now += timedelta(days=days, hours=7)
        until = paid[-1].end if paid else None
        due = periods_after(schedule, until, starts, now)
        following = upcoming(schedule, until, starts, now)
        assert following.start > now
        assert all(one.start <= now for one in due)
        if due:
            assert following.start == due[-1].end
            assert due[-1].end > now
        paid += due
    assert paid
    assert paid[0].start <= starts < paid[0].end
    for one, other in pairwise(paid):
        assert one.start < one.end == other.start

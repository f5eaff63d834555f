"""Rolling cycles: nothing drifts, nothing is owed twice, and a short interval is kept apart."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bursar.programs.model import Rolling
from bursar.programs.rolling import (
    Cycle,
    begin,
    decide,
    grace_end,
    interval_days,
    key_of,
    occurrence,
    retier,
)
from bursar.programs.zones import local, local_date
from tests.programs.test_periods import hours, instants, zones

EVERY_30 = Rolling(days=30, days_by_tier={"gold": 10}, zone="Europe/Berlin")
schedules = st.builds(
    Rolling,
    days=st.integers(1, 400),
    at=st.none() | hours,
    zone=zones,
    at_once=st.booleans(),
)
refresh_days = st.none() | st.integers(1, 31)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ANCHOR = utc("2026-01-10T08:30")


def settle(schedule, cycle, now, **how):
    """Decide with the usual terms."""
    terms = {
        "tier": None,
        "refresh_day": None,
        "last_award_at": None,
        "catch_up": "latest",
        "late_hours": 6,
    }
    return decide(schedule, cycle, now, **(terms | how))


def test_occurrences_keep_the_local_hour_through_a_change_of_clocks() -> None:
    dues = [occurrence(EVERY_30, ANCHOR, n, 30, None) for n in range(5)]
    assert dues == [
        ANCHOR,
        utc("2026-02-09T08:30"),
        utc("2026-03-11T08:30"),
        utc("2026-04-10T07:30"),
        utc("2026-05-10T07:30"),
    ]
    assert key_of(EVERY_30, dues[3]) == "2026-04-10"


def test_an_hour_of_the_schedule_replaces_the_anchors() -> None:
    at_nine = Rolling(days=30, at="09:00", zone="Europe/Berlin")
    assert occurrence(at_nine, ANCHOR, 1, 30, None) == utc("2026-02-09T08:00")
    at_once = Rolling(days=30, at="09:00", at_once=True, zone="Europe/Berlin")
    assert begin(at_once, ANCHOR, None, None, ANCHOR) == Cycle(ANCHOR, 0, ANCHOR)


@pytest.mark.parametrize(
    ("refresh_day", "dates"),
    [
        (31, ["2026-01-31", "2026-02-28", "2026-03-31"]),
        (15, ["2026-01-15", "2026-02-15", "2026-03-15"]),
        (10, ["2026-02-10", "2026-03-10", "2026-04-10"]),
        (1, ["2026-02-01", "2026-03-01", "2026-04-01"]),
    ],
)
def test_a_refresh_day_is_that_day_of_each_month(refresh_day: int, dates: list[str]) -> None:
    found = [occurrence(EVERY_30, ANCHOR, n, 30, refresh_day) for n in (1, 2, 3)]
    assert [key_of(EVERY_30, one) for one in found] == dates


def test_a_program_does_not_owe_what_lies_before_it() -> None:
    cycle = begin(EVERY_30, utc("1990-01-01T00:00"), None, None, utc("2026-03-01T00:00"))
    assert utc("2026-03-01T00:00") <= cycle.due_at < utc("2026-03-31T00:00")
    assert cycle.due_at == occurrence(EVERY_30, cycle.anchor, cycle.n, 30, None)
    assert begin(EVERY_30, ANCHOR, None, None, ANCHOR).n == 1
    assert begin(EVERY_30, ANCHOR, None, None, utc("2026-02-09T08:30")).n == 1
    assert begin(EVERY_30, ANCHOR, None, None, utc("2026-02-09T08:31")).n == 2


def test_nothing_is_due_before_its_time() -> None:
    cycle = begin(EVERY_30, ANCHOR, None, None, ANCHOR)
    dues = settle(EVERY_30, cycle, cycle.due_at - timedelta(seconds=1))
    assert (dues.pay, dues.missed, dues.next, dues.wait_until) == ((), (), cycle, None)
    assert settle(EVERY_30, cycle, cycle.due_at).pay == (cycle.due_at,)


@pytest.mark.parametrize(
    ("catch_up", "late", "paid"),
    [("all", 5, [1, 2, 3]), ("latest", 50, [3]), ("skip", 5, [3]), ("skip", 7, [])],
)
def test_what_was_missed_is_paid_as_the_program_says(catch_up, late: int, paid) -> None:
    cycle = begin(EVERY_30, ANCHOR, None, None, ANCHOR)
    all_due = [occurrence(EVERY_30, ANCHOR, n, 30, None) for n in (1, 2, 3)]
    dues = settle(EVERY_30, cycle, all_due[2] + timedelta(hours=late), catch_up=catch_up)
    assert list(dues.pay) == [all_due[n - 1] for n in paid]
    assert sorted(dues.pay + dues.missed) == all_due
    assert dues.next == Cycle(ANCHOR, 4, occurrence(EVERY_30, ANCHOR, 4, 30, None))


def test_of_too_many_the_newest_are_looked_at() -> None:
    daily = Rolling(days=1)
    cycle = begin(daily, utc("1990-01-01T00:00"), None, None, utc("1990-01-01T00:00"))
    dues = settle(daily, cycle, utc("2026-03-03T12:00"), catch_up="all", most=3)
    assert [key_of(daily, one) for one in dues.pay] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert dues.next.due_at == utc("2026-03-04T00:00")


def test_an_award_too_soon_after_the_last_waits_and_stays_due() -> None:
    apart = Rolling(days=28, minimum_days=29)
    cycle = begin(apart, ANCHOR, None, None, ANCHOR)
    for catch_up in ("all", "latest", "skip"):
        how = {"last_award_at": ANCHOR, "catch_up": catch_up}
        waiting = settle(apart, cycle, cycle.due_at, **how)
        assert (waiting.pay, waiting.missed, waiting.next) == ((), (), cycle)
        assert waiting.wait_until == ANCHOR + timedelta(days=29)
        paid = settle(apart, waiting.next, waiting.wait_until, **how)
        assert (paid.pay, paid.wait_until) == ((cycle.due_at,), None)
        assert paid.next.due_at == ANCHOR + timedelta(days=56)
    late = settle(apart, cycle, ANCHOR + timedelta(days=30), last_award_at=ANCHOR, catch_up="skip")
    assert (late.pay, late.missed) == ((), (cycle.due_at,))


def test_all_pays_several_at_once_although_they_are_kept_apart() -> None:
    apart = Rolling(days=30, minimum_days=29)
    cycle = begin(apart, ANCHOR, None, None, ANCHOR)
    now = ANCHOR + timedelta(days=91)
    assert len(settle(apart, cycle, now, last_award_at=ANCHOR, catch_up="all").pay) == 3


def test_grace_ends_so_many_days_after_the_occurrence_before_but_not_in_the_next() -> None:
    terms = {"tier": None, "refresh_day": None}
    cycle = begin(EVERY_30, ANCHOR, None, None, utc("2026-03-20T00:00"))
    assert grace_end(EVERY_30, cycle, **terms) is None
    graced = Rolling(days=30, grace_days=31, zone="Europe/Berlin")
    assert grace_end(graced, cycle, **terms) == utc("2026-04-11T07:30")
    endless = Rolling(days=30, grace_days=300, zone="Europe/Berlin")
    assert grace_end(endless, cycle, **terms) == utc("2026-05-10T07:30")
    tight = Rolling(days=30, grace_days=3, zone="Europe/Berlin")
    assert grace_end(tight, cycle, **terms) == cycle.due_at
    first = begin(graced, ANCHOR, None, None, ANCHOR)
    assert grace_end(graced, first, **terms) == utc("2026-02-10T08:30")


def test_another_tiers_interval_counts_from_the_last_occurrence() -> None:
    assert (interval_days(EVERY_30, "gold"), interval_days(EVERY_30, "tin")) == (10, 30)
    first = begin(EVERY_30, ANCHOR, None, None, ANCHOR)
    assert retier(EVERY_30, first, "gold", None) == Cycle(ANCHOR, 1, utc("2026-01-20T08:30"))
    fourth = begin(EVERY_30, ANCHOR, None, None, utc("2026-05-01T00:00"))
    changed = retier(EVERY_30, fourth, "gold", None)
    assert changed == Cycle(utc("2026-04-10T07:30"), 1, utc("2026-04-20T07:30"))
    assert retier(EVERY_30, changed, None, None).due_at == fourth.due_at


def test_a_tier_of_the_same_interval_a_refresh_day_or_an_award_at_once_change_nothing() -> None:
    cycle = begin(EVERY_30, ANCHOR, None, None, utc("2026-05-01T00:00"))
    assert retier(EVERY_30, cycle, "tin", None) == cycle
    assert retier(EVERY_30, cycle, "gold", 15) == cycle
    at_once = Cycle(ANCHOR, 0, ANCHOR)
    assert retier(EVERY_30, at_once, "gold", None) == at_once


@settings(max_examples=200, deadline=None)
@given(schedules, instants, refresh_days, st.lists(st.integers(0, 2000), max_size=12))
def test_however_late_it_is_settled_nothing_drifts_and_each_occurrence_is_settled_once(
    schedule, anchor, refresh_day, waits
) -> None:
    cycle = begin(schedule, anchor, None, refresh_day, anchor)
    settled, now = [], anchor
    for days in waits:
        now += timedelta(days=days, hours=5)
        dues = settle(schedule, cycle, now, refresh_day=refresh_day, catch_up="all", most=10**5)
        assert not dues.missed
        assert all(one <= now for one in dues.pay)
        assert dues.next.due_at > now
        settled += dues.pay
        cycle = dues.next
    expected = dict.fromkeys(
        occurrence(schedule, anchor, n, schedule.days, refresh_day)
        for n in range(0 if schedule.at_once else 1, cycle.n)
    )
    assert settled == list(expected)
    keys = [key_of(schedule, one) for one in settled]
    assert len(set(keys)) == len(keys)


@settings(max_examples=200, deadline=None)
@given(schedules, instants, st.integers(1, 2000))
def test_an_occurrence_is_whole_days_from_the_anchor_at_the_same_hour(schedule, anchor, n) -> None:
    due = occurrence(schedule, anchor, n, schedule.days, None)
    begins, hour = local(anchor, schedule.zone)
    days = (local_date(due, schedule.zone) - begins).days - n * schedule.days
    assert days in ({0, 1} if schedule.zone == "Pacific/Apia" else {0})
    wanted = hour.replace(tzinfo=None) if schedule.at is None else schedule.at
    shown = local(due, schedule.zone)[1]
    shown_text = shown if schedule.at is None else shown.strftime("%H:%M")
    _, day_before = local(due - timedelta(days=1), schedule.zone)
    assert shown_text == wanted or shown != day_before


@settings(max_examples=200, deadline=None)
@given(schedules, instants, refresh_days, st.integers(-5000, 40_000))
def test_the_first_occurrence_is_found_without_counting(
    schedule, anchor, refresh_day, days
) -> None:
    not_before = anchor + timedelta(days=days)
    cycle = begin(schedule, anchor, None, refresh_day, not_before)
    assert cycle.due_at == occurrence(schedule, anchor, cycle.n, schedule.days, refresh_day)
    assert cycle.due_at >= not_before
    first = 0 if schedule.at_once else 1
    assert cycle.n >= first
    assume(cycle.n > first)
    before = occurrence(schedule, anchor, cycle.n - 1, schedule.days, refresh_day)
    assert before < not_before

"""Claims: one a day, a streak that goes on, breaks, or is forgiven."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.platform.expressions import Environment
from bursar.programs.model import Claim, Streak
from bursar.programs.streaks import Outage, StreakState, claim, claim_for_day
from bursar.programs.zones import MIDNIGHT, instant_of, local_date
from tests.programs.test_periods import instants, zones

DAILY = Claim()
FROZEN = Claim(streak=Streak(freezes=2, freeze_days=7))
GRACED = Claim(streak=Streak(grace_days=1))
FIVE = StreakState(5, date(2026, 3, 10))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def march(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_the_first_claim_is_a_streak_of_one() -> None:
    claimed = claim(DAILY, StreakState(), march(10), [])
    assert (claimed.length, claimed.already, claimed.period.key) == (1, False, "2026-03-10")
    assert claimed.state == StreakState(1, date(2026, 3, 10))
    assert claimed.next_available_at == march(11, 0)


def test_a_claim_on_the_day_after_continues_the_streak() -> None:
    assert claim(DAILY, FIVE, march(11, 0), []).length == 6


def test_an_older_claim_breaks_the_streak() -> None:
    assert claim(DAILY, FIVE, march(12, 0), []).state == StreakState(1, date(2026, 3, 12))


@pytest.mark.parametrize("day", [10, 9, 1])
def test_a_day_already_claimed_or_before_it_changes_nothing(day: int) -> None:
    terms = Claim(streak=Streak(milestones={5: 900}))
    claimed = claim_for_day(terms, FIVE, date(2026, 3, day), [])
    assert (claimed.already, claimed.length, claimed.state) == (True, 5, FIVE)
    assert (claimed.milestone, claimed.frozen_days) == (0, 0)
    assert claimed.next_available_at == march(day + 1, 0)


def test_the_day_is_the_one_of_the_zone() -> None:
    berlin = Claim(zone="Europe/Berlin")
    late = claim(berlin, StreakState(), utc("2026-03-10T23:30"), [])
    assert late.state.last_day == date(2026, 3, 11)
    assert late.next_available_at == utc("2026-03-11T23:00")


def test_days_of_23_and_25_hours_are_days() -> None:
    berlin = Claim(zone="Europe/Berlin")
    for first in (utc("2026-03-27T23:30"), utc("2026-10-23T22:30")):
        state, now = StreakState(), first
        for length in range(1, 5):
            claimed = claim(berlin, state, now, [])
            assert claimed.length == length
            state, now = claimed.state, claimed.next_available_at


def test_a_date_that_the_zone_left_out_is_not_missed() -> None:
    apia = Claim(zone="Pacific/Apia")
    state = StreakState(3, date(2011, 12, 29))
    assert claim_for_day(apia, state, date(2011, 12, 31), []).length == 4


def test_weeks_are_counted_from_monday() -> None:
    weekly = Claim(every="week")
    first = claim(weekly, StreakState(), march(15), [])
    assert (first.state.last_day, first.period.key) == (date(2026, 3, 9), "2026-W11")
    assert first.next_available_at == march(16, 0)
    assert claim(weekly, first.state, march(12), []).already
    assert claim(weekly, first.state, march(16, 0), []).length == 2
    assert claim(weekly, first.state, march(23, 0), []).length == 1
    graced = Claim(every="week", streak=Streak(grace_days=1))
    assert claim(graced, first.state, march(23, 0), []).length == 2
    assert claim(graced, first.state, march(30, 0), []).length == 1


def test_a_missed_day_spends_a_freeze() -> None:
    claimed = claim(FROZEN, FIVE, march(12), [])
    assert (claimed.length, claimed.frozen_days) == (6, 1)
    assert claimed.state.frozen == (date(2026, 3, 11),)


def test_freezes_forgive_all_that_was_missed_or_nothing() -> None:
    assert claim(FROZEN, FIVE, march(13), []).frozen_days == 2
    broken = claim(FROZEN, FIVE, march(14), [])
    assert (broken.length, broken.frozen_days, broken.state.frozen) == (1, 0, ())


def test_a_freeze_comes_back_when_its_days_are_over() -> None:
    used = (date(2026, 3, 5), date(2026, 3, 6))
    for day, length in ((11, 1), (12, 1), (13, 6)):
        # Missed is the day before; the window of 7 days ends on it.
        state = StreakState(5, date(2026, 3, day - 2), used)
        claimed = claim(FROZEN, state, march(day), [])
        assert claimed.length == length, day
    assert claimed.state.frozen == (date(2026, 3, 12),)


def test_a_broken_streak_does_not_give_freezes_back() -> None:
    state = StreakState(5, date(2026, 3, 10), (date(2026, 3, 8), date(2026, 3, 9)))
    broken = claim(FROZEN, state, march(12), [])
    assert (broken.length, broken.state.frozen) == (1, state.frozen)


def test_a_claim_within_grace_continues_the_streak() -> None:
    assert claim(GRACED, FIVE, march(12), []).length == 6
    assert claim(GRACED, FIVE, march(13), []).length == 1


def test_grace_comes_before_freezes() -> None:
    both = Claim(streak=Streak(grace_days=1, freezes=1))
    assert claim(both, FIVE, march(12), []).frozen_days == 0
    claimed = claim(both, FIVE, march(13), [])
    assert (claimed.length, claimed.state.frozen) == (6, (date(2026, 3, 11),))
    assert claim(both, FIVE, march(14), []).length == 1


def test_days_that_an_outage_touches_are_not_missed() -> None:
    outage = Outage(utc("2026-03-11T23:59"), utc("2026-03-13T00:01"))
    assert claim(DAILY, FIVE, march(14), [outage]).length == 6
    assert claim(DAILY, FIVE, march(15), [outage]).length == 1
    assert claim(FROZEN, FIVE, march(15), [outage]).state.frozen == (date(2026, 3, 14),)
    within = Outage(utc("2026-03-11T00:00"), utc("2026-03-12T00:00"))
    assert claim(DAILY, FIVE, march(12), [within]).length == 6
    assert claim(DAILY, FIVE, march(13), [within]).length == 1
    elsewhere = Outage(utc("2026-03-12T00:00"), utc("2026-03-12T10:00"))
    assert claim(DAILY, FIVE, march(12), [elsewhere]).length == 1


def test_a_milestone_is_for_the_claim_that_reaches_it() -> None:
    terms = Claim(streak=Streak(milestones={6: 900}))
    assert claim(terms, FIVE, march(11), []).milestone == 900
    assert claim(terms, FIVE, march(12), []).milestone == 0


def test_the_amounts_of_eighteen_days() -> None:
    formula = "streak >= 18 ? 10000 : 1000 + (streak - 1) * 500"
    amount = Environment({"streak": "int"}).compile(formula, answers="int", where="amount")
    state, paid = StreakState(), []
    for day in range(1, 20):
        claimed = claim(DAILY, state, march(day), [])
        paid.append(amount.evaluate({"streak": claimed.length}))
        state = claimed.state
    assert paid == [
        *(1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000),
        *(5500, 6000, 6500, 7000, 7500, 8000, 8500, 9000),
        *(10_000, 10_000),
    ]


@settings(max_examples=200, deadline=None)
@given(zones, instants, st.sampled_from(["day", "week"]), st.integers(2, 40))
def test_who_claims_in_every_period_has_a_streak_as_long(zone, first, every, times) -> None:
    schedule = Claim(every=every, zone=zone)
    state, now = StreakState(), first
    for length in range(1, times + 1):
        claimed = claim(schedule, state, now, [])
        assert (claimed.length, claimed.already) == (length, False)
        assert claimed.period.start <= now < claimed.period.end == claimed.next_available_at
        last = claimed.next_available_at - timedelta(microseconds=1)
        assert claim(schedule, claimed.state, last, []).already
        state, now = claimed.state, claimed.next_available_at


@settings(max_examples=200, deadline=None)
@given(
    zones,
    instants,
    st.builds(
        Streak, freezes=st.integers(0, 3), freeze_days=st.integers(1, 12),
        grace_days=st.integers(0, 2),
    ),
    st.lists(st.integers(1, 6), max_size=20),
)  # fmt: skip
def test_a_streak_goes_on_exactly_while_what_is_missed_is_forgiven(
    zone, first, terms, gaps
) -> None:
    schedule = Claim(zone=zone, streak=terms)
    day = local_date(first, zone)
    state = claim_for_day(schedule, StreakState(), day, []).state
    spent: list[date] = []
    for gap in gaps:
        day += timedelta(days=gap)
        claimed = claim_for_day(schedule, state, day, [])
        if claimed.length > 1:
            assert claimed.length == state.length + 1
        newly = claimed.state.frozen[len(claimed.state.frozen) - claimed.frozen_days :]
        spent += newly
        window = timedelta(days=terms.freeze_days)
        for one in spent:
            assert sum(one - window < other <= one for other in spent) <= terms.freezes
        start = instant_of(day, MIDNIGHT, zone)
        covered = [Outage(start - timedelta(days=gap + 2), start)]
        assert claim_for_day(schedule, state, day, covered).length == state.length + 1
        state = claimed.state

"""When a delivery is tried again, and when no more (N3)."""

import pytest

from bursar.notices.model import DeliveryState, Outcome
from bursar.notices.sending.backoff import MOST_TRIES, PAUSES_S, Verdict, judge

_DAY_MS = 24 * 3_600 * 1_000


def failed(tries: int, *, swing: int = 0, retry_after_s: int | None = None) -> Verdict:
    return judge(Outcome(outcome="failed", retry_after_s=retry_after_s), tries, swing)


def test_pauses_grow_from_seconds_to_a_day_and_end_after_three_days() -> None:
    pauses = [failed(tries).pause_ms // 1_000 for tries in range(1, MOST_TRIES)]
    assert pauses == [5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 86400]
    assert pauses == sorted(pauses)
    assert 3 * 86_400 < sum(pauses) < 4 * 86_400


def test_a_pause_swings_by_a_fifth_and_no_more() -> None:
    base_ms = PAUSES_S[3] * 1_000
    assert failed(4, swing=-200).pause_ms == base_ms * 8 // 10
    assert failed(4, swing=200).pause_ms == base_ms * 12 // 10
    assert failed(4, swing=5_000) == failed(4, swing=200)
    assert failed(4, swing=-5_000) == failed(4, swing=-200)


def test_the_other_side_may_ask_for_more_time_but_for_no_more_than_a_day() -> None:
    assert failed(1, retry_after_s=90).pause_ms == 90_000
    assert failed(1, retry_after_s=10**9).pause_ms == _DAY_MS
    assert failed(4, retry_after_s=1) == failed(4), "nor for less than it would get"
    assert failed(4, retry_after_s=-60) == failed(4)


def test_what_waits_says_what_the_last_try_has_come_to() -> None:
    outcome = Outcome(outcome="failed", detail="connect: refused")
    assert judge(outcome, 1, 0).note == "connect: refused"


def test_after_the_last_try_it_is_parked_whatever_was_asked_for() -> None:
    parked = Verdict(DeliveryState.PARKED, "given up after 13 tries")
    assert failed(MOST_TRIES, retry_after_s=90) == parked
    assert failed(MOST_TRIES - 1).state is DeliveryState.WAITING


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome(outcome="sent"), Verdict(DeliveryState.SENT)),
        (Outcome(outcome="refused", status=554), Verdict(DeliveryState.PARKED, "refused")),
        (Outcome(outcome="bounced", status=550), Verdict(DeliveryState.DROPPED, "bounced")),
        (
            Outcome(outcome="dropped", detail="no_address"),
            Verdict(DeliveryState.DROPPED, "no_address"),
        ),
        (Outcome(outcome="dropped"), Verdict(DeliveryState.DROPPED, "dropped")),
    ],
)
@pytest.mark.parametrize("tries", [1, MOST_TRIES])
def test_what_is_settled_is_not_tried_again(outcome: Outcome, verdict: Verdict, tries: int) -> None:
    assert judge(outcome, tries, 0) == verdict

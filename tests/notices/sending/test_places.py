"""Which places are given how much, and which are let rest."""

from bursar.notices.model import Outcome
from bursar.notices.sending.places import LONGEST_REST_S, PATIENCE, Places

SENT = Outcome(outcome="sent")
FAILED = Outcome(outcome="failed")


def attempt(places: Places, place: int, outcome: Outcome | None, now: int = 0) -> None:
    places.begin(place)
    places.end(place, outcome, now)


def test_a_place_has_its_width_less_what_is_under_way() -> None:
    places = Places(3)
    assert places.room(0) == {}
    for left in (2, 1, 0):
        places.begin(7)
        assert places.room(0) == {7: left}
    places.end(7, SENT, 0)
    assert places.room(0) == {7: 1}


def test_who_has_just_failed_is_tried_one_at_a_time_until_it_takes_one() -> None:
    places = Places(3)
    attempt(places, 7, FAILED)
    assert places.room(0) == {7: 1}
    places.begin(7)
    assert places.room(0) == {7: 0}
    places.end(7, SENT, 0)
    assert places.room(0) == {}


def test_who_fails_again_and_again_rests_longer_and_longer_up_to_a_minute() -> None:
    places, now, rests = Places(3), 0, []
    for _ in range(PATIENCE - 1):
        attempt(places, 7, FAILED, now)
        assert places.room(now) == {7: 1}
    for _ in range(9):
        attempt(places, 7, FAILED, now)
        began = now
        while places.room(now) == {7: 0}:
            now += 1
        rests.append(now - began)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    attempt(places, 7, SENT, now)
    assert places.room(now) == {}, "one that is taken ends the trouble"


def test_who_asks_for_time_is_given_a_minute_of_it() -> None:
    places = Places(3)
    attempt(places, 7, Outcome(outcome="failed", status=429, retry_after_s=20), 100)
    assert places.room(119) == {7: 0}
    assert places.room(120) == {7: 1}
    attempt(places, 7, Outcome(outcome="failed", status=429, retry_after_s=86_400), 120)
    assert places.room(120 + LONGEST_REST_S) == {7: 1}


def test_what_says_nothing_about_a_place_changes_nothing() -> None:
    places = Places(3)
    attempt(places, 7, FAILED)
    attempt(places, 7, None)
    assert places.room(0) == {7: 1}
    attempt(places, 7, Outcome(outcome="refused"))
    assert places.room(0) == {}, "a place that refuses is there"


def test_the_mail_server_never_rests() -> None:
    places = Places(8)
    for _ in range(50):
        attempt(places, 0, FAILED)
    assert places.room(0) == {}

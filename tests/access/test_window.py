"""The window against a list of what was given when."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.access.window import Unused, Window, give, pack, unpack

SECOND = 1_000_000


def test_a_whole_minutes_worth_may_be_had_at_once_and_comes_back_after_a_minute():
    start = 1_000 * SECOND + 300_000
    full = give(Window(0), start, 3, [1, 1, 1])
    assert (full.waits_us, full.left) == ((None, None, None), 0)
    refused = give(full.window, start + 59 * SECOND, 3, [1])
    assert refused.waits_us == (SECOND + 700_000,)
    again = give(refused.window, start + 59 * SECOND + 1_700_000, 3, [3])
    assert again.waits_us == (None,)


def test_what_does_not_fit_takes_nothing_and_smaller_ones_may_fit():
    done = give(Window(0), SECOND, 5, [4, 3, 1])
    assert [wait is None for wait in done.waits_us] == [True, False, True]
    assert (done.left, done.spare) == (0, 0)


def test_a_portion_is_topped_up_and_what_is_not_used_is_given_back():
    first = give(Window(0), SECOND, 100, [1], portion=10)
    assert (first.spare, first.left) == (9, 90)
    second = give(
        first.window, 2 * SECOND, 100, [1], portion=10, unused=Unused(first.window.second, 9)
    )
    assert (second.spare, second.left) == (9, 89)
    late = give(first.window, 90 * SECOND, 100, [1], unused=Unused(first.window.second, 9))
    assert late.left == 99


def test_the_last_of_the_limit_makes_no_whole_portion():
    assert give(Window(0), SECOND, 5, [1], portion=10).spare == 4


def test_a_clock_that_goes_back_stands_still():
    first = give(Window(0), 100 * SECOND, 2, [2])
    assert give(first.window, 50 * SECOND, 2, [1]).waits_us[0] is not None
    assert give(first.window, 161 * SECOND, 2, [1]).waits_us[0] is None


def test_a_lower_limit_counts_what_was_given_under_the_higher():
    first = give(Window(0), SECOND, 100, [60])
    lower = give(first.window, SECOND, 10, [1])
    assert (lower.left, lower.waits_us) == (0, (61 * SECOND,))


def test_a_window_is_kept_as_it_is():
    window = give(Window(0), 77 * SECOND, 2**30, [1, 2**29]).window
    assert unpack(window.second, pack(window)) == window


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 2 * SECOND), st.integers(0, 90 * SECOND)),
        st.lists(st.integers(1, 4), min_size=1, max_size=4),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.integers(4, 12))
def test_no_minute_has_more_than_the_limit_and_none_is_refused_what_61_seconds_leave(steps, limit):
    """The model is a list of (when, how much)."""
    window, now, log = Window(0), 1_700_000_000 * SECOND, []
    for passed, costs in steps:
        now += passed
        done = give(window, now, limit, costs)
        for cost, wait in zip(costs, done.waits_us, strict=True):
            minute = sum(n for at, n in log if now - at <= 60 * SECOND)
            longer = sum(n for at, n in log if now - at < 62 * SECOND)
            if wait is None:
                assert minute + cost <= limit
                log.append((now, cost))
            else:
                assert longer + cost > limit
                assert 0 < wait <= 61 * SECOND
        window = done.window
        counted = sum(n for at, n in log if at // SECOND > now // SECOND - 61)
        assert done.left == limit - counted
        for cost, wait in zip(costs, done.waits_us, strict=True):
            if wait is not None:
                assert give(window, now + wait, limit, [cost]).waits_us == (None,)
                assert give(window, now + wait - 1, limit, [cost]).waits_us != (None,)
        if log:
            grown = give(window, now + done.reset_us, limit, [], portion=0)
            assert grown.left > done.left or done.left == limit

"""First refresh dates are spread evenly over the whole cycle (H3)."""

from collections import Counter

import pytest

from bursar.holders.stagger import offset_days
from bursar.platform.errors import Invalid


@pytest.mark.parametrize("ids", ["user-{}", "{}", "a{:08}", "{0}@example.org"])
@pytest.mark.parametrize("cycle", [7, 30, 31, 365])
def test_every_day_of_the_cycle_gets_its_share(ids: str, cycle: int) -> None:
    count = 100_000
    days = Counter(offset_days(ids.format(i), cycle) for i in range(count))
    share = count / cycle
    assert set(days) == set(range(cycle))
    assert all(abs(days[day] - share) < 6 * share**0.5 for day in range(cycle))


def test_the_day_depends_on_the_id_and_the_salt_alone() -> None:
    assert [offset_days(f"u{i}", 30) for i in range(5)] == [
        offset_days(f"u{i}", 30) for i in range(5)
    ]
    salted = [offset_days(f"u{i}", 30, "other") for i in range(100)]
    assert salted != [offset_days(f"u{i}", 30) for i in range(100)]
    assert offset_days("bc", 3_000, "a") != offset_days("c", 3_000, "ab")


@pytest.mark.parametrize("cycle", [0, -1, 3_661, True, 1.5, "30"])
def test_a_cycle_is_a_whole_number_of_days(cycle: int) -> None:
    with pytest.raises(Invalid):
        offset_days("a", cycle)

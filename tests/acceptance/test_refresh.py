"""The refresh: credits every thirty days by tier, on a day of each holder's own (E).

A year over real subscribers, against a plain reckoning; and the plan's own figures.
"""

from datetime import timedelta

import pytest

from tests.acceptance.churn import IMPORTED, Subscriber, moments, year_of
from tests.acceptance.naive_refresh import reckon
from tests.acceptance.people import imported, reported
from tests.acceptance.world import World, at, example


def looks_of_the_year() -> list:
    """Noon of every day, but for four days in March and for the whole of August."""
    noons = [at(2026, 1, 1, 12) + timedelta(days=day) for day in range(365)]
    away = [(at(2026, 3, 28), at(2026, 4, 1)), (at(2026, 8, 1), at(2026, 9, 4))]
    return [noon for noon in noons if not any(first <= noon < last for first, last in away)]


@pytest.mark.slow
async def test_a_year_of_real_subscribers_gives_what_a_plain_reckoning_gives(
    world: World, subscribers: list[Subscriber]
) -> None:
    happenings = year_of(subscribers)
    looks = looks_of_the_year()
    world.to(IMPORTED)
    await world.apply(example("refresh", ('on_tier_change = "difference_now"\n', "")))
    await world.enrol(imported(subscribers))
    for moment in sorted({*looks, *moments()}):
        world.to(moment)
        changes = [reported(one) for one in happenings if one.at == moment]
        if changes:
            await world.enrol(changes)
        if moment in looks:
            await world.work()

    expected = reckon(subscribers, happenings, looks)
    sums = {name: sum(a.amount for a in given) for name, given in expected.items() if given}
    assert world.balances() == sums
    for one in subscribers[::97]:
        assert world.entries(one.name) == [
            (f"refresh:{award.due:%Y-%m-%d}", award.amount) for award in expected[one.name]
        ]
    await world.assert_sound(given=sum(sums.values()))

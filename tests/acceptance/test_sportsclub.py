"""The sports club: 50,000 a month to active, verified subscribers, the first month shared out (A).

A year over real subscribers, against a plain reckoning; and the plan's own figures.
"""

from datetime import timedelta

import pytest

from tests.acceptance.churn import IMPORTED, Subscriber, moments, year_of
from tests.acceptance.naive_sportsclub import AMOUNT, london_midnight, reckon
from tests.acceptance.people import imported, reported
from tests.acceptance.world import World, at, example


def looks_of_the_year() -> list:
    """The start of each month and every moment of the year, but for two times of three days.

    In them, over the first days of February and of September, the worker is away.
    """
    away = [
        (begins, begins + timedelta(days=3))
        for begins in (london_midnight(at(2026, month, 1).date()) for month in (2, 9))
    ]
    starts = [london_midnight(at(2026, month, 1).date()) for month in range(1, 13)]
    looks = [
        look
        for look in (*starts, *moments())
        if not any(first <= look < last for first, last in away)
    ]
    return sorted({*looks, *(last for _, last in away)})


@pytest.mark.slow
async def test_a_year_of_real_subscribers_gives_what_a_plain_reckoning_gives(
    world: World, subscribers: list[Subscriber]
) -> None:
    happenings = year_of(subscribers)
    looks = looks_of_the_year()
    world.to(IMPORTED)
    await world.apply(example("sportsclub"))
    await world.enrol(imported(subscribers))
    for moment in sorted({*looks, *moments()}):
        world.to(moment)
        changes = [reported(one) for one in happenings if one.at == moment]
        if changes:
            await world.enrol(changes)
        if moment in looks:
            await world.work()

    expected = reckon(subscribers, happenings, looks)
    assert world.balances() == {name: sum(given) for name, given in expected.items() if given}
    for one in subscribers[::97]:
        assert [amount for _, amount in world.entries(one.name)] == expected[one.name]
    shares = [amount for given in expected.values() for amount in given if amount != AMOUNT]
    assert len(shares) > 500, "hardly anybody joined within a month"
    await world.assert_sound(given=sum(map(sum, expected.values())))

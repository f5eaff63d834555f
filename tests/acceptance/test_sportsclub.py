"""The sports club: 50,000 a month to active, verified subscribers, the first month shared out (A).

A year over real subscribers, against a plain reckoning; and the plan's own figures.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from bursar.holders.model import HolderChange
from tests.acceptance.churn import IMPORTED, Subscriber, moments, year_of
from tests.acceptance.naive_sportsclub import AMOUNT, london_midnight, reckon
from tests.acceptance.people import import_subscribers, reported
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
    world: World, subscribers: list[Subscriber], tmp_path: Path
) -> None:
    happenings = year_of(subscribers)
    looks = looks_of_the_year()
    world.to(IMPORTED)
    await world.apply(example("sportsclub"))
    await import_subscribers(world, tmp_path, subscribers)
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


async def test_a_spring_of_three_members_goes_as_the_plan_says(world: World) -> None:
    """Ada all along; bo subscribes on the 3rd, is verified on the 16th; cy leaves and returns."""
    world.to(at(2026, 2, 10))
    await world.apply(example("sportsclub", ("starts = 2026-01-01", "starts = 2026-03-01")))
    await world.enrol(
        [
            HolderChange("ada", verified=True, subscription_start=at(2026, 2, 1)),
            HolderChange("cy", verified=True, subscription_start=at(2025, 7, 9)),
        ]
    )
    story = {
        at(2026, 3, 3, 9): HolderChange("bo", subscription_start=at(2026, 3, 3, 9)),
        at(2026, 3, 10, 9): HolderChange("cy", status="canceled"),
        at(2026, 3, 16, 9): HolderChange("bo", verified=True),
        at(2026, 3, 20, 9): HolderChange("cy", status="active"),
        at(2026, 4, 4, 9): HolderChange("bo", status="canceled"),
        at(2026, 4, 29, 9): HolderChange("cy", status="canceled"),
        at(2026, 5, 4, 9): HolderChange("bo", status="active"),
    }
    for moment, change in story.items():
        await world.run_until(moment)
        await world.enrol([change])
        await world.work()
    await world.run_until(at(2026, 6, 2))

    months = [f"monthly:2026-{month:02}" for month in range(3, 7)]
    assert world.entries("ada") == [(month, AMOUNT) for month in months]
    assert world.entries("bo") == [
        (months[0], 25_806),  # 16 of 31 days
        (months[1], AMOUNT),
        (months[3], AMOUNT),  # back in May, which had begun: from June on
    ]
    assert world.entries("cy") == [(month, AMOUNT) for month in months[:2]]
    await world.assert_sound(given=8 * AMOUNT + 25_806)

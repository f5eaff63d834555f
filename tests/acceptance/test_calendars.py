"""Dates in a running system: short months, leap years, changed clocks, late runs, downtime (P1, P9).

The economies are the examples with another schedule; a worker wakes when something is due.
"""

from datetime import UTC, datetime, timedelta

import pytest

from bursar.holders.model import HolderChange
from bursar.programs.model import Override
from tests.acceptance.world import World, at, example

MONTHLY = 'schedule = { every = "month", day = 1, at = "00:00" }'
LONDON = 'time_zone = "Europe/London"'
CLUB = 50_000


def club(schedule: str, zone: str = "UTC", *more: tuple[str, str]) -> str:
    """The sports club on another schedule, in another zone."""
    return example(
        "sportsclub",
        (MONTHLY, f"schedule = {schedule}"),
        (LONDON, f'time_zone = "{zone}"'),
        ("starts = 2026-01-01", "starts = 2026-01-01\ncatch_up = 'all'"),
        *more,
    )


def member(name: str, since: datetime, tier: str = "free") -> HolderChange:
    """An active, verified subscriber."""
    return HolderChange(name, created_at=since, subscription_start=since, verified=True, tier=tier)


async def opened(world: World, text: str, now: datetime, *changes: HolderChange) -> None:
    world.to(now)
    await world.apply(text)
    await world.enrol(changes)


def starts(world: World, program: str = "monthly") -> list[str]:
    """When the periods taken up began, in UTC."""
    return [f"{start:%Y-%m-%d %H:%M}" for start, _, _ in world.periods(program)]


def assert_neither_gap_nor_overlap(world: World, program: str = "monthly") -> None:
    periods = world.periods(program)
    assert [end for _, end, _ in periods[:-1]] == [start for start, _, _ in periods[1:]]


async def test_the_last_day_serves_the_thirty_first_through_a_leap_year(world: World) -> None:
    text = club('{ every = "month", day = 31, at = "09:30" }', "UTC",
                ("starts = 2026-01-01", "starts = 2027-12-31"))  # fmt: skip
    await opened(world, text, at(2027, 12, 31), member("ada", at(2027, 6, 1)))
    await world.run_until(at(2028, 12, 31))
    assert starts(world) == [
        f"{day} 09:30"
        for day in (
            "2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30",
            "2028-05-31", "2028-06-30", "2028-07-31", "2028-08-31", "2028-09-30", "2028-10-31",
            "2028-11-30",
        )
    ]  # fmt: skip
    assert_neither_gap_nor_overlap(world)
    assert [amount for _, amount in world.entries("ada")] == [CLUB] * 13
    await world.assert_sound(given=13 * CLUB)


async def test_february_has_its_own_number_of_days_to_share(world: World) -> None:
    """From the 16th: 13 of 28 in 2026, 14 of 29 in 2028; from its last day one of them."""
    for year, days in ((2026, 28), (2028, 29)):
        await opened(world, club('{ every = "month" }'), at(year, 2, 1))
        await world.work()
        for day in (16, days):
            world.to(at(year, 2, day, 12))
            await world.enrol([member(f"{year}-{day}", world.now)])
            await world.work()
        assert world.entries(f"{year}-16") == [(f"monthly:{year}-02", CLUB * (days - 15) // days)]
        assert world.entries(f"{year}-{days}") == [(f"monthly:{year}-02", CLUB // days)]
    assert CLUB * 13 // 28 == 23_214

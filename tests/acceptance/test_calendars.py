"""Dates in a running system: short months, leap years, changed clocks, late runs (P1, P4).

The sports club on other schedules; a worker wakes when something is due.
"""

from datetime import datetime, timedelta

import pytest

from bursar.holders.model import HolderChange
from tests.acceptance.world import World, at, example

MONTHLY = 'schedule = { every = "month", day = 1, at = "00:00" }'
LONDON = 'time_zone = "Europe/London"'
CLUB = 50_000


def club(schedule: str, zone: str = "UTC", starts: str = "2026-01-01") -> str:
    """The sports club on another schedule, in another zone."""
    return example(
        "sportsclub",
        (MONTHLY, f"schedule = {schedule}"),
        (LONDON, f'time_zone = "{zone}"'),
        ("starts = 2026-01-01", f"starts = {starts}"),
    )


def member(name: str, since: datetime) -> HolderChange:
    """An active, verified subscriber."""
    return HolderChange(name, created_at=since, subscription_start=since, verified=True)


async def opened(world: World, text: str, now: datetime) -> None:
    """Put the club in force; ada has been a member for a year."""
    world.to(now)
    await world.apply(text)
    await world.enrol([member("ada", now - timedelta(days=365))])


def starts_of_periods(world: World) -> list[str]:
    """When the periods taken up began, in UTC; they neither overlap nor leave a gap."""
    periods = world.periods("monthly")
    assert [end for _, end, _ in periods[:-1]] == [start for start, _, _ in periods[1:]]
    return [f"{start:%Y-%m-%d %H:%M}" for start, _, _ in periods]


async def test_the_last_day_serves_the_thirty_first_through_a_leap_year(world: World) -> None:
    text = club('{ every = "month", day = 31, at = "09:30" }', starts="2027-12-31")
    await opened(world, text, at(2027, 12, 30))
    await world.run_until(at(2028, 12, 31))
    assert starts_of_periods(world) == [
        f"{day} 09:30"
        for day in (
            "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31",
            "2028-06-30", "2028-07-31", "2028-08-31", "2028-09-30", "2028-10-31", "2028-11-30",
        )
    ]  # fmt: skip
    assert [amount for _, amount in world.entries("ada")] == [CLUB] * 12
    await world.assert_sound(given=12 * CLUB)


@pytest.mark.parametrize(
    ("month", "day", "share"),
    [
        ((2026, 1), 31, 50_000 // 31),
        ((2026, 2), 16, 23_214),  # 13 of 28
        ((2026, 2), 28, 1_785),
        ((2028, 2), 16, 24_137),  # 14 of 29
        ((2028, 2), 29, 1_724),
        ((2026, 3), 16, 25_806),  # 16 of 31, the plan's own figure
        ((2026, 4), 1, 50_000),
        ((2026, 4), 30, 1_666),
    ],
)
async def test_a_month_is_shared_out_by_its_own_days(
    world: World, month: tuple[int, int], day: int, share: int
) -> None:
    await opened(world, club('{ every = "month" }', starts=f"{at(*month, 1):%Y-%m-%d}"),
                 at(*month, 1))  # fmt: skip
    await world.work()
    world.to(at(*month, day, 12))
    await world.enrol([member("bo", world.now)])
    await world.work()
    following = world.periods("monthly")[0][1]
    await world.run_until(following + timedelta(hours=1))
    assert [amount for _, amount in world.entries("bo")] == [share, CLUB]
    await world.assert_sound(given=3 * CLUB + share)


async def test_a_day_keeps_its_run_when_the_clocks_skip_its_hour_or_show_it_twice(
    world: World,
) -> None:
    text = club('{ every = "day", at = "01:30" }', "Europe/London", "2026-03-27")
    await opened(world, text, at(2026, 3, 26))
    await world.run_until(at(2026, 10, 28))
    starts = starts_of_periods(world)
    assert starts[:5] == [
        "2026-03-27 01:30",
        "2026-03-28 01:30",
        "2026-03-29 01:30",  # there is no half past one: it is half past two, in summer time
        "2026-03-30 00:30",
        "2026-03-31 00:30",
    ]
    assert starts[-4:] == [
        "2026-10-24 00:30",
        "2026-10-25 00:30",  # the first of two
        "2026-10-26 01:30",
        "2026-10-27 01:30",
    ]
    days = (at(2026, 10, 27) - at(2026, 3, 26)).days
    assert [r for r, _ in world.entries("ada")] == [
        f"monthly:{at(2026, 3, 26) + timedelta(days=n):%Y-%m-%d}" for n in range(1, days + 1)
    ]
    await world.assert_sound(given=days * CLUB)


async def test_a_year_ends_in_its_own_zone_and_its_last_week_is_the_53rd(world: World) -> None:
    await opened(
        world, club('{ every = "week" }', "America/New_York", "2026-12-21"), at(2026, 12, 20)
    )
    await world.run_until(at(2027, 1, 12))
    assert starts_of_periods(world) == [
        f"{day} 05:00" for day in ("2026-12-21", "2026-12-28", "2027-01-04", "2027-01-11")
    ]
    assert [reference for reference, _ in world.entries("ada")] == [
        f"monthly:{week}" for week in ("2026-W52", "2026-W53", "2027-W01", "2027-W02")
    ]
    await world.assert_sound(given=4 * CLUB)


async def test_a_new_year_of_the_zone_divides_december_from_january(world: World) -> None:
    """Who joins at eleven in New York's New Year's Eve joins in December, whatever UTC says."""
    await opened(
        world, club('{ every = "month" }', "America/New_York", "2026-12-01"), at(2026, 12, 2)
    )
    await world.work()
    world.to(at(2027, 1, 1, 4))
    await world.enrol([member("bo", world.now)])
    await world.work()
    await world.run_until(at(2027, 1, 2))
    assert world.entries("bo") == [("monthly:2026-12", CLUB // 31), ("monthly:2027-01", CLUB)]
    await world.assert_sound(given=3 * CLUB + CLUB // 31)


@pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=1), timedelta(days=3)])
async def test_a_late_worker_gives_what_a_punctual_one_gives(world: World, late: timedelta) -> None:
    await opened(world, club('{ every = "month" }', "Europe/London"), at(2025, 12, 31))
    joined = [at(2026, 2, 1, 9), at(2026, 3, 16, 9), at(2026, 6, 20, 9), at(2026, 9, 2, 9)]
    for n, since in enumerate(joined):
        await world.run_until(since, late=late)
        await world.enrol([member(f"m{n}", since)])
        world.to(since + late)
        await world.work()
    await world.run_until(at(2026, 12, 31), late=late)
    assert [amount for _, amount in world.entries("ada")] == [CLUB] * 12
    given = {f"m{n}": [amount for _, amount in world.entries(f"m{n}")] for n in range(len(joined))}
    assert given == {
        "m0": [CLUB] * 11,
        "m1": [25_806, *[CLUB] * 9],
        "m2": [CLUB * 11 // 30, *[CLUB] * 6],
        "m3": [CLUB * 29 // 30, *[CLUB] * 3],
    }
    starts = [start.replace(tzinfo=None) for start, _, _ in world.periods("monthly")]
    assert len(starts) == 12
    assert {start.hour for start in starts} == {0, 23}
    await world.assert_sound(given=12 * CLUB + sum(map(sum, given.values())))


async def test_a_run_at_the_hour_of_a_short_day_follows_nothing_that_came_late(
    world: World,
) -> None:
    """However late each run is, the next is where the calendar has it."""
    await opened(world, club('{ every = "month", day = 31, at = "23:59" }', starts="2026-01-31"),
                 at(2026, 1, 1))  # fmt: skip
    await world.run_until(at(2027, 3, 30), late=timedelta(days=20))
    assert [start[5:] for start in starts_of_periods(world)] == [
        f"{day} 23:59"
        for day in (
            "01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30",
            "10-31", "11-30", "12-31", "01-31", "02-28",
        )
    ]  # fmt: skip
    await world.assert_sound(given=14 * CLUB)

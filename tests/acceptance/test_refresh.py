"""The refresh: credits every thirty days by tier, on a day of each holder's own (E).

A year over real subscribers, against a plain reckoning; and the plan's own figures.
"""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bursar.holders.model import HolderChange
from bursar.programs.model import Override
from tests.acceptance.churn import IMPORTED, Subscriber, moments, year_of
from tests.acceptance.naive_refresh import reckon
from tests.acceptance.people import import_subscribers, reported
from tests.acceptance.world import World, at, example


def looks_of_the_year() -> list:
    """Noon of every day, but for four days in March and for the whole of August."""
    noons = [at(2026, 1, 1, 12) + timedelta(days=day) for day in range(365)]
    away = [(at(2026, 3, 28), at(2026, 4, 1)), (at(2026, 8, 1), at(2026, 9, 4))]
    return [noon for noon in noons if not any(first <= noon < last for first, last in away)]


@pytest.mark.slow
async def test_a_year_of_real_subscribers_gives_what_a_plain_reckoning_gives(
    world: World, subscribers: list[Subscriber], tmp_path: Path
) -> None:
    happenings = year_of(subscribers)
    looks = looks_of_the_year()
    world.to(IMPORTED)
    await world.apply(example("refresh"))
    await import_subscribers(world, tmp_path, subscribers)
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
            (
                f"refresh:{award.due:%Y-%m-%d}" + (f":{award.tier}" if award.difference else ""),
                award.amount,
            )
            for award in expected[one.name]
        ]
    assert sum(award.difference for given in expected.values() for award in given) > 100
    await world.assert_sound(given=sum(sums.values()))


FREE, PRO = 1_000, 20_000
BEGIN = at(2026, 1, 1, 8)
PLAIN = example("refresh", ("stagger = true\n", ""))
"""Without the spread: the first refresh is thirty days from the creation of the account."""


async def opened(world: World, text: str, *changes: HolderChange) -> None:
    """Put the refresh in force and let these sign up."""
    world.to(BEGIN)
    await world.apply(text)
    await world.enrol(changes)
    await world.work()


def days_of(world: World, holder: str) -> list[str]:
    """The dates of a holder's refreshes."""
    return [reference.removeprefix("refresh:") for reference, _ in world.entries(holder)]


def every_thirty_days(times: int, first: datetime = BEGIN) -> list[str]:
    return [f"{first + timedelta(days=30 * n):%Y-%m-%d}" for n in range(1, times + 1)]


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=1), timedelta(hours=23)])
async def test_each_tier_has_its_amount_every_thirty_days_however_late(
    world: World, late: timedelta
) -> None:
    """Over two years and a leap day no occurrence moves."""
    await opened(world, PLAIN, HolderChange("ada", tier="free"), HolderChange("bo", tier="pro"))
    await world.run_until(BEGIN + timedelta(days=30 * 27 + 1), late=late)
    assert days_of(world, "ada") == days_of(world, "bo") == every_thirty_days(27)
    assert world.balances() == {"ada": 27 * FREE, "bo": 27 * PRO}
    await world.assert_sound(given=27 * (FREE + PRO))


async def test_a_tier_that_the_table_lacks_is_given_nothing_and_told_why(world: World) -> None:
    await opened(world, PLAIN, HolderChange("ada", tier="gold"), HolderChange("bo"))
    await world.run_until(BEGIN + timedelta(days=62))
    assert world.balances() == {}
    [upcoming] = await world.programs.next_grants("ada")
    assert (upcoming.amount, upcoming.reason) == (0, "no_amount")
    await world.enrol([HolderChange("ada", tier="free")])
    await world.run_until(BEGIN + timedelta(days=91))
    assert days_of(world, "ada") == every_thirty_days(3)[2:]
    await world.assert_sound(given=FREE)


async def test_first_dates_are_spread_evenly_over_the_whole_cycle(world: World) -> None:
    """Three thousand who came at once are due on thirty days, about a hundred on each."""
    names = [f"user-{n}" for n in range(3_000)]
    await opened(world, example("refresh"), *(HolderChange(n, tier="free") for n in names))
    await world.run_until(BEGIN + timedelta(days=30))
    days = Counter(day for name in names for day in days_of(world, name))
    assert sorted(days) == [f"{BEGIN + timedelta(days=n):%Y-%m-%d}" for n in range(1, 31)]
    assert 60 < min(days.values()) <= max(days.values()) < 140
    await world.assert_sound(given=3_000 * FREE)


async def test_a_subscription_mended_within_the_grace_is_refreshed_and_one_later_waits(
    world: World,
) -> None:
    """Due on day 30: on day 31 at the latest, else on day 60."""
    names = ("in_time", "too_late", "canceled")
    await opened(world, PLAIN, *(HolderChange(name, tier="pro") for name in names))
    await world.run_until(BEGIN + timedelta(days=29))
    fails = [HolderChange(n, status="past_due") for n in names[:2]]
    await world.enrol([*fails, HolderChange("canceled", status="canceled")])
    due = BEGIN + timedelta(days=30)
    await world.run_until(due + timedelta(hours=12))
    assert world.balances() == {}
    await world.enrol([HolderChange("in_time", status="active")])
    await world.run_until(due + timedelta(hours=14))
    assert world.balances() == {"in_time": PRO}
    await world.run_until(due + timedelta(hours=25))
    await world.enrol([HolderChange("too_late", status="active")])
    await world.run_until(due + timedelta(days=29))
    assert world.balances() == {"in_time": PRO}
    await world.run_until(due + timedelta(days=30))
    assert days_of(world, "in_time") == every_thirty_days(2)
    assert days_of(world, "too_late") == every_thirty_days(2)[1:]
    assert world.balances() == {"in_time": 2 * PRO, "too_late": PRO}
    kept = world.rows(
        "select i.external_id, x.reason from bursar.run_exclusions x"
        " join bursar.holder_ids i using (holder_id) group by 1, 2 order by 1"
    )
    assert kept == [(name, "subscription") for name in sorted(names)]
    await world.assert_sound(given=3 * PRO)


async def test_a_paused_holder_is_left_out_and_goes_on_with_their_own_dates(world: World) -> None:
    await opened(world, PLAIN, HolderChange("ada", tier="free"), HolderChange("bo", tier="free"))
    said = {"actor": "test:owner", "reason": "under review"}
    await world.programs.set_override("refresh", "ada", Override(paused=True), **said)
    await world.run_until(BEGIN + timedelta(days=95))
    await world.programs.set_override("refresh", "ada", Override(), **said)
    await world.run_until(BEGIN + timedelta(days=151))
    assert days_of(world, "bo") == every_thirty_days(5)
    assert days_of(world, "ada") == every_thirty_days(5)[3:]
    await world.assert_sound(given=7 * FREE)


async def test_a_custom_amount_is_given_in_place_of_the_tiers(world: World) -> None:
    await opened(world, PLAIN, HolderChange("ada", tier="free"), HolderChange("bo"))
    for name, amount in (("ada", 7_500), ("bo", 12)):
        await world.programs.set_override(
            "refresh", name, Override(amount=amount), actor="test:owner", reason="agreed"
        )
    await world.run_until(BEGIN + timedelta(days=61))
    assert world.balances() == {"ada": 15_000, "bo": 24}
    [upcoming] = await world.programs.next_grants("ada")
    assert (upcoming.amount, upcoming.at) == (7_500, BEGIN + timedelta(days=90))
    await world.assert_sound(given=15_024)


async def test_a_refresh_day_is_kept_in_months_that_lack_it_but_not_within_29_days(
    world: World,
) -> None:
    """The 31st: on the 28th of February, and then 31 days later; never twice within 29 days."""
    await opened(world, PLAIN, HolderChange("ada", tier="free"))
    await world.run_until(BEGIN + timedelta(days=31))
    assert days_of(world, "ada") == ["2026-01-31"]
    await world.programs.set_override(
        "refresh", "ada", Override(refresh_day=31), actor="test:owner", reason="asked for"
    )
    await world.run_until(at(2026, 7, 1))
    assert days_of(world, "ada") == [
        "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30",
    ]  # fmt: skip
    given = world.rows(
        "select (effective_at at time zone 'UTC')::date::text from bursar.entries order by seq"
    )
    # 28 days after the last it is too soon: it waits a day
    assert [day for (day,) in given][:3] == ["2026-01-31", "2026-03-01", "2026-03-31"]
    await world.assert_sound(given=6 * FREE)


async def test_whoever_signs_up_later_has_a_cycle_of_their_own(world: World) -> None:
    await opened(world, PLAIN, HolderChange("ada", tier="free"))
    later = BEGIN + timedelta(days=45, hours=3)
    await world.run_until(later)
    await world.enrol([HolderChange("bo", tier="pro")])
    await world.work()
    await world.run_until(BEGIN + timedelta(days=110))
    assert days_of(world, "ada") == every_thirty_days(3)
    assert days_of(world, "bo") == every_thirty_days(2, later)
    await world.assert_sound(given=3 * FREE + 2 * PRO)


async def test_a_higher_tier_brings_the_difference_at_once_and_a_lower_one_takes_nothing(
    world: World,
) -> None:
    await opened(world, PLAIN, *(HolderChange(n, tier="free") for n in ("ada", "new", "back")))
    await world.run_until(BEGIN + timedelta(days=10))
    await world.enrol([HolderChange("new", tier="pro")])  # who had nothing yet waits for the day
    await world.work()
    assert world.balances() == {}
    await world.run_until(BEGIN + timedelta(days=40))
    await world.enrol([HolderChange("ada", tier="pro"), HolderChange("back", tier="pro")])
    await world.work()
    assert world.balances() == {"ada": PRO, "new": PRO, "back": PRO}
    for tier in ("free", "pro", "free"):  # there and back again pays no second time
        world.to(world.now + timedelta(days=1))
        await world.enrol([HolderChange("back", tier=tier)])
        await world.work()
    assert world.balances() == {"ada": PRO, "new": PRO, "back": PRO}
    assert world.entries("ada") == [
        ("refresh:2026-01-31", FREE),
        ("refresh:2026-01-31:pro", PRO - FREE),
    ]
    await world.run_until(BEGIN + timedelta(days=61))
    assert world.balances() == {"ada": 2 * PRO, "new": 2 * PRO, "back": PRO + FREE}
    await world.assert_sound(given=5 * PRO + FREE)


async def test_an_upgrade_on_the_day_of_the_refresh_is_not_paid_twice(world: World) -> None:
    """The worker comes late: the refresh is due, and the tier has changed meanwhile."""
    names = [f"user-{n}" for n in range(200)]
    await opened(world, PLAIN, *(HolderChange(name, tier="free") for name in names))
    await world.run_until(BEGIN + timedelta(days=31))
    world.to(BEGIN + timedelta(days=60, hours=1))
    await world.enrol([HolderChange(name, tier="pro") for name in names])
    await world.work()
    await world.work()
    assert set(world.balances().values()) == {FREE + PRO}
    await world.assert_sound(given=200 * (FREE + PRO))

"""After a downtime of more than three periods: all of them, the latest, or none (P9)."""

from datetime import timedelta

import pytest

from bursar.holders.model import HolderChange
from tests.acceptance.world import World, at, example

CLUB = 50_000


@pytest.mark.parametrize(
    ("policy", "member", "joiner", "skipped"),
    [
        # March, April, May and June are missed; the joiner is there from the 16th of April on
        ("all", [CLUB] * 4, [CLUB // 2, CLUB, CLUB], []),
        ("latest", [CLUB], [CLUB], [3, 4, 5]),
        ("skip", [], [], [3, 4, 5, 6]),
    ],
)
async def test_the_club_makes_good_what_its_policy_says(
    world: World, policy: str, member: list[int], joiner: list[int], skipped: list[int]
) -> None:
    text = example(
        "sportsclub", ("starts = 2026-01-01", f'starts = 2026-01-01\ncatch_up = "{policy}"')
    )
    world.to(at(2025, 12, 31))
    await world.apply(text)
    await world.enrol([HolderChange("ada", verified=True, subscription_start=at(2025, 3, 3))])
    await world.run_until(at(2026, 2, 10))
    world.to(at(2026, 4, 16, 12))  # the app goes on, the worker is away
    await world.enrol([HolderChange("bo", verified=True, subscription_start=world.now)])
    world.to(at(2026, 6, 11))
    await world.work()
    await world.work()
    assert [amount for _, amount in world.entries("ada")] == [CLUB, CLUB, *member]
    assert [amount for _, amount in world.entries("bo")] == joiner
    left_out = world.periods("monthly", "skipped")
    assert [(start + timedelta(hours=2)).month for start, _, _ in left_out] == skipped

    await world.run_until(at(2026, 7, 2))  # and everything goes on as if nothing had been
    assert [amount for _, amount in world.entries("ada")] == [CLUB, CLUB, *member, CLUB]
    assert [amount for _, amount in world.entries("bo")] == [*joiner, CLUB]
    await world.assert_sound(given=2 * CLUB + sum(member) + sum(joiner) + 2 * CLUB)


async def test_skip_pays_a_run_that_is_only_hours_late(world: World) -> None:
    text = example("sportsclub", ("starts = 2026-01-01", 'starts = 2026-01-01\ncatch_up = "skip"'))
    world.to(at(2025, 12, 31))
    await world.apply(text)
    await world.enrol([HolderChange("ada", verified=True, subscription_start=at(2025, 3, 3))])
    await world.run_until(at(2026, 2, 10), late=timedelta(hours=6))
    assert len(world.entries("ada")) == 2
    await world.run_until(at(2026, 3, 10), late=timedelta(hours=6, minutes=1))
    assert len(world.entries("ada")) == 2
    assert [state for _, _, state in world.periods("monthly")] == ["finished"] * 2 + ["skipped"]
    await world.assert_sound(given=2 * CLUB)


def refresh(policy: str) -> str:
    """The refresh without a spread, so that the first date is thirty days from the creation."""
    return example(
        "refresh", ("stagger = true\n", ""), ('catch_up = "latest"', f'catch_up = "{policy}"')
    )


@pytest.mark.parametrize(
    ("policy", "given"),
    [
        # due on day 30, 60, 90, 120; away from day 40 to day 135
        ("all", ["2026-01-31", "2026-03-02", "2026-04-01", "2026-05-01"]),
        ("latest", ["2026-01-31", "2026-05-01"]),
        ("skip", ["2026-01-31"]),
    ],
)
async def test_the_refresh_makes_good_what_its_policy_says(
    world: World, policy: str, given: list[str]
) -> None:
    world.to(at(2026, 1, 1, 8))
    await world.apply(refresh(policy))
    await world.enrol([HolderChange("ada", tier="free")])
    await world.work()
    await world.run_until(at(2026, 2, 10))
    world.to(at(2026, 5, 16))
    await world.work()
    assert world.entries("ada") == [(f"refresh:{day}", 1_000) for day in given]
    # the 31st of May is too soon after the 16th: it waits for the minimum of 29 days
    waits = policy != "skip"
    following = at(2026, 6, 14) if waits else at(2026, 5, 31, 8)
    assert await world.programs.next_due() == at(2026, 5, 31, 8)
    await world.run_until(following - timedelta(minutes=1))
    assert len(world.entries("ada")) == len(given)
    await world.run_until(following)
    assert world.entries("ada")[-1] == ("refresh:2026-05-31", 1_000)
    await world.assert_sound(given=1_000 * (len(given) + 1))


@pytest.mark.parametrize(
    ("policy", "amounts"),
    [
        ("all", [1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000]),
        ("latest", [1_000, 1_500, 1_000, 1_500]),  # the days left out break the streak
        ("skip", [1_000, 1_500, 1_000]),
    ],
)
async def test_the_arena_settles_the_days_that_its_policy_says(
    world: World, policy: str, amounts: list[int]
) -> None:
    """Two days settled, four missed, one more; everybody was there on each."""
    text = example(
        "arena",
        ('automatic = "logged_in"', 'automatic = "everybody"'),
        ("freezes = 1, freeze_days = 30", ""),
        ("starts = 2026-01-01\namount", f'starts = 2026-01-01\ncatch_up = "{policy}"\namount'),
    )
    players = [f"player-{n}" for n in range(50)]
    world.to(at(2026, 3, 1))
    await world.apply(text)
    await world.enrol([HolderChange(name) for name in players])
    await world.work()
    for day in (2, 3):
        world.to(at(2026, 3, day))
        await world.work()
    world.to(at(2026, 3, 7, 12))  # late for the 3rd to the 6th, twelve hours for the last
    await world.work()
    world.to(at(2026, 3, 8))
    await world.work()
    for name in players:
        assert [a for r, a in world.entries(name) if r.startswith("daily:")] == amounts
    await world.assert_sound(given=50 * (1_000 + sum(amounts)))


async def test_a_day_given_by_the_schedule_is_given_on_the_latest_day_only(world: World) -> None:
    """TippCoin after a long weekend: the bonus is for coming back, not for the days away."""
    world.to(at(2026, 3, 1))
    await world.apply(example("tippcoin"))
    await world.enrol([HolderChange("ada")])
    await world.work()
    world.to(at(2026, 3, 5, 9))
    await world.work()
    assert sorted(world.entries("ada")) == [
        ("bonus:daily:20260301", 50),
        ("bonus:daily:20260305", 50),
        ("bonus:signup", 50),
    ]
    await world.assert_sound(given=150)

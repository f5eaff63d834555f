"""The arena: 1,000 credits on signing up, a daily reward that grows with the streak, bets (D)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Credit, Debit, PlaceHold, Release, Status
from bursar.platform.errors import Rejected
from tests.acceptance.world import World, at, example

SIGNUP = 1_000
TABLE = [
    1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500, 5_000, 5_500, 6_000, 6_500, 7_000,
    7_500, 8_000, 8_500, 9_000, 10_000,
]  # fmt: skip
"""The plan's own table: what day n brings; the eighteenth and later are the last."""

BEGIN = at(2026, 2, 20)
BY_HAND_ALONE = example("arena", ('automatic = "logged_in"\n', ""))
AUTOMATIC_ALONE = example("arena", ("by_hand = true", "by_hand = false"))
NO_FREEZE = ("streak = { freezes = 1, freeze_days = 30 }", "streak = {}")


def rewards(days: Iterable[int]) -> int:
    """What these days of a streak bring."""
    return sum(TABLE[min(day, 18) - 1] for day in days)


async def opened(world: World, text: str, *names: str, start: datetime = BEGIN) -> None:
    """Put the arena in force and let players sign up, and be welcomed."""
    world.to(start)
    await world.apply(text)
    await world.enrol([HolderChange(name) for name in names])
    await world.work()


async def play(
    world: World,
    days: int,
    *,
    claims: dict[str, set[int]] | None = None,
    logins: dict[str, set[int]] | None = None,
) -> dict[str, list[int]]:
    """Let days go by: at midnight the worker looks in, in the evening players log in and claim.

    ``claims`` and ``logins`` are the days, from 1 on, on which each does. Whoever claims is not
    logged in by that: the app says so. Returns what the claims by hand brought.
    """
    brought: dict[str, list[int]] = {}
    first = world.now.replace(hour=0, minute=0)
    for day in range(1, days + 1):
        world.to(first + timedelta(days=day - 1, hours=19))
        here = {name: world.now for name, which in (logins or {}).items() if day in which}
        if here:
            await world.programs.holders.seen(here)
        for name, which in (claims or {}).items():
            if day in which:
                answer = await world.programs.claim("daily", name, actor="app")
                assert not answer.already
                brought.setdefault(name, []).append(answer.awarded)
        world.to(first + timedelta(days=day))
        await world.work()
    return brought


async def test_eighteen_days_and_more_bring_what_the_plan_says(world: World) -> None:
    await opened(world, example("arena"), "ada")
    brought = await play(world, 25, claims={"ada": set(range(1, 26))})
    assert brought["ada"] == TABLE + [10_000] * 7
    await world.assert_sound(given=SIGNUP + sum(brought["ada"]))


async def test_a_day_claimed_for_the_player_brings_what_a_claim_by_hand_brings(
    world: World,
) -> None:
    days = set(range(1, 26))
    await opened(world, example("arena"), "bo")
    assert await play(world, 25, logins={"bo": days}) == {}
    assert [amount for _, amount in world.entries("bo")] == [SIGNUP, *TABLE, *[10_000] * 7]
    dated = world.rows(
        "select (effective_at at time zone 'UTC')::date::text, reference from bursar.entries"
        " where source = 'daily' order by seq"
    )
    assert dated == [
        (f"{day:%Y-%m-%d}", f"daily:{day:%Y-%m-%d}")
        for day in (BEGIN + timedelta(days=n) for n in range(25))
    ]
    await world.assert_sound(given=SIGNUP + rewards(days))


async def test_some_days_by_hand_and_some_automatic_make_one_streak(world: World) -> None:
    days = set(range(1, 21))
    by_hand = {day for day in days if day % 3 == 0}
    await opened(world, example("arena"), "cy")
    brought = await play(world, 20, claims={"cy": by_hand}, logins={"cy": days})
    assert brought["cy"] == [TABLE[min(day, 18) - 1] for day in sorted(by_hand)]
    assert [a for _, a in world.entries("cy")][1:] == [TABLE[min(d, 18) - 1] for d in range(1, 21)]
    await world.assert_sound(given=SIGNUP + rewards(days))


async def test_who_claims_before_the_worker_has_settled_yesterday_keeps_the_streak(
    world: World,
) -> None:
    """Yesterday was played and not claimed; the worker has been away since the evening."""
    await opened(world, example("arena", NO_FREEZE), "ada")
    await play(world, 2, logins={"ada": {1, 2}})
    world.to(at(2026, 2, 22, 19))
    await world.programs.holders.seen({"ada": world.now})
    world.to(at(2026, 2, 23, 7))
    answer = await world.programs.claim("daily", "ada", actor="app")
    assert (answer.awarded, answer.streak) == (TABLE[3], 4)
    await world.work()
    assert [amount for _, amount in world.entries("ada")] == [SIGNUP, *TABLE[:4]]
    await world.assert_sound(given=SIGNUP + rewards(range(1, 5)))


async def test_the_second_claim_of_a_day_succeeds_and_brings_nothing(world: World) -> None:
    await opened(world, BY_HAND_ALONE, "ada")
    world.to(at(2026, 2, 20, 23, 59))
    first = await world.programs.claim("daily", "ada", actor="app")
    second = await world.programs.claim("daily", "ada", actor="app")
    assert (first.awarded, first.streak, first.next_available_at) == (1_000, 1, at(2026, 2, 21))
    assert (second.awarded, second.already, second.streak) == (0, True, 1)
    world.to(at(2026, 2, 21))  # a minute later it is another day
    third = await world.programs.claim("daily", "ada", actor="app")
    assert (third.awarded, third.streak) == (1_500, 2)
    await world.assert_sound(given=SIGNUP + 2_500)


async def test_a_streak_breaks_without_a_freeze_and_goes_on_with_one(world: World) -> None:
    """One missed day in thirty is forgiven; a second one within them, or two at once, is not."""
    missed = {
        "never": set(),
        "once": {5},
        "twice_at_once": {5, 6},
        "twice_in_thirty": {5, 20},
        "twice_in_forty": {5, 36},
    }
    days = set(range(1, 41))
    await opened(world, BY_HAND_ALONE, *missed)
    claims = {name: days - gone for name, gone in missed.items()}
    brought = await play(world, 40, claims=claims)
    expected = {
        "never": [*range(1, 41)],
        "once": [*range(1, 40)],
        "twice_at_once": [*range(1, 5), *range(1, 35)],
        "twice_in_thirty": [*range(1, 19), *range(1, 21)],
        "twice_in_forty": [*range(1, 39)],
    }
    for name, lengths in expected.items():
        assert brought[name] == [TABLE[min(length, 18) - 1] for length in lengths], name
    given = sum(map(rewards, expected.values())) + SIGNUP * len(missed)
    await world.assert_sound(given=given)


async def test_without_freezes_one_missed_day_begins_anew(world: World) -> None:
    text = example("arena", ('automatic = "logged_in"\n', ""), NO_FREEZE)
    await opened(world, text, "ada")
    brought = await play(world, 12, claims={"ada": set(range(1, 13)) - {8}})
    assert brought["ada"] == [*TABLE[:7], *TABLE[:4]]
    await world.assert_sound(given=SIGNUP + sum(brought["ada"]))


async def test_automatic_claims_are_for_whoever_logged_in_on_the_day(world: World) -> None:
    """Otherwise no streak could ever break."""
    await opened(world, example("arena", NO_FREEZE), "daily", "alternate", "never")
    logins = {"daily": set(range(1, 11)), "alternate": set(range(1, 11, 2)), "never": set()}
    await play(world, 10, logins=logins)
    assert world.balances() == {
        "daily": SIGNUP + rewards(range(1, 11)),
        "alternate": SIGNUP + 5 * TABLE[0],
        "never": SIGNUP,
    }
    await world.assert_sound(given=3 * SIGNUP + rewards(range(1, 11)) + 5 * TABLE[0])


async def test_a_switch_claims_for_everybody(world: World) -> None:
    text = example("arena", ('automatic = "logged_in"', 'automatic = "everybody"'))
    await opened(world, text, "ada", "bo")
    await play(world, 20)
    each = SIGNUP + rewards(range(1, 21))
    assert world.balances() == {"ada": each, "bo": each}
    await world.assert_sound(given=2 * each)


async def test_an_outage_on_record_breaks_no_streak_and_spends_no_freeze(world: World) -> None:
    """Days 5 to 7 could not be played; day 20 is missed, and the freeze is still there for it."""
    played = set(range(1, 31)) - {5, 6, 7, 20}
    await opened(world, BY_HAND_ALONE, "ada", "bo")
    brought = await play(world, 7, claims={"ada": played})
    world.to(at(2026, 2, 27, 1))
    await world.programs.declare_outage(
        at(2026, 2, 24, 6), at(2026, 2, 26, 23), actor="test:owner", reason="the network was down"
    )
    rest = await play(world, 23, claims={"ada": {day - 7 for day in played if day > 7}})
    assert brought["ada"] + rest["ada"] == [TABLE[min(day, 18) - 1] for day in range(1, 27)]
    assert [outage.reason for outage in await world.programs.outages()] == ["the network was down"]
    await world.assert_sound(given=2 * SIGNUP + rewards(range(1, 27)))


async def test_whoever_signs_up_after_the_day_is_not_claimed_for_on_it(world: World) -> None:
    text = example("arena", ('automatic = "logged_in"', 'automatic = "everybody"'))
    await opened(world, text, "ada")
    world.to(at(2026, 2, 21, 0, 1))  # the worker is a minute late, and somebody was quicker
    await world.enrol([HolderChange("bo")])
    await world.work()
    assert world.balances() == {"ada": SIGNUP + 1_000, "bo": SIGNUP}
    await world.assert_sound(given=2 * SIGNUP + 1_000)


async def test_nobody_claims_by_hand_where_that_is_not_offered(world: World) -> None:
    await opened(world, AUTOMATIC_ALONE, "ada")
    with pytest.raises(Rejected) as caught:
        await world.programs.claim("daily", "ada", actor="app")
    assert caught.value.code == "claim_not_offered"
    await world.assert_sound(given=SIGNUP)


async def test_bets_purchases_and_referrals_stand_beside_the_rewards(world: World) -> None:
    """A refused stake leaves nothing; stake and win of one bet have references of their own."""
    await opened(world, example("arena"), "ada", "bo")
    brought = await play(world, 3, claims={"ada": {1, 2, 3}})

    def bet(name: str, amount: int) -> PlaceHold:
        return PlaceHold(holder="ada", asset="credits", amount=amount, reference=f"stake:{name}")

    said = {"holder": "ada", "asset": "credits"}
    results = await world.post(
        [
            bet("won", 2_000),
            bet("refused", 10_000),
            bet("cancelled", 700),
            Debit(**said, amount=500, reference="stocks:1", source="stock_purchase"),
            Credit(
                **said, amount=5_000, kind="purchase", reference="pay:1", source="credit_purchase"
            ),
            Credit(**said, amount=200, reference="referral:bo", source="referral_bonus"),
            Release(**said, hold="stake:cancelled", reference="cancel:cancelled"),
            Release(**said, hold="stake:won", reference="settle:won"),
            Credit(**said, amount=3_800, kind="earn", reference="win:won", source="bet_won"),
        ]
    )
    assert [r.status for r in results] == [
        Status.APPLIED,
        Status.INSUFFICIENT_FUNDS,
        *[Status.APPLIED] * 7,
    ]
    given = SIGNUP + sum(brought["ada"]) + 5_000 + 200 + 3_800
    assert world.balances() == {"ada": given - 500, "bo": SIGNUP}
    totals = {
        (total.kind.value, total.source): total.amount
        for total in await world.ledger.totals(holder="ada", asset="credits")
        if total.amount
    }
    assert totals == {
        ("grant", "signup"): SIGNUP,
        ("grant", "daily"): sum(brought["ada"]),
        ("grant", "referral_bonus"): 200,
        ("purchase", "credit_purchase"): 5_000,
        ("earn", "bet_won"): 3_800,
        ("spend", "stock_purchase"): -500,
    }
    await world.assert_sound(given=given + SIGNUP, spent=500)

"""TippCoins: 50 on signing up, 50 a day by itself or on a claim, stakes and wins (C)."""

from collections import Counter
from datetime import timedelta

import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Credit, Debit, Status
from bursar.platform.errors import Rejected
from tests.acceptance.world import World, at, example

DAILY = 50
SIGNUP = 50


async def test_whoever_signs_up_is_welcomed_once_and_never_again(world: World) -> None:
    world.to(at(2026, 1, 1, 12))
    await world.apply(
        example("tippcoin", ("[programs.daily]", "[programs.daily]\nenabled = false"))
    )
    await world.enrol([HolderChange("ada")])
    for day in range(2, 30):
        await world.work()
        world.to(at(2026, 1, day))
    await world.enrol([HolderChange("ada", tier="gold"), HolderChange("bo", status="canceled")])
    await world.work()
    assert world.entries("ada") == [("bonus:signup", SIGNUP)]
    assert world.entries("bo") == [("bonus:signup", SIGNUP)]
    await world.assert_sound(given=2 * SIGNUP)


async def test_whoever_was_there_before_the_program_is_not_welcomed(world: World) -> None:
    world.to(at(2026, 1, 10))
    await world.enrol([HolderChange("old", created_at=at(2025, 6, 1))])
    await world.apply(example("tippcoin"))
    await world.enrol([HolderChange("new")])
    await world.work()
    assert world.entries("old") == [("bonus:daily:20260110", DAILY)]
    assert sorted(world.entries("new")) == [
        ("bonus:daily:20260110", DAILY),
        ("bonus:signup", SIGNUP),
    ]
    await world.assert_sound(given=SIGNUP + 2 * DAILY)


async def test_the_day_is_paid_once_between_the_schedule_and_the_claim(world: World) -> None:
    world.to(at(2026, 3, 1))
    await world.apply(example("tippcoin"))
    await world.enrol([HolderChange(name) for name in ("early", "late", "never")])
    world.to(at(2026, 3, 2, 3))
    first = await world.programs.claim("daily_claim", "early", actor="app")
    assert (first.awarded, first.already, first.balance) == (DAILY, False, DAILY)
    await world.work()  # the schedule comes three hours late
    again = await world.programs.claim("daily_claim", "early", actor="app")
    late = await world.programs.claim("daily_claim", "late", actor="app")
    assert (again.awarded, again.already) == (0, True)
    assert (late.awarded, late.already) == (0, True)
    assert late.next_available_at == at(2026, 3, 3)
    for name in ("early", "late", "never"):
        assert [r for r, _ in world.entries(name)].count("bonus:daily:20260302") == 1
    await world.assert_sound(given=3 * (SIGNUP + DAILY))


async def test_a_claim_alone_pays_who_asks_and_the_schedule_alone_pays_everybody(
    world: World,
) -> None:
    text = example("tippcoin", ("[programs.daily]", "[programs.daily]\nenabled = false"))
    world.to(at(2026, 3, 1))
    await world.apply(text)
    await world.enrol([HolderChange("asks"), HolderChange("waits")])
    await world.programs.claim("daily_claim", "asks", actor="app")
    world.to(at(2026, 3, 2, 12))
    await world.work()
    assert world.balances() == {"asks": SIGNUP + DAILY, "waits": SIGNUP}

    alone = "[programs.daily_claim]"
    await world.apply(example("tippcoin", (alone, f"{alone}\nenabled = false")))
    await world.work()
    assert world.balances() == {"asks": SIGNUP + 2 * DAILY, "waits": SIGNUP + DAILY}
    with pytest.raises(Rejected, match="switched off"):
        await world.programs.claim("daily_claim", "waits", actor="app")
    await world.assert_sound(given=2 * SIGNUP + 3 * DAILY)


@pytest.mark.slow
async def test_a_quarter_of_signups_bonuses_bets_and_departures_adds_up(world: World) -> None:
    """Bonuses, stakes and wins of forty players beside a plain book of what each must have."""
    players = [f"player-{n}" for n in range(40)]
    joined = {name: at(2027, 12, 30) + timedelta(days=n * 2, hours=n % 24)
              for n, name in enumerate(players)}  # fmt: skip
    leaves = {name: joined[name] + timedelta(days=20) for name in players[::5]}
    book: Counter[str] = Counter()
    paid: set[tuple[str, str]] = set()
    given = spent = bets = 0
    world.to(at(2027, 12, 30))
    await world.apply(example("tippcoin"))

    def owed(name: str, day: str) -> None:
        nonlocal given
        if (name, day) not in paid:
            paid.add((name, day))
            book[name] += DAILY
            given += DAILY

    for hour in range(0, 92 * 24, 6):  # over a year's end and a leap year's February
        now = at(2027, 12, 30) + timedelta(hours=hour)
        day = f"{now:%Y%m%d}"
        world.to(now)
        came = [name for name in players if joined[name] <= now < joined[name] + timedelta(hours=6)]
        gone = [n for n, when in leaves.items() if when <= now < when + timedelta(hours=6)]
        if came or gone:
            await world.enrol(
                [HolderChange(n) for n in came] + [HolderChange(n, status="canceled") for n in gone]
            )
        here = [n for n in players if joined[n] <= now and not (n in leaves and leaves[n] <= now)]
        book.update(dict.fromkeys(came, SIGNUP))
        given += SIGNUP * len(came)
        if now.hour == 0 and here and (hour // 24) % 3 == 0:  # some ask before the schedule comes
            asking = here[hour // 24 % len(here)]
            answer = await world.programs.claim("daily_claim", asking, actor="app")
            assert answer.awarded == DAILY
            owed(asking, day)
        await world.work()
        for name in here:
            owed(name, day)
        if now.hour == 18 and here:
            name = here[hour // 24 * 7 % len(here)]
            ticket, stake = f"ticket-{hour}", 60 + hour % 90
            [staked] = await world.post(
                [Debit(holder=name, asset="tippcoins", amount=stake, reference=f"stake:{ticket}")]
            )
            assert (staked.status is Status.APPLIED) == (book[name] >= stake)
            if staked.status is not Status.APPLIED:
                continue
            bets += 1
            book[name] -= stake
            spent += stake
            if hour // 24 % 3 == 1:
                win = Credit(
                    holder=name, asset="tippcoins", amount=2 * stake, kind="earn",
                    reference=f"win:{ticket}", source="bet_won",
                )  # fmt: skip
                assert [r.status for r in await world.post([win, win])] == [
                    Status.APPLIED,
                    Status.REPLAYED,
                ]
                book[name] += 2 * stake
                given += 2 * stake

    assert bets > 20
    assert ("player-0", "20280229") not in paid
    assert ("player-1", "20280229") in paid
    assert world.balances() == dict(book)
    await world.assert_sound(given=given, spent=spent)

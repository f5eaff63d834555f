"""A claim by hand before the automatic ones of the day that ended; outages (P22, P23)."""

from datetime import date, timedelta

import pytest

from bursar.holders import Holders
from bursar.ledger import Credit, LotTerms, PlaceHold
from bursar.platform.errors import Invalid, Rejected
from bursar.programs.model import Amount, Claim, Limits, Streak
from tests.programs.people import at, balance, enrol

LADDER = Amount(formula="streak * 100")


def daily(**said) -> Claim:
    return Claim(streak=Streak(), **said)


async def seen(programs, name: str, when) -> None:
    await Holders(programs.ledger).seen({name: when})


async def test_a_claim_after_midnight_settles_the_day_that_ended_first(
    programs, put, clock
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "ann", created_at=at(2026, 1, 1))
    await put("streak", schedule=daily(automatic="logged_in"), amount=LADDER, catch_up="all")
    await programs.claim("streak", "ann", actor="app")
    await seen(programs, "ann", clock(2026, 3, 2, 12))
    clock(2026, 3, 3, 0, 1)
    answer = await programs.claim("streak", "ann", actor="app")
    assert (answer.streak, answer.awarded) == (3, 300)
    assert await balance(programs, "ann") == 100 + 200 + 300
    await programs.do_all_due()
    await programs.do_all_due()
    assert await balance(programs, "ann") == 600
    settled = (await programs.history("ann"))[1]
    assert settled.at.date() == date(2026, 3, 2)
    assert (await programs.ledger.verify()).ok


async def test_a_day_without_a_login_is_not_settled_and_breaks_the_streak(
    programs, put, clock
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "ann", created_at=at(2026, 1, 1))
    await put("streak", schedule=daily(automatic="logged_in"), amount=LADDER, catch_up="all")
    await programs.claim("streak", "ann", actor="app")
    clock(2026, 3, 3, 0, 1)
    assert (await programs.claim("streak", "ann", actor="app")).streak == 1


async def test_an_outage_saves_streaks_and_what_expires_within_it(programs, put, clock) -> None:
    clock(2026, 3, 1)
    for name in ("ann", "bob", "eve"):
        await enrol(programs, name, created_at=at(2026, 1, 1))
    await put("streak", schedule=daily(), amount=LADDER)
    await programs.claim("streak", "ann", actor="app")
    ends = at(2026, 3, 2, 12)

    def lot(name: str, expires_at) -> Credit:
        terms = LotTerms(expires_at=expires_at)
        return Credit(holder=name, asset="coins", amount=70, reference="lot", lot=terms)

    hold = PlaceHold(
        holder="bob", asset="coins", amount=20, reference="hold", deadline=at(2026, 3, 2, 20)
    )
    commands = [lot("bob", at(2026, 3, 2, 18)), hold, lot("eve", ends), lot("ann", at(2026, 4, 1))]
    results = await programs.ledger.post(commands, actor="test", reason="test")
    assert all(result.ok for result in results)
    clock(2026, 3, 2, 15)
    declared = await programs.declare_outage(
        at(2026, 3, 2, 10), at(2026, 3, 2, 21), actor="ops", reason="network"
    )
    assert (declared.extended, declared.given_back, declared.amount) == (2, 1, 70)
    again = await programs.declare_outage(
        at(2026, 3, 2, 10), at(2026, 3, 2, 21), actor="ops", reason="network"
    )
    assert again.outage_id == declared.outage_id
    clock(2026, 3, 3, 7)
    assert (await programs.claim("streak", "ann", actor="app")).streak == 2
    assert await balance(programs, "eve") == 70
    bob = await programs.ledger.wallet("bob", "coins")
    assert (bob.balance, bob.held) == (70, 20)
    clock(2026, 3, 3, 9)
    await programs.ledger.sweep()
    assert await balance(programs, "bob") == 0
    assert await balance(programs, "eve") == 0
    assert (await programs.ledger.verify()).ok


@pytest.mark.parametrize("length", [timedelta(0), timedelta(hours=-1), timedelta(days=32)])
async def test_an_outage_has_a_beginning_and_an_end(programs, clock, length) -> None:
    now = clock(2026, 3, 1)
    with pytest.raises(Invalid, match="outage"):
        await programs.declare_outage(now, now + length, actor="ops", reason="x")
    assert await programs.outages() == []


async def test_days_settled_before_a_claim_count_toward_the_day_s_ceiling(
    programs, put, clock
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "ann", created_at=at(2026, 1, 1))
    await put(
        "streak",
        schedule=daily(automatic="logged_in"),
        amount=LADDER,
        catch_up="all",
        limits=Limits(day=250),
    )
    await seen(programs, "ann", clock(2026, 3, 1, 12))
    clock(2026, 3, 2, 0, 1)
    with pytest.raises(Rejected, match="no more today"):
        await programs.claim("streak", "ann", actor="app")
    assert await balance(programs, "ann") == 0
    assert (await programs.ledger.verify()).ok


async def test_a_forecast_of_claims_is_of_everybody_s_first(programs, put, clock) -> None:
    clock(2026, 3, 1)
    for name in ("ann", "bob"):
        await enrol(programs, name, created_at=at(2026, 1, 1))
    ladder = Amount(formula="1000 + (streak - 1) * 500")
    await put("streak", schedule=daily(), amount=ladder)
    forecast = await programs.forecast((await programs.program("streak")).program)
    assert (forecast.awards, forecast.amount) == (2, 2_000)

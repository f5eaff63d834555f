"""Claims by hand and automatic, and a reference shared by two programs (P20-P22)."""

import asyncio
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.errors import Missing, Rejected
from bursar.programs.model import Amount, Calendar, Claim
from bursar.programs.service import Programs
from tests.programs.scenes import (
    amounts,
    another_process,
    balance,
    enrol,
    given,
    last_run,
    sound,
    utc,
)

TABLE = Amount(formula="streak >= 18 ? 10000 : 1000 + (streak - 1) * 500")
SHARED = "bonus:daily:{date}"


async def test_the_table_of_eighteen_days_and_the_day_after(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put("daily", schedule=Claim(), amount=TABLE)
    await enrol(programs, "ada")
    awarded = []
    for day in range(1, 21):
        clock(2026, 3, day, day)
        answer = await programs.claim("daily", "ada", actor="app")
        assert (answer.streak, answer.already) == (day, False)
        assert answer.next_available_at == utc(2026, 3, day + 1)
        assert answer.balance == await balance(ledger, "ada")
        awarded.append(answer.awarded)
    assert awarded == [*(1_000 + n * 500 for n in range(17)), 10_000, 10_000, 10_000]
    clock(2026, 3, 22)
    assert (await programs.claim("daily", "ada", actor="app")).awarded == 1_000
    await sound(ledger)


async def test_claimed_already_is_a_success_that_awards_nothing(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1, 8)
    await put("daily", schedule=Claim(), amount=TABLE)
    await enrol(programs, "ada")
    await programs.claim("daily", "ada", actor="app")
    clock(2026, 3, 1, 23, 59, 59)
    again = await programs.claim("daily", "ada", actor="app")
    assert (again.awarded, again.already, again.streak) == (0, True, 1)
    assert again.next_available_at == utc(2026, 3, 2)
    assert await given(ledger, "ada") == [("daily:2026-03-01", 1_000)]
    await sound(ledger)


async def test_claims_at_once_from_two_processes_pay_once(
    programs: Programs, ledger: Ledger, clock: Any, put: Any, database: Any
) -> None:
    clock(2026, 3, 1)
    await put("daily", schedule=Claim(), amount=TABLE)
    await enrol(programs, "ada")
    async with another_process(database) as other:
        for day in (1, 2, 3):
            clock(2026, 3, day)
            answers = await asyncio.gather(
                *(p.claim("daily", "ada", actor="app") for p in (programs, other) * 3)
            )
            assert sorted(answer.awarded for answer in answers)[:5] == [0] * 5
            assert max(answer.awarded for answer in answers) == 500 + day * 500
    assert await amounts(ledger, "ada") == [[1_000, 1_500, 2_000]]
    await sound(ledger)


async def test_who_is_not_eligible_is_refused_with_the_reason(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put("daily", schedule=Claim(), amount=TABLE, who={"unverified": "holder.verified"})
    await put("monthly")
    await enrol(programs, "ada")
    with pytest.raises(Rejected) as caught:
        await programs.claim("daily", "ada", actor="app")
    assert (caught.value.code, caught.value.fields["why"]) == ("not_eligible", "unverified")
    with pytest.raises(Rejected) as other:
        await programs.claim("monthly", "ada", actor="app")
    assert other.value.code == "claim_not_offered"
    for program, holder in (("daily", "nobody"), ("none", "ada")):
        with pytest.raises(Missing):
            await programs.claim(program, holder, actor="app")
    await enrol(programs, "ada", verified=True)
    assert (await programs.claim("daily", "ada", actor="app")).awarded == 1_000
    await sound(ledger)


@pytest.mark.parametrize("first", ["calendar", "claim", "both"])
async def test_programs_that_share_a_reference_pay_once_between_them(
    first: str, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 2, 28)
    await put("daily", schedule=Claim(), amount=Amount(fixed=10), reference=SHARED)
    await put("gift", schedule=Calendar(every="day"), amount=Amount(fixed=20), reference=SHARED)
    await enrol(programs, "ada")
    clock(2026, 3, 1)
    if first == "calendar":
        await programs.do_all_due()
        answer = await programs.claim("daily", "ada", actor="app")
        assert (answer.awarded, answer.already) == (0, True)
    elif first == "claim":
        await programs.claim("daily", "ada", actor="app")
        await programs.do_all_due()
        assert (await last_run(programs)).progress.excluded == {"already_paid": 1}
    else:
        await programs.tick()
        await asyncio.gather(programs.claim("daily", "ada", actor="app"), programs.runs.work())
    [(reference, amount)] = await given(ledger, "ada")
    assert reference == "bonus:daily:20260301"
    assert amount in (10, 20)
    clock(2026, 3, 2)
    await programs.do_all_due()
    assert len(await given(ledger, "ada")) == 2
    await sound(ledger)


async def test_what_a_claim_has_paid_is_not_paid_again_by_a_run_done_again(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    """A reversal takes back what its run gave, and not what the claim did (P5, P6)."""
    clock(2026, 2, 28)
    await put("daily", schedule=Claim(), amount=Amount(fixed=10), reference=SHARED)
    await put("gift", schedule=Calendar(every="day"), amount=Amount(fixed=20), reference=SHARED)
    await enrol(programs, "ada", "bob")
    clock(2026, 3, 1)
    await programs.claim("daily", "ada", actor="app")
    await programs.do_all_due()
    await programs.runs.revert(
        (await last_run(programs)).run.run_id, "clip", actor="ann", reason="wrong"
    )
    await programs.do_all_due()
    await programs.runs.start("gift", "2026-03-01", actor="ann", reason="again")
    await programs.do_all_due()
    assert (await balance(ledger, "ada"), await balance(ledger, "bob")) == (10, 20)
    await sound(ledger)


async def test_automatic_claims_pay_who_logged_in_dated_the_day_that_ended(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put("daily", schedule=Claim(automatic="logged_in"), amount=TABLE)
    await enrol(programs, "ada", "bob", "cyd")
    for day in (1, 2, 3):
        clock(2026, 3, day, 12)
        await programs.do_all_due()
        here = ("ada", "bob") if day != 2 else ("ada",)
        await programs.holders.seen({one: utc(2026, 3, day, 11) for one in here})
    clock(2026, 3, 4)
    await programs.do_all_due()
    await programs.do_all_due()
    assert await amounts(ledger, "ada", "bob", "cyd") == [
        [1_000, 1_500, 2_000],
        [1_000, 1_000],
        [],
    ]
    [newest, *_] = await programs.history("ada")
    assert utc(2026, 3, 3, 23, 59) < newest.at < utc(2026, 3, 4)
    assert newest.metadata["streak"] == 3
    await sound(ledger)


async def test_a_day_claimed_by_hand_is_not_settled_again(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put("daily", schedule=Claim(automatic="everybody"), amount=TABLE)
    await enrol(programs, "ada", "bob")
    clock(2026, 3, 1, 9)
    await programs.claim("daily", "ada", actor="app")
    clock(2026, 3, 2)
    await programs.do_all_due()
    assert (await last_run(programs)).progress.excluded == {"already_paid": 1}
    assert await amounts(ledger, "ada", "bob") == [[1_000], [1_000]]
    clock(2026, 3, 2, 9)
    await programs.claim("daily", "ada", actor="app")
    await programs.claim("daily", "bob", actor="app")
    assert await amounts(ledger, "ada", "bob") == [[1_000, 1_500], [1_000, 1_500]]
    await sound(ledger)

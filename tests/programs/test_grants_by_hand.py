"""Grants by hand: to some, to those of a run, to everybody; once under one reference (P14)."""

import asyncio
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected
from bursar.programs.model import Amount, Override, RunId, RunState
from bursar.programs.service import Programs
from tests.programs.scenes import (
    amounts,
    another_process,
    balance,
    enrol,
    given,
    last_run,
    sound,
)

PEOPLE = ["a", "b", "c"]


async def grant(programs: Programs, **said: Any) -> RunId:
    said.setdefault("actor", "ann")
    said.setdefault("reason", "sorry")
    made = await programs.runs.grant(**said)
    await programs.runs.work()
    return made


async def test_to_these_holders_to_everybody_and_to_those_of_a_run(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, *PEOPLE)
    first = await grant(programs, asset="coins", amount=5, holders=["a", "c", "a"])
    assert await amounts(ledger, *PEOPLE) == [[5], [], [5]]
    assert (await programs.runs.report(first)).run.holders == 2
    await grant(programs, asset="coins", amount=7)
    assert await amounts(ledger, *PEOPLE) == [[5, 7], [7], [5, 7]]
    await grant(programs, asset="coins", amount=9, run=first)
    assert await amounts(ledger, *PEOPLE) == [[5, 7, 9], [7], [5, 7, 9]]
    await sound(ledger)


async def test_under_one_reference_it_is_done_once_however_often_it_is_asked(
    programs: Programs, ledger: Ledger, clock: Any, database: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, *PEOPLE)
    asked = {"asset": "coins", "amount": 5, "holders": ["b", "a"], "reference": "ticket-9"}
    async with another_process(database) as other:
        made = await asyncio.gather(
            *(p.runs.grant(**asked, actor="ann", reason="sorry") for p in (programs, other) * 3)
        )
        await asyncio.gather(programs.runs.work(), other.runs.work())
    assert len(set(made)) == 1
    assert await grant(programs, **asked | {"holders": ["a", "b"]}) == made[0]
    assert await amounts(ledger, *PEOPLE) == [[5], [5], []]
    assert await given(ledger, "a") == [("grant:ticket-9", 5)]
    everybody = {"asset": "coins", "amount": 1, "reference": "all"}
    assert await grant(programs, **everybody) == await grant(programs, **everybody)
    assert await amounts(ledger, *PEOPLE) == [[5, 1], [5, 1], [1]]
    await sound(ledger)


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 6},
        {"holders": ["a"]},
        {"holders": ["a", "b", "c"]},
        {"holders": None},
        {"dry_run": True},
        {"asset": "gems"},
        {"asset": None, "program": "monthly"},
    ],
)
async def test_the_same_reference_for_something_else_is_a_conflict(
    other: dict[str, Any], programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await ledger.add_asset("gems", actor="test", reason="test")
    await put()
    await enrol(programs, *PEOPLE)
    asked: dict[str, Any] = {
        "asset": "coins",
        "amount": 5,
        "holders": ["a", "b"],
        "reference": "ticket-9",
    }
    await grant(programs, **asked)
    with pytest.raises(Conflict) as caught:
        await grant(programs, **asked | other)
    assert caught.value.code == "grant_reference"
    await programs.do_all_due()
    assert await amounts(ledger, *PEOPLE) == [[5], [5], []]
    await sound(ledger)


async def test_no_chosen_reference_stands_in_the_way_of_a_grant_without_one(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "a")
    for number in range(2, 7):
        await grant(programs, asset="coins", amount=1, reference=str(number))
        await grant(programs, asset="coins", amount=2, reference=f"run_{number}")
    for _ in range(6):
        await grant(programs, asset="coins", amount=4)
    assert await balance(ledger, "a") == 5 + 10 + 24
    await sound(ledger)


async def test_a_dry_run_shows_the_total_and_gives_nothing(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, *PEOPLE)
    made = await grant(programs, asset="coins", amount=5, dry_run=True)
    report = await programs.runs.report(made)
    assert (report.run.state, report.progress.awarded) == (RunState.FINISHED, 3)
    assert report.progress.amount == 15
    assert await amounts(ledger, *PEOPLE) == [[], [], []]


async def test_of_a_program_it_is_what_the_program_gives_to_whoever_qualifies_now(
    programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put(
        amount=Amount(by_tier={"gold": 90, "basic": 10}),
        who={"inactive": 'holder.status == "active"'},
    )
    await enrol(programs, "a", tier="gold")
    await enrol(programs, "b", tier="basic")
    await enrol(programs, "c", tier="basic", status="canceled")
    await enrol(programs, "d", tier="basic")
    await enrol(programs, "e", tier="basic")
    await programs.set_override("monthly", "d", Override(amount=1), actor="ann", reason="x")
    await programs.set_override("monthly", "e", Override(paused=True), actor="ann", reason="x")
    made = await grant(programs, program="monthly")
    assert await amounts(ledger, *"abcde") == [[90], [10], [], [1], []]
    assert (await programs.runs.report(made)).progress.excluded == {"inactive": 1, "paused": 1}
    await grant(programs, program="monthly", amount=3)
    assert await amounts(ledger, *"abcde") == [[90, 3], [10, 3], [], [1, 3], []]
    assert {award.kind for award in await programs.history("a")} == {"manual"}
    clock(2026, 4, 1)
    await programs.do_all_due()
    assert (await amounts(ledger, "a"))[0] == [90, 3, 90]
    await sound(ledger)


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        ({"asset": "coins", "amount": 5, "holders": ["a", "nobody"]}, Missing, "holder_unknown"),
        ({"asset": "shells", "amount": 5}, Missing, "asset_unknown"),
        ({"program": "none"}, Missing, "program_unknown"),
        ({"asset": "coins", "amount": 5, "run": RunId(99)}, Missing, "run_unknown"),
        ({"asset": "coins"}, Invalid, "grant_amount"),
        ({"asset": "coins", "amount": 0}, Invalid, "grant_amount"),
        ({"asset": "coins", "amount": -5}, Invalid, "grant_amount"),
        ({"asset": "coins", "amount": 2**63}, Invalid, "grant_amount"),
        ({"asset": "coins", "amount": True}, Invalid, "grant_amount"),
        ({"asset": "coins", "program": "monthly", "amount": 5}, Invalid, "grant_of"),
        ({}, Invalid, "grant_of"),
        ({"asset": "coins", "amount": 5, "reason": ""}, Invalid, "posting_voice"),
        ({"asset": "coins", "amount": 5, "actor": "a\nb"}, Invalid, "posting_voice"),
        ({"asset": "coins", "amount": 5, "reference": ""}, Invalid, "grant_reference_form"),
        ({"asset": "coins", "amount": 5, "reference": "x" * 151}, Invalid, "grant_reference_form"),
        ({"asset": "coins", "amount": 5, "reference": "a\x00"}, Invalid, "grant_reference_form"),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_leaves_no_run(
    said: Any, error: Any, code: str, programs: Programs, ledger: Ledger, clock: Any, put: Any
) -> None:
    clock(2026, 3, 1)
    await put()
    await enrol(programs, *PEOPLE)
    with pytest.raises(error) as caught:
        await grant(programs, **said)
    assert caught.value.code == code
    assert await programs.runs.recent() == []
    assert await amounts(ledger, *PEOPLE) == [[], [], []]


async def test_the_longest_reference_can_be_given_and_taken_back(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "a")
    made = await grant(programs, asset="coins", amount=5, reference="x" * 150)
    assert await balance(ledger, "a") == 5
    await programs.runs.revert(made, "clip", actor="ann", reason="wrong")
    await programs.runs.work()
    assert await balance(ledger, "a") == 0
    assert (await last_run(programs)).progress.failed == 0
    await sound(ledger)


async def test_a_reverted_grant_is_not_given_again_under_its_reference(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "a")
    asked = {"asset": "coins", "amount": 5, "reference": "once"}
    made = await grant(programs, **asked)
    await programs.runs.revert(made, "clip", actor="ann", reason="wrong")
    await programs.runs.work()
    assert await grant(programs, **asked) == made
    assert await balance(ledger, "a") == 0


async def test_a_run_cannot_be_steered_where_it_is_not(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "a")
    made = await grant(programs, asset="coins", amount=5)
    for refused in (
        programs.runs.pause(made, actor="ann", reason="test"),
        programs.runs.resume(made, actor="ann", reason="test"),
        programs.runs.cancel(made, actor="ann", reason="test"),
        programs.runs.approve(made, 5, actor="bob", reason="test"),
    ):
        with pytest.raises(Rejected) as caught:
            await refused
        assert caught.value.code == "run_state"
    assert (await programs.runs.report(made)).run.state is RunState.FINISHED


async def test_what_was_given_is_read_in_pages_across_assets(
    programs: Programs, ledger: Ledger, clock: Any
) -> None:
    clock(2026, 3, 1)
    await ledger.add_asset("gems", actor="test", reason="because")
    await enrol(programs, "a")
    for day in range(1, 8):
        clock(2026, 3, day)
        asset = "gems" if day % 3 == 0 else "coins"
        await grant(programs, asset=asset, amount=day, holders=["a"])
    everything = await programs.history("a")
    assert [award.added for award in everything] == [7, 6, 5, 4, 3, 2, 1]
    for limit in (1, 2, 3, 7):
        read, cursor = [], None
        while True:
            page = await programs.awards("a", limit=limit, cursor=cursor)
            read += page.items
            assert len(page.items) <= limit
            cursor = page.cursor
            if cursor is None:
                break
        assert read == list(everything)
    for wrong in ("x", "coins", "coins:x", ""):
        with pytest.raises(Invalid):
            await programs.awards("a", cursor=wrong)

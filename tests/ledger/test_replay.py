"""A reference is accepted once; asked again it answers the same, or names what differs (L3)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bursar.ledger import commands as c
from bursar.ledger.model import Entry, LotTerms, Result, Status
from bursar.ledger.service import Ledger
from tests.ledger.books import damage, everything
from tests.ledger.conftest import SetClock
from tests.ledger.reference_model import HOUSE

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
LATER = NOW + timedelta(days=2)
ADA = {"holder": "ada", "asset": "coins"}

SETTING: Sequence[c.AnyCommand] = (
    c.Credit(**ADA, reference="start", amount=1000, lot=LotTerms(origin="start")),
    c.Credit(holder="ben", asset="coins", reference="start", amount=1000),
    c.Credit(holder="cyd", asset="coins", reference="start", amount=1000),
    c.PlaceHold(**ADA, reference="h1", amount=10),
    c.PlaceHold(**ADA, reference="h2", amount=10),
    c.Debit(**ADA, reference="s1", amount=20),
    c.Debit(**ADA, reference="s2", amount=20),
    c.PlaceHold(**ADA, reference="h3", amount=10, deadline=TOMORROW),
    c.Credit(**ADA, reference="soon", amount=1, lot=LotTerms(TOMORROW, origin="soon")),
)

COMMON = {
    "source": "other",
    "metadata": {"other": 1},
    "effective_at": NOW - timedelta(hours=1),
}
CASES: Sequence[tuple[c.AnyCommand, dict[str, Any]]] = (
    (
        c.Credit(**ADA, reference="r", amount=5, lot=LotTerms(TOMORROW, 1, "gift")),
        {
            "amount": 6,
            "kind": "earn",
            "house_account": "marketing",
            "lot": LotTerms(TOMORROW, 2, "gift"),
        },
    ),
    (
        c.Credit(**ADA, reference="r", amount=5, kind="adjust"),
        {"amount": 6, "kind": "refund", "lot": LotTerms(), "house_account": "marketing"},
    ),
    (
        c.Debit(**ADA, reference="r", amount=5),
        {"amount": 6, "kind": "adjust", "house_account": "shop"},
    ),
    (
        c.PlaceHold(**ADA, reference="r", amount=5, deadline=TOMORROW),
        {"amount": 6, "deadline": TOMORROW + timedelta(microseconds=1)},
    ),
    (
        c.Capture(**ADA, reference="r", hold="h1", amount=5),
        {"hold": "h2", "amount": 4, "keep_rest": True, "house_account": "shop"},
    ),
    (c.Capture(**ADA, reference="r", hold="h1"), {"amount": 10}),
    (c.Release(**ADA, reference="r", hold="h1"), {"hold": "h2"}),
    (c.Transfer(**ADA, reference="r", to="ben", amount=5), {"to": "cyd", "amount": 6}),
    (
        c.Reverse(**ADA, reference="r", target="s1", amount=5),
        {"target": "s2", "amount": 6, "policy": "debt"},
    ),
    (c.Reverse(**ADA, reference="r", target="start"), {"amount": 940, "policy": "net"}),
    (c.SetLimit(**ADA, reference="r", limit=5), {"limit": 0}),
    (c.SetState(**ADA, reference="r", state="frozen"), {"state": "active"}),
    (c.Expire(**ADA, reference="r", keep=900), {"keep": 901, "origin": "start"}),
    (
        c.Extend(**ADA, reference="r", until=LATER, origin="soon"),
        {"until": LATER + timedelta(microseconds=1), "origin": None},
    ),
    (c.Extend(**ADA, reference="r", until=LATER, hold="h3"), {"until": TOMORROW, "hold": "h2"}),
)


@pytest.fixture
async def played(ledger: Ledger, set_clock: SetClock) -> Ledger:
    set_clock(NOW)
    for result in await post(ledger, *SETTING):
        result.unwrap()
    return ledger


@pytest.mark.parametrize(("command", "changes"), CASES, ids=lambda v: type(v).__name__)
async def test_the_same_is_answered_again_and_each_difference_is_named(
    command: c.AnyCommand, changes: dict[str, Any], played: Ledger, database: Any
) -> None:
    first = await answer(played, command)
    assert first.status is Status.APPLIED
    before = everything(database.owner_url)
    again = await answer(played, command)
    assert (again.status, again.entry) == (Status.REPLAYED, first.entry)
    in_a_group = msgspec.structs.replace(command, group="g")
    assert (await answer(played, in_a_group)).entry == first.entry
    by_number = msgspec.structs.replace(command, holder=None, holder_id=holder_id(first))
    assert (await answer(played, by_number)).entry == first.entry
    for field, value in (COMMON | changes).items():
        other = msgspec.structs.replace(command, **{field: value})
        expected = {field}
        if field == "kind" and HOUSE[value] != HOUSE[command.kind]:
            expected.add("house_account")  # unless it is named, the kind decides it
        conflict = await answer(played, other)
        assert conflict.status is Status.REFERENCE_CONFLICT, field
        assert conflict.refusal is not None
        assert set(conflict.refusal.fields["differs"]) == expected
    assert everything(database.owner_url) == before
    assert damage(database.owner_url) == []


async def test_all_kinds_of_command_share_one_namespace(played: Ledger) -> None:
    await answer(played, c.SetLimit(**ADA, reference="r", limit=5))
    for command, _ in CASES:
        result = await answer(played, command)
        if type(command) is c.SetLimit:
            assert result.status is Status.REPLAYED
        else:
            assert result.refusal is not None
            assert (result.status, result.refusal.fields["differs"]) == (
                Status.REFERENCE_CONFLICT,
                ["op"],
            )


async def test_other_wallets_have_references_of_their_own(played: Ledger) -> None:
    for holder, asset in (("ada", "coins"), ("ben", "coins"), ("ada", "gems")):
        command = c.Credit(holder=holder, asset=asset, reference="r", amount=1)
        assert (await answer(played, command)).status is Status.APPLIED


async def test_a_refusal_is_not_remembered(played: Ledger) -> None:
    spend = c.Debit(**ADA, reference="r", amount=5000)
    assert (await answer(played, spend)).status is Status.INSUFFICIENT_FUNDS
    await answer(played, c.Credit(**ADA, reference="more", amount=5000))
    assert (await answer(played, spend)).status is Status.APPLIED


async def test_within_one_batch_the_second_is_the_replay_of_the_first(played: Ledger) -> None:
    one, other = (c.Credit(**ADA, reference="r", amount=amount) for amount in (5, 6))
    first, second, third = await post(played, one, one, other)
    assert (first.status, second.status, third.status) == (
        Status.APPLIED,
        Status.REPLAYED,
        Status.REFERENCE_CONFLICT,
    )
    assert first.entry == second.entry


async def test_a_group_whose_members_are_all_known_is_replayed_whole(played: Ledger) -> None:
    group = [
        c.Debit(**ADA, reference="r", amount=5, group="g"),
        c.Credit(holder="ben", asset="coins", reference="r", amount=5, group="g"),
    ]
    first = await post(played, *group)
    again = await post(played, *group)
    assert [result.status for result in again] == [Status.REPLAYED] * 2
    assert [result.entry for result in again] == [result.entry for result in first]


async def test_a_group_may_go_on_from_what_is_known(played: Ledger) -> None:
    known = c.Debit(**ADA, reference="r", amount=5, group="g")
    await answer(played, known)
    new = c.Credit(holder="ben", asset="coins", reference="r", amount=5, group="g")
    results = await post(played, known, new)
    assert [result.status for result in results] == [Status.REPLAYED, Status.APPLIED]


async def test_the_very_instant_of_recording_is_no_other_date(played: Ledger) -> None:
    command = c.Credit(**ADA, reference="r", amount=5, effective_at=NOW)
    first = await answer(played, command)
    assert await answer(played, command) == Result(Status.REPLAYED, first.entry)


async def test_a_hold_in_another_zone_is_the_same_deadline(played: Ledger) -> None:
    hold = c.PlaceHold(**ADA, reference="r", amount=5, deadline=TOMORROW)
    first = await answer(played, hold)
    elsewhere = TOMORROW.astimezone(datetime.fromisoformat("2030-01-01T00:00+05:45").tzinfo)
    again = await answer(played, msgspec.structs.replace(hold, deadline=elsewhere))
    assert again.entry == first.entry


async def test_among_thousands_a_known_reference_is_still_known(
    played: Ledger, database: Any
) -> None:
    """Beyond a thousand commands references are looked up only on suspicion."""
    many = [
        c.Credit(holder=f"h{i % 400}", asset="coins", reference=f"r{i}", amount=1)
        for i in range(1500)
    ]
    first = await post(played, *many)
    assert {result.status for result in first} == {Status.APPLIED}
    again = await post(played, *many)
    assert {result.status for result in again} == {Status.REPLAYED}
    assert [result.entry for result in again] == [result.entry for result in first]
    new = [msgspec.structs.replace(command, reference=f"n{i}") for i, command in enumerate(many)]
    other = msgspec.structs.replace(many[7], amount=2)
    mixed = await post(played, *new, many[3], other)
    assert [result.status for result in mixed[-2:]] == [
        Status.REPLAYED,
        Status.REFERENCE_CONFLICT,
    ]
    assert {result.status for result in mixed[:-2]} == {Status.APPLIED}
    assert damage(database.owner_url) == []


async def test_among_thousands_a_known_reference_of_a_group_is_still_known(played: Ledger) -> None:
    known = c.Debit(**ADA, reference="known", amount=1)
    await answer(played, known)
    filler = [c.Credit(holder=f"h{i}", asset="coins", reference="r", amount=1) for i in range(1100)]
    group = [
        msgspec.structs.replace(known, amount=2, group="g"),
        c.Credit(holder="ben", asset="coins", reference="new", amount=1, group="g"),
    ]
    results = await post(played, *filler, *group)
    assert [result.status for result in results[-2:]] == [
        Status.REFERENCE_CONFLICT,
        Status.GROUP_REFUSED,
    ]
    assert {result.status for result in results[:-2]} == {Status.APPLIED}


async def post(ledger: Ledger, *commands: c.AnyCommand) -> list[Result]:
    return await ledger.post(commands, actor="test", reason="replay")


async def answer(ledger: Ledger, command: c.AnyCommand) -> Result:
    return (await post(ledger, command))[0]


def holder_id(result: Result) -> int:
    entry = result.entry
    assert isinstance(entry, Entry)
    return entry.holder_id

"""Movements, wallets, holds and lists, against the application on a real database (I5)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bursar.client import (
    AsyncClient,
    Conflict,
    Credit,
    Debit,
    Denied,
    InsufficientFunds,
    Invalid,
    LotTerms,
    Missing,
    Patience,
    RateLimited,
    Rejected,
    Transfer,
)
from tests.client.conftest import HERE
from tests.support.serving import add_key


async def test_a_credit_and_a_debit_say_the_balance(client: AsyncClient) -> None:
    given = await client.postings.credit("ada", "coins", 500, source="signup", reason="welcome")
    assert (given.status, given.balance, given.entry.source) == ("applied", 500, "signup")
    spent = await client.postings.debit("ada", "coins", 120, metadata={"order": 17})
    assert (spent.entry.amount, spent.balance, spent.entry.metadata) == (-120, 380, {"order": 17})
    wallet = await client.wallets.get("ada", "coins")
    assert (wallet.balance, wallet.held, wallet.available) == (380, 0, 380)


async def test_the_same_reference_is_the_same_movement(client: AsyncClient) -> None:
    first = await client.postings.credit("ada", "coins", 500, reference="order:1")
    again = await client.postings.credit("ada", "coins", 500, reference="order:1")
    assert not first.replayed
    assert again.replayed
    assert again.entry == first.entry


async def test_two_calls_without_a_reference_are_two_movements(client: AsyncClient) -> None:
    first = await client.postings.credit("ada", "coins", 5)
    second = await client.postings.credit("ada", "coins", 5)
    assert first.reference != second.reference
    assert second.balance == 10


async def test_another_content_under_the_same_reference_is_a_conflict(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 500, reference="order:1")
    with pytest.raises(Conflict) as caught:
        await client.postings.credit("ada", "coins", 501, reference="order:1")
    assert caught.value.code == "reference_conflict"
    assert caught.value.idempotency_key == "order:1"
    assert not caught.value.uncertain


async def test_insufficient_funds_says_what_there_is(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 50)
    with pytest.raises(InsufficientFunds) as caught:
        await client.postings.debit("ada", "coins", 51)
    error = caught.value
    assert (error.status, error.available, error.fields["amount"]) == (422, 50, 51)
    assert error.request_id
    assert isinstance(error, Rejected)


async def test_a_batch_answers_each_command_for_itself(client: AsyncClient) -> None:
    answer = await client.postings.bulk(
        [
            Credit(holder="ada", asset="coins", amount=100),
            Debit(holder="ada", asset="coins", amount=500, reference="too-much"),
            Transfer(holder="ada", asset="coins", amount=30, to="bea"),
            Credit(holder="ada", asset="gold", amount=1),
        ],
        reason="a batch",
    )
    assert (answer.applied, answer.replayed, answer.refused) == (2, 0, 2)
    assert [r.status for r in answer.results] == [
        "applied",
        "insufficient_funds",
        "applied",
        "asset_unknown",
    ]
    assert answer.results[0].unwrap().balance == 100
    with pytest.raises(InsufficientFunds, match="500"):
        answer.results[1].unwrap()
    with pytest.raises(Missing):
        answer.results[3].unwrap()
    assert (await client.wallets.get("bea", "coins")).balance == 30


async def test_a_batch_sent_again_is_replayed(client: AsyncClient) -> None:
    commands = [Credit(holder=f"h{n}", asset="coins", amount=n, reference="one") for n in (1, 2)]
    await client.postings.bulk(commands)
    assert (await client.postings.bulk(commands)).replayed == 2


async def test_a_reversal_undoes_an_entry(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 500, reference="gift")
    undone = await client.postings.reverse("ada", "coins", "gift", amount=200)
    assert (undone.entry.amount, undone.balance) == (-200, 300)


async def test_lots_are_kept_extended_and_expired(client: AsyncClient) -> None:
    soon = datetime.now(UTC) + timedelta(days=2)
    lot = LotTerms(expires_at=soon, origin="promo")
    await client.postings.credit("ada", "coins", 70, lot=lot)
    later = soon + timedelta(days=5)
    await client.postings.extend("ada", "coins", later, origin="promo")
    [shown] = (await client.wallets.get("ada", "coins")).lots
    assert (shown.remaining, shown.expires_at, shown.origin) == (70, later, "promo")
    expired = await client.postings.expire("ada", "coins", keep=10, origin="promo")
    assert expired.balance == 10


async def test_a_hold_is_captured_in_part_and_the_rest_given_back(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 100)
    async with client.holds.place("ada", "coins", 60) as hold:
        wallet = await client.wallets.get("ada", "coins")
        assert (wallet.held, wallet.available) == (60, 40)
        assert [h.reference for h in wallet.holds] == [hold.reference]
        await hold.capture(25)
    wallet = await client.wallets.get("ada", "coins")
    assert (wallet.balance, wallet.held) == (75, 0)


async def test_a_hold_is_given_back_where_the_block_raises(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 100)
    with pytest.raises(ZeroDivisionError):
        async with client.holds.place("ada", "coins", 60):
            raise ZeroDivisionError
    wallet = await client.wallets.get("ada", "coins")
    assert (wallet.balance, wallet.held) == (100, 0)


async def test_what_a_partly_captured_hold_keeps_is_given_back_where_the_block_raises(
    client: AsyncClient,
) -> None:
    await client.postings.credit("ada", "coins", 100)

    async def part_and_fail() -> None:
        async with client.holds.place("ada", "coins", 60) as hold:
            await hold.capture(10, keep_rest=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await part_and_fail()
    wallet = await client.wallets.get("ada", "coins")
    assert (wallet.balance, wallet.held) == (90, 0)


async def test_a_hold_that_the_block_left_alone_is_given_back(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 100)
    async with client.holds.place("ada", "coins", 60):
        pass
    assert (await client.wallets.get("ada", "coins")).held == 0


async def test_what_went_wrong_in_the_block_is_raised_though_the_release_fails(
    client: AsyncClient,
) -> None:
    await client.postings.credit("ada", "coins", 100)

    async def end_and_fail() -> None:
        async with client.holds.place("ada", "coins", 60) as hold:
            await client.holds.release("ada", "coins", hold.reference)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await end_and_fail()
    assert "hold_ended" in caught.value.__notes__[0]


async def test_a_hold_that_is_awaited_lives_until_somebody_ends_it(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 100)
    hold = await client.holds.place("ada", "coins", 60, reference="call:1")
    assert hold.receipt.entry.held_change == 60
    await client.holds.capture("ada", "coins", "call:1", amount=1)
    with pytest.raises(Rejected) as caught:
        await hold.release()
    assert caught.value.code == "hold_ended"


async def test_a_hold_that_cannot_be_placed_runs_no_block(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 10)
    with pytest.raises(InsufficientFunds):
        async with client.holds.place("ada", "coins", 60):
            pytest.fail("the block has run")


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 200])
async def test_a_list_is_read_whole_whatever_its_pages(client: AsyncClient, page_size: int) -> None:
    for n in range(7):
        await client.postings.credit("ada", "coins", 1, reference=f"r{n}")
    found = client.wallets.entries("ada", "coins", page_size=page_size)
    assert [entry.reference async for entry in found] == [f"r{n}" for n in reversed(range(7))]
    sizes = [len(page.items) async for page in found.pages()]
    assert (sum(sizes), max(sizes)) == (7, min(page_size, 7))


async def test_a_list_goes_on_at_a_cursor(client: AsyncClient) -> None:
    for n in range(5):
        await client.postings.credit("ada", "coins", 1, reference=f"r{n}")
    first = await client.wallets.entries("ada", "coins", page_size=2).first()
    rest = client.wallets.entries("ada", "coins", page_size=2, cursor=first.cursor)
    assert [entry.reference async for entry in rest] == ["r2", "r1", "r0"]


async def test_the_journal_is_of_one_kind_if_asked(client: AsyncClient) -> None:
    await client.postings.credit("ada", "coins", 9)
    await client.postings.debit("ada", "coins", 4)
    journal = client.postings.journal(kind="spend", page_size=1)
    assert [(e.holder, e.amount) async for e in journal] == [("ada", -4)]


async def test_assets_are_listed_and_added_once(client: AsyncClient) -> None:
    assert (await client.assets.add("gems", scale=2, reason="new")).scale == 2
    assert (await client.assets.add("gems", scale=2, reason="new")).scale == 2
    with pytest.raises(Conflict):
        await client.assets.add("gems", scale=3, reason="new")
    assert [a.code for a in await client.assets.all()] == ["coins", "gems"]


@pytest.mark.parametrize(
    "holder",
    [
        "a/b",
        "100%",
        "%2F",
        "..",
        ".",
        "a b",
        "a?b#c",
        "Ünïcødé",
        "日本語",
        "x" * 200,
        "a+b@c.d;e=f,g",
    ],
)
async def test_a_holder_may_have_any_name(client: AsyncClient, holder: str) -> None:
    await client.postings.credit(holder, "coins", 3)
    assert (await client.wallets.get(holder, "coins")).holder == holder
    assert [e.holder async for e in client.wallets.entries(holder, "coins")] == [holder]


async def test_an_empty_name_is_refused_before_it_becomes_another_path(client: AsyncClient) -> None:
    with pytest.raises(ValueError, match="empty"):
        await client.wallets.get("", "coins")


async def test_what_is_not_there_is_missing(client: AsyncClient) -> None:
    with pytest.raises(Missing) as caught:
        await client.wallets.get("nobody", "coins")
    assert caught.value.code == "holder_unknown"


async def test_what_is_malformed_is_invalid(client: AsyncClient) -> None:
    with pytest.raises(Invalid):
        await client.postings.credit("ada", "coins", -5)
    with pytest.raises(Invalid):
        await client.wallets.entries("ada", "coins", page_size=100_000).first()


async def test_unknown_and_weak_credentials_are_denied(
    database: Any, transport: httpx.ASGITransport
) -> None:
    async with AsyncClient(HERE, "bsk_nobody", transport=transport) as stranger:
        with pytest.raises(Denied) as caught:
            await stranger.assets.all()
    assert (caught.value.status, caught.value.code) == (401, "credential_invalid")
    viewer = await add_key(database.url, "viewer")
    async with AsyncClient(HERE, viewer, transport=transport) as reader:
        with pytest.raises(Denied) as caught:
            await reader.postings.credit("ada", "coins", 1)
    assert (caught.value.status, caught.value.code) == (403, "scope_missing")


async def test_more_than_the_rate_is_rate_limited_with_when_to_come_back(
    database: Any, transport: httpx.ASGITransport
) -> None:
    key = await add_key(database.url, "viewer", per_minute=1)
    hurried = Patience(deadline_s=0.01)
    async with AsyncClient(HERE, key, patience=hurried, transport=transport) as reader:
        await reader.assets.all()
        with pytest.raises(RateLimited) as caught:
            await reader.assets.all()
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 1

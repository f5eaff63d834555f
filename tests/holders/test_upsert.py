"""Enrolling and changing holders (H1, H2)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bursar.holders import HolderChange, Holders, Wanted
from bursar.ledger import Credit
from bursar.platform.errors import BursarError, Invalid, Missing, Rejected
from tests.holders.conftest import put
from tests.ledger.books import table

JUNE = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def test_a_stranger_is_enrolled_with_what_is_said(holders: Holders) -> None:
    change = HolderChange(
        "ada", username="Ada", email="a@b.org", locale="en-GB", time_zone="Europe/Oslo",
        created_at=JUNE, tier="pro", verified=True, subscription_start=JUNE + DAY,
        billing_anchor=JUNE, last_login_at=JUNE, attributes={"b": 1.5, "a": ["x"]},
    )  # fmt: skip
    [done] = await put(holders, change)
    assert (done.outcome, done.refusal) == ("created", None)
    ada = await holders.get("ada")
    assert ada == await holders.get(holder_id=done.holder_id)
    assert (ada.username, ada.email, ada.locale) == ("Ada", "a@b.org", "en-GB")
    assert (ada.status, ada.tier, ada.verified) == ("active", "pro", True)
    assert ada.attributes == '{"a":["x"],"b":1.5}'
    assert (ada.created_at, ada.matters_since, ada.changes) == (JUNE, JUNE, 0)
    assert (await holders.history("ada")).items == ()


async def test_a_change_leaves_what_it_does_not_name_and_clears_what_is_none(
    holders: Holders,
) -> None:
    await put(holders, HolderChange("ada", email="a@b.org", username="a", tier="pro"))
    [done] = await put(holders, HolderChange("ada", email=None, tier=None))
    assert done.outcome == "changed"
    ada = await holders.get("ada")
    assert (ada.email, ada.username, ada.tier) == (None, "a", "")


async def test_the_same_again_changes_nothing(holders: Holders) -> None:
    change = HolderChange("ada", tier="pro", attributes={"n": 1, "m": {"k": [True, None]}})
    await put(holders, change)
    before = await holders.get("ada")
    [done] = await put(holders, change)
    assert done.outcome == "unchanged"
    assert await holders.get("ada") == before


async def test_attributes_are_merged_by_name(holders: Holders) -> None:
    await put(holders, HolderChange("ada", attributes={"a": 1, "b": True}))
    await put(holders, HolderChange("ada", attributes={"a": None, "b": 1, "c": "x"}))
    assert (await holders.get("ada")).attributes == '{"b":1,"c":"x"}'
    await put(holders, HolderChange("ada", attributes=None))
    assert (await holders.get("ada")).attributes == "{}"


async def test_what_was_in_force_is_kept_with_its_time_actor_and_reason(holders: Holders) -> None:
    await put(holders, HolderChange("ada", created_at=JUNE, status="trialing"))
    await put(holders, HolderChange("ada", status="active", at=JUNE + DAY))
    await put(holders, HolderChange("ada", locale="de"), HolderChange("ada", tier="pro"))
    second, first = (await holders.history("ada")).items
    assert (first.status, first.since, first.until) == ("trialing", JUNE, JUNE + DAY)
    assert (second.status, second.tier, second.since) == ("active", "", JUNE + DAY)
    assert (first.actor, first.reason) == ("test", "because")
    ada = await holders.get("ada")
    assert second.until == ada.matters_since
    page = await holders.history("ada", limit=1)
    assert page.items == (second,)
    assert (await holders.history("ada", limit=1, cursor=page.cursor)).items == (first,)


async def test_several_changes_of_one_holder_are_applied_in_order(holders: Holders) -> None:
    done = await put(
        holders,
        HolderChange("ada", status="trialing"),
        HolderChange("ada", status="active"),
        HolderChange("ada", status="active"),
    )
    assert [d.outcome for d in done] == ["created", "changed", "unchanged"]
    assert len({d.holder_id for d in done}) == 1
    assert [p.status for p in (await holders.history("ada")).items] == ["trialing"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (HolderChange(""), "external_id"),
        (HolderChange("a\x00"), "external_id"),
        (HolderChange("x" * 201), "external_id"),
        (HolderChange("erased:7"), "external_id"),
        (HolderChange("\ud800"), "external_id"),
        (HolderChange("a", username=""), "username"),
        (HolderChange("a", email="nobody"), "email"),
        (HolderChange("a", locale="e"), "locale"),
        (HolderChange("a", time_zone="Mars/Olympus"), "time_zone"),
        (HolderChange("a", created_at=datetime(2026, 1, 1)), "created_at"),  # noqa: DTZ001
        (HolderChange("a", created_at=None), "created_at"),  # type: ignore[arg-type]
        (HolderChange("a", status="Active"), "status"),
        (HolderChange("a", status="x" * 33), "status"),
        (HolderChange("a", tier="two words"), "tier"),
        (HolderChange("a", verified=1), "verified"),  # type: ignore[arg-type]
        (HolderChange("a", subscription_start="now"), "subscription_start"),  # type: ignore[arg-type]
        (HolderChange("a", attributes=[1]), "attributes"),  # type: ignore[arg-type]
        (HolderChange("a", attributes={"a": "x" * 8_192}), "attributes"),
        (HolderChange("a", attributes={"a": "\x00"}), "attributes"),
        (HolderChange("a", attributes={"a": "\ud800"}), "attributes"),
        (HolderChange("a", attributes={"a": float("nan")}), "attributes"),
        (HolderChange("a", attributes={"a": object()}), "attributes"),
        (HolderChange("a", attributes={1: 2}), "attributes"),  # type: ignore[dict-item]
        (HolderChange("a", at=datetime(2026, 1, 1)), "at"),  # noqa: DTZ001
    ],
)
async def test_what_is_malformed_is_refused_and_its_neighbours_are_not(
    holders: Holders, change: HolderChange, field: str, database: Any
) -> None:
    refused, done = await put(holders, change, HolderChange("neighbour"))
    assert refused.refusal is not None
    assert (refused.outcome, refused.refusal.code, refused.refusal.field) == (
        "refused", "invalid", field,
    )  # fmt: skip
    assert done.outcome == "created"
    assert table(database.owner_url, "select external_id from bursar.holder_ids") == [
        ("neighbour",)
    ]


async def test_attributes_nested_without_end_are_refused(holders: Holders) -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    [done] = await put(holders, HolderChange("a", attributes=endless))
    assert done.outcome == "refused"


async def test_attributes_that_grow_too_large_are_refused(holders: Holders) -> None:
    await put(holders, HolderChange("ada", attributes={"a": "x" * 5_000}))
    [done] = await put(holders, HolderChange("ada", attributes={"b": "x" * 5_000}))
    assert done.outcome == "refused"
    assert "b" not in (await holders.get("ada")).attributes.replace("x", "")[5:]


@pytest.mark.parametrize("field", ["created_at", "last_login_at", "at"])
async def test_nothing_has_happened_in_the_future(holders: Holders, field: str) -> None:
    soon = datetime.now(UTC) + DAY
    [done] = await put(holders, HolderChange("ada", **{field: soon}))
    assert done.refusal is not None
    assert (done.refusal.code, done.refusal.field) == ("in_future", field)
    with pytest.raises(Missing):
        await holders.get("ada")


async def test_a_subscription_may_begin_in_the_future(holders: Holders) -> None:
    soon = datetime.now(UTC) + DAY
    [done] = await put(holders, HolderChange("ada", subscription_start=soon))
    assert done.outcome == "created"


async def test_an_older_fact_does_not_undo_a_newer_one(holders: Holders) -> None:
    await put(holders, HolderChange("ada", created_at=JUNE))
    await put(holders, HolderChange("ada", status="canceled", at=JUNE + 2 * DAY))
    [done] = await put(holders, HolderChange("ada", status="past_due", at=JUNE + DAY))
    assert done.refusal is not None
    assert done.refusal.code == "outdated"
    assert (await holders.get("ada")).status == "canceled"


async def test_whoever_only_has_a_wallet_is_no_holder_until_upserted(holders: Holders) -> None:
    grant = Credit(holder="ben", asset="coins", reference="r", amount=5)
    await holders.ledger.submit(grant, actor="a", reason="r")
    with pytest.raises(Missing) as caught:
        await holders.get("ben")
    assert caught.value.code == "holder_unknown"
    [done] = await put(holders, HolderChange("ben"))
    assert done.outcome == "created"
    assert (await holders.ledger.wallet(holder_id=done.holder_id, asset="coins")).balance == 5


async def test_a_batch_in_the_callers_transaction_goes_with_it(holders: Holders) -> None:
    async with holders.ledger.database.transaction() as tx:
        [done] = await put(holders, HolderChange("ada"), tx=tx)
        assert done.outcome == "created"
        raise psycopg.Rollback
    with pytest.raises(Missing):
        await holders.get("ada")


@pytest.mark.parametrize("size", [0, 10_001])
async def test_a_batch_has_a_size(holders: Holders, size: int) -> None:
    with pytest.raises(Invalid):
        await put(holders, *[HolderChange("a")] * size)


async def test_a_batch_is_of_changes_only(holders: Holders) -> None:
    with pytest.raises(Invalid) as caught:
        await holders.upsert([{"external_id": "a"}], actor="a", reason="r")  # type: ignore[list-item]
    assert caught.value.code == "holder_change"


async def test_ten_thousand_are_enrolled_at_once(holders: Holders) -> None:
    done = await put(holders, *(HolderChange(f"h{i}", attributes={"i": i}) for i in range(10_000)))
    assert {d.outcome for d in done} == {"created"}
    assert (await holders.get("h77")).attributes == '{"i":77}'


async def test_a_race_for_the_same_people_loses_nobody_and_ends(holders: Holders) -> None:
    """Batches in opposite order, of new and of known people, at once."""
    await put(holders, *(HolderChange(f"h{i}") for i in range(0, 200, 2)))
    ids = [f"h{i}" for i in range(200)]

    async def batch(number: int) -> list[str]:
        order = ids if number % 2 else ids[::-1]
        changes = (HolderChange(i, attributes={f"by{number}": 1}) for i in order)
        return [d.outcome for d in await put(holders, *changes)]

    outcomes = await asyncio.gather(*(batch(n) for n in range(8)))
    assert sum(o.count("created") for o in outcomes) == 100
    assert all("refused" not in o for o in outcomes)
    for page_of in ("h0", "h1", "h199"):
        assert (await holders.get(page_of)).attributes.count(":1") == 8


async def test_holders_are_listed_by_page_and_filter(holders: Holders) -> None:
    await put(
        holders,
        *(HolderChange(f"h{i}", tier="pro" if i % 2 else None) for i in range(5)),
        HolderChange("late", status="past_due", verified=True),
    )
    page = await holders.list(limit=4)
    rest = await holders.list(limit=4, cursor=page.cursor)
    assert [h.external_id for h in (*page.items, *rest.items)] == [
        "h0", "h1", "h2", "h3", "h4", "late",
    ]  # fmt: skip
    assert rest.cursor is None
    pro = await holders.list(Wanted(status="active", tier="pro"))
    assert [h.external_id for h in pro.items] == ["h1", "h3"]
    late = await holders.list(Wanted(verified=True))
    assert [h.external_id for h in late.items] == ["late"]
    for wrong in ("x", "-1", "9" * 30):
        with pytest.raises(Invalid):
            await holders.list(cursor=wrong)
    for wanted in (Wanted(status="a\0"), Wanted(tier="\ud800")):
        with pytest.raises(Invalid):
            await holders.list(wanted)


async def test_names_are_unique_where_the_economy_says_so(holders: Holders) -> None:
    assert await holders.unique() == await holders.unique(email=False, actor="test", reason="test")
    await put(holders, HolderChange("a", email="A@b.org"), HolderChange("b", email="a@B.org"))
    with pytest.raises(Rejected) as caught:
        await holders.unique(email=True, actor="test", reason="test")
    assert caught.value.fields["names"] == ["a@b.org"]
    assert not (await holders.unique()).email
    await put(holders, HolderChange("b", email="b@b.org"))
    assert (await holders.unique(email=True, actor="test", reason="test")).email
    taken, new, moved, now_free = await put(
        holders,
        HolderChange("c", email="B@B.org"),
        HolderChange("d", email="d@b.org"),
        HolderChange("b", email="b2@b.org"),
        HolderChange("c", email="b@b.org"),
    )
    assert taken.refusal is not None
    assert (taken.refusal.code, taken.refusal.field) == ("email_taken", "email")
    assert [new.outcome, moved.outcome, now_free.outcome] == ["created", "changed", "created"]
    [again] = await put(holders, HolderChange("c", email="b@B.ORG"))
    assert again.outcome == "changed"
    await holders.unique(email=False, actor="test", reason="test")
    [free] = await put(holders, HolderChange("e", email="d@b.org"))
    assert free.outcome == "created"


async def test_of_two_who_take_a_name_at_once_one_has_it(holders: Holders) -> None:
    await holders.unique(username=True, actor="test", reason="test")
    await put(holders, *(HolderChange(f"h{i}") for i in range(0, 20, 2)))
    done = await asyncio.gather(
        *(put(holders, HolderChange(f"h{i}", username="Neo")) for i in range(20))
    )
    outcomes = [d.outcome for [d] in done]
    assert outcomes.count("refused") == 19


@pytest.mark.parametrize("name", [{}, {"external_id": "a", "holder_id": 1}])
async def test_a_holder_is_named_by_exactly_one(holders: Holders, name: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await holders.get(**name)


@pytest.mark.parametrize("who", ["nobody", "", "a\x00b", "\ud800"])
async def test_nobody_is_found_under_a_strange_name(holders: Holders, who: str) -> None:
    with pytest.raises(BursarError) as caught:
        await holders.get(who)
    assert caught.value.code == "holder_unknown"

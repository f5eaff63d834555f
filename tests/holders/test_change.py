"""One change of one holder, on condition that the holder is still what was read (H2)."""

import asyncio
from typing import Any

import pytest

from bursar.holders import Holder, HolderChange, Holders, Upserted, version_of
from bursar.platform.errors import BursarError, Conflict, Invalid, Rejected


async def change(holders: Holders, said: HolderChange, **on: Any) -> tuple[Upserted, Holder]:
    return await holders.change(said, actor="test", reason="because", **on)


async def test_a_change_is_answered_with_the_holder_as_it_then_is(holders: Holders) -> None:
    done, ada = await change(holders, HolderChange("ada", tier="pro"))
    assert (done.outcome, ada.tier) == ("created", "pro")
    done, ada = await change(holders, HolderChange("ada", username="Ada"))
    assert (done.outcome, ada) == ("changed", await holders.get("ada"))


async def test_any_change_moves_the_version_but_a_login_does_not(holders: Holders) -> None:
    _, first = await change(holders, HolderChange("ada"))
    await holders.seen(["ada"])
    assert version_of(await holders.get("ada")) == version_of(first)
    for said in (HolderChange("ada", email="a@b.org"), HolderChange("ada", attributes={"a": 1})):
        before = version_of(await holders.get("ada"))
        _, after = await change(holders, said)
        assert version_of(after) != before


async def test_who_has_moved_is_not_changed_by_who_has_not_seen_it(holders: Holders) -> None:
    _, first = await change(holders, HolderChange("ada"))
    await change(holders, HolderChange("ada", tier="pro"), expect=version_of(first))
    with pytest.raises(Conflict) as caught:
        await change(holders, HolderChange("ada", tier="basic"), expect=version_of(first))
    now = await holders.get("ada")
    assert caught.value.code == "precondition_failed"
    assert caught.value.fields["version"] == version_of(now)
    assert now.tier == "pro"


async def test_who_must_be_there_or_must_not_is_looked_for(holders: Holders) -> None:
    for expect in ("*", "0123456789"):
        with pytest.raises(Conflict):
            await change(holders, HolderChange("ada"), expect=expect)
    await change(holders, HolderChange("ada"), new=True)
    with pytest.raises(Conflict):
        await change(holders, HolderChange("ada", tier="pro"), new=True)
    assert (await holders.get("ada")).tier == ""
    await change(holders, HolderChange("ada", tier="pro"), expect="*")


async def test_of_many_who_change_what_they_read_one_succeeds(holders: Holders) -> None:
    _, first = await change(holders, HolderChange("ada"))
    tiers = [f"tier_{n}" for n in range(8)]
    done = await asyncio.gather(
        *(change(holders, HolderChange("ada", tier=t), expect=version_of(first)) for t in tiers),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert all(isinstance(one, Conflict) for one in done if isinstance(one, BaseException))


@pytest.mark.parametrize(
    ("said", "family", "field"),
    [
        (HolderChange("ada", email="nowhere"), Invalid, "email"),
        (HolderChange("erased:7"), Invalid, "external_id"),
        (HolderChange("ada", username="Ben"), Rejected, "username"),
    ],
)
async def test_a_refused_change_says_why_and_leaves_all_as_it_was(
    holders: Holders, said: HolderChange, family: type[BursarError], field: str
) -> None:
    await holders.unique(username=True, actor="test", reason="because")
    await change(holders, HolderChange("ben", username="ben"))
    _, ada = await change(holders, HolderChange("ada"))
    with pytest.raises(family) as caught:
        await change(holders, said)
    assert (caught.value.code, caught.value.fields["field"]) == ("holder_refused", field)
    assert await holders.get("ada") == ada

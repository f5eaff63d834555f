"""Erasure removes what is personal and leaves the books intact (H4)."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from bursar.holders import HolderChange, Holders, Wanted, store_people
from bursar.ledger import Credit
from bursar.platform.errors import Missing, Rejected
from tests.holders.conftest import put
from tests.ledger.books import damage, everything, table

VOICE = {"actor": "ann", "reason": "asked to be forgotten"}
ADA = HolderChange(
    "ada@secret", username="secret-name", email="ada@secret.org", locale="nn-NO",
    time_zone="Europe/Oslo", tier="pro", attributes={"secret": "secret"},
    last_login_at=datetime(2026, 6, 1, tzinfo=UTC),
)  # fmt: skip


async def waiting(database: Any, number: int) -> None:
    """Return when so many wait for a lock."""
    query = "select count(*), pg_sleep(0.01)::text from pg_stat_activity"
    query += " where datname = current_database() and wait_event_type = 'Lock'"
    while await asyncio.to_thread(table, database.owner_url, query) != [(number, "")]:
        pass


async def give(holders: Holders, holder: str) -> None:
    grant = Credit(holder=holder, asset="coins", reference="r", amount=500)
    (await holders.ledger.submit(grant, actor="a", reason="r")).unwrap()


async def test_nothing_personal_is_left_and_the_books_are_sound(
    holders: Holders, database: Any
) -> None:
    await holders.unique(username=True, email=True, actor="test", reason="test")
    await put(holders, ADA)
    await put(holders, HolderChange("ada@secret", status="past_due"))
    await give(holders, "ada@secret")
    before = everything(database.owner_url)
    erased = await holders.erase("ada@secret", with_credit=True, **VOICE)
    assert everything(database.owner_url) == before
    assert damage(database.owner_url) == []
    assert (await holders.ledger.verify()).ok
    assert erased.external_id == f"erased:{erased.holder_id}"
    assert (erased.status, erased.attributes, erased.last_login_at) == ("canceled", "{}", None)
    for name in ("holders", "holder_ids", "holder_names", "holder_history"):
        text = str(table(database.owner_url, f"select t::text from bursar.{name} t"))
        assert "secret" not in text
        assert "Oslo" not in text
    history = (await holders.history(holder_id=erased.holder_id)).items
    assert [(p.status, p.actor) for p in history] == [("past_due", "ann"), ("active", "test")]
    wallet = await holders.ledger.wallet(erased.external_id, "coins")
    assert wallet.balance == 500


async def test_an_erased_holder_is_nobody_to_programs(holders: Holders) -> None:
    [done] = await put(holders, ADA)
    erased = await holders.erase("ada@secret", **VOICE)
    async with holders.ledger.database.connection() as connection:
        mark = await store_people.read_mark(connection)
        people = await store_people.read_people(connection, ["status"], first=1, last=9)
        assert people.holder_ids == []
        since = erased.created_at
        assert await store_people.changed_between(connection, None, mark, since, since) == []
    assert (await holders.list()).items == ()
    assert (await holders.list(Wanted(erased=True))).items == (erased,)
    assert erased.holder_id == done.holder_id


async def test_who_has_credit_is_not_erased_unless_told(holders: Holders) -> None:
    await put(holders, HolderChange("ada"))
    await give(holders, "ada")
    with pytest.raises(Rejected) as caught:
        await holders.erase("ada", **VOICE)
    assert caught.value.code == "holder_has_credit"
    assert caught.value.fields["wallets"] == [{"asset": "coins", "balance": 500, "held": 0}]
    assert (await holders.get("ada")).erased_at is None


async def test_a_second_erasure_is_no_error(holders: Holders) -> None:
    await put(holders, HolderChange("ada"))
    first = await holders.erase("ada", **VOICE)
    assert await holders.erase(first.external_id, **VOICE) == first
    assert await holders.erase(holder_id=first.holder_id, **VOICE) == first
    with pytest.raises(Missing):
        await holders.erase("ada", **VOICE)


async def test_the_same_id_may_be_enrolled_anew_as_another_holder(holders: Holders) -> None:
    await holders.unique(username=True, actor="test", reason="test")
    await put(holders, HolderChange("ada", username="ada"))
    first = await holders.erase("ada", **VOICE)
    [second] = await put(holders, HolderChange("ada", username="ada"))
    assert second.outcome == "created"
    assert second.holder_id != first.holder_id
    again = await holders.erase("ada", **VOICE)
    assert again.external_id == f"erased:{second.holder_id}"


async def test_a_change_that_waited_for_an_erasure_enrols_anew(
    holders: Holders, database: Any
) -> None:
    """What is personal must not come back into the row that was just emptied."""
    await put(holders, HolderChange("ada", email="a@secret.org"))
    async with holders.ledger.database.transaction() as tx:
        await tx.execute("select 1 from bursar.holders for update")
        erasing = asyncio.create_task(holders.erase("ada", **VOICE))
        await waiting(database, 1)
        changing = asyncio.create_task(put(holders, HolderChange("ada", email="new@secret.org")))
        await waiting(database, 2)
    erased = await erasing
    [done] = await changing
    row = await holders.get(holder_id=erased.holder_id)
    assert (row.email, row.erased_at) == (None, erased.erased_at)
    assert done.outcome == "created"
    assert (await holders.get("ada")).holder_id != erased.holder_id


async def test_who_only_had_a_wallet_can_be_erased(holders: Holders) -> None:
    await give(holders, "ben")
    erased = await holders.erase("ben", with_credit=True, **VOICE)
    assert erased.erased_at is not None
    with pytest.raises(Missing):
        await holders.ledger.wallet("ben", "coins")


async def test_a_tombstones_name_that_somebody_bears_is_made_longer(holders: Holders) -> None:
    [done] = await put(holders, HolderChange("ada"))
    await give(holders, f"erased:{done.holder_id}")
    erased = await holders.erase("ada", **VOICE)
    assert erased.external_id.startswith(f"erased:{done.holder_id}:")

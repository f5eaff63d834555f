"""What programs read of people: facts, the past, marks, logins."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bursar.holders import FACTS, HolderChange, Holders, Login, store_people
from bursar.platform.database import Connection
from bursar.platform.errors import Invalid, Missing
from tests.holders.conftest import put

JUNE = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


async def changed(connection: Connection, after: Any, before: Any, *days: int) -> list[int]:
    first, last = (JUNE + n * DAY for n in days or (-9, -8))
    return await store_people.changed_between(connection, after, before, first, last)


async def test_every_fact_can_be_read_of_everybody_in_order(holders: Holders) -> None:
    await put(
        holders,
        HolderChange("ada", created_at=JUNE, tier="pro", attributes={"a": [1]}, locale="en"),
        HolderChange("ben", created_at=JUNE, subscription_start=JUNE, at=JUNE + DAY),
    )
    async with holders.ledger.database.connection() as connection:
        highest = await store_people.highest_holder_id(connection)
        people = await store_people.read_people(connection, tuple(FACTS), first=1, last=highest)
        assert people.holder_ids == sorted(people.holder_ids)
        ada, ben = (dict(zip(FACTS, facts, strict=True)) for facts in people.facts)
        assert (ada["external_id"], ada["tier"], ada["locale"]) == ("ada", "pro", "en")
        assert ada["attributes"] == '{"a": [1]}'
        assert (ben["tier"], ben["locale"], ben["subscription_start"]) == ("", None, JUNE)
        assert people.settled == [JUNE, JUNE + DAY]
        assert people.subscription_starts == [None, JUNE]
        assert people.created == [JUNE, JUNE]
        assert len({*people.facts}) == 2
        these = await store_people.read_these(connection, ["status"], [highest, 999])
        assert (these.holder_ids, these.facts) == ([highest], [("active",)])
        bare = await store_people.read_people(connection, [], first=1, last=highest)
        assert bare.facts == [(), ()]
        none = await store_people.read_people(connection, ["tier"], first=50, last=60)
        assert none.holder_ids == []


async def test_a_fact_that_is_none_is_refused(holders: Holders) -> None:
    async with holders.ledger.database.connection() as connection:
        with pytest.raises(Invalid):
            await store_people.read_people(connection, ["email; drop"], first=1, last=2)


async def test_the_past_is_read_oldest_first(holders: Holders) -> None:
    await put(holders, HolderChange("ada", created_at=JUNE, status="trialing"))
    await put(holders, HolderChange("ada", status="active", at=JUNE + DAY))
    [done] = await put(holders, HolderChange("ada", status="canceled", at=JUNE + 2 * DAY))
    await put(holders, HolderChange("ben"))
    async with holders.ledger.database.connection() as connection:
        past = await store_people.read_past(connection, [1, 2, 3, done.holder_id or 0])
    assert {k: [(p.status, p.since, p.until) for p in v] for k, v in past.items()} == {
        done.holder_id: [
            ("trialing", JUNE, JUNE + DAY),
            ("active", JUNE + DAY, JUNE + 2 * DAY),
        ]
    }


async def test_between_two_marks_is_who_changed_between_them(holders: Holders) -> None:
    database = holders.ledger.database
    [ada] = await put(holders, HolderChange("ada"))
    async with database.connection() as connection:
        first = await store_people.read_mark(connection)
        assert await changed(connection, None, first) == [ada.holder_id]
        [ben] = await put(holders, HolderChange("ben"))
        await put(holders, HolderChange("ada", username="nobody asks"), HolderChange("ben"))
        await holders.seen(["ada"])
        second = await store_people.read_mark(connection)
        assert await changed(connection, first, second) == [ben.holder_id]
        await put(holders, HolderChange("ada", attributes={"a": 1}))
        third = await store_people.read_mark(connection)
        assert await changed(connection, second, third) == [ada.holder_id]
        assert await changed(connection, third, third) == []


async def test_a_change_that_is_not_committed_yet_is_not_passed(holders: Holders) -> None:
    database = holders.ledger.database
    async with database.connection() as connection:
        async with database.transaction() as tx:
            [slow] = await put(holders, HolderChange("slow"), tx=tx)
            [quick] = await put(holders, HolderChange("quick"))
            mark = await store_people.read_mark(connection)
            assert await changed(connection, None, mark) == []
        later = await store_people.read_mark(connection)
        assert await changed(connection, mark, later) == [slow.holder_id, quick.holder_id]


async def test_marks_of_an_earlier_epoch_come_before(holders: Holders, database: Any) -> None:
    [ada] = await put(holders, HolderChange("ada"))
    async with holders.ledger.database.connection() as connection:
        old = await store_people.read_mark(connection)
        with psycopg.connect(database.owner_url) as owner:
            owner.execute("update bursar.economy set epoch = epoch + 1")
        new = await store_people.read_mark(connection)
        assert new > old
        assert await changed(connection, None, new) == [ada.holder_id]
        assert await changed(connection, old, new) == []


async def test_whose_subscription_begins_is_among_the_changed(holders: Holders) -> None:
    done = await put(
        holders,
        *(HolderChange(f"h{n}", subscription_start=JUNE + n * DAY) for n in range(4)),
    )
    async with holders.ledger.database.connection() as connection:
        mark = await store_people.read_mark(connection)
        found = await changed(connection, mark, mark, 0, 2)
    assert found == [done[1].holder_id, done[2].holder_id]


async def test_logins_are_known_by_day_for_63_days(holders: Holders) -> None:
    [ada] = await put(holders, HolderChange("ada"))
    before = await holders.get("ada")
    for day in (0, 3, 62, 61, -40, 62, -1):  # late ones too
        await holders.seen({"ada": JUNE + day * DAY})

    async def known() -> set[int]:
        async with holders.ledger.database.connection() as connection:
            return {
                day
                for day in range(-50, 130)
                if await store_people.logged_in(
                    connection, 1, 9, date(2026, 6, 1) + timedelta(days=day)
                )
            }

    assert await known() == {0, 3, 61, 62}
    after = await holders.get("ada")
    assert after.last_login_at == JUNE + 62 * DAY
    assert (after.matters_since, after.changes) == (before.matters_since, before.changes)
    await holders.seen({"ada": JUNE + 63 * DAY})
    assert await known() == {3, 61, 62, 63}
    await holders.seen({"ada": JUNE + 126 * DAY})
    assert await known() == {126}
    assert ada.holder_id == after.holder_id


async def test_a_login_in_an_upsert_is_noted_like_any_other(holders: Holders) -> None:
    await put(holders, HolderChange("ada", last_login_at=JUNE))
    [later] = await put(holders, HolderChange("ada", last_login_at=JUNE + DAY))
    [older] = await put(holders, HolderChange("ada", last_login_at=JUNE))
    assert (later.outcome, older.outcome) == ("changed", "unchanged")
    async with holders.ledger.database.connection() as connection:
        for day in (1, 2):
            found = await store_people.logged_in(connection, 1, 9, date(2026, 6, day))
            assert len(found) == 1


async def test_logins_of_strangers_are_told_and_of_the_future_refused(holders: Holders) -> None:
    await put(holders, HolderChange("ada"))
    seen = await holders.seen(["ada", "nobody"])
    assert (seen.noted, seen.unknown) == (1, ("nobody",))
    for wrong in (datetime.now(UTC) + DAY, datetime(2026, 1, 1)):  # noqa: DTZ001
        with pytest.raises(Invalid):
            await holders.seen(["ada"], at=wrong)
    for wrong_ids in ([], "ada", ["\x00"]):
        with pytest.raises(Invalid):
            await holders.seen(wrong_ids)
    with pytest.raises(Missing):
        await holders.get("nobody")


async def test_somebody_may_be_there_several_times_in_one_note(holders: Holders) -> None:
    await put(holders, HolderChange("ada"), HolderChange("ben"))
    days = [JUNE + day * DAY for day in (2, 0, 1, 2)]
    seen = await holders.note([*(Login("ada", day) for day in days), Login("ben", JUNE)])
    assert (seen.noted, seen.unknown) == (2, ())
    async with holders.ledger.database.connection() as connection:
        for day, there in ((1, 2), (2, 1), (3, 1), (4, 0)):
            found = await store_people.logged_in(connection, 1, 9, date(2026, 6, day))
            assert len(found) == there


async def test_of_a_thousand_days_in_one_note_the_last_are_kept(holders: Holders) -> None:
    await put(holders, HolderChange("ada"))
    await holders.note([Login("ada", JUNE - day * DAY) for day in range(1_000)])
    assert (await holders.get("ada")).last_login_at == JUNE

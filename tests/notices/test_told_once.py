"""Each fact is told once, also where runs go on, workers meet, and the books are restored."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Credit, Ledger, LotTerms
from bursar.notices.inbox.service import Inboxes
from bursar.notices.making import dispatching
from bursar.notices.making.placing import read_outlets
from bursar.notices.making.service import Maker
from bursar.notices.model import Channel, Kind, NoticeSettings
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.sending.store import claim
from bursar.notices.store import read_state
from bursar.platform.database import Connection
from bursar.programs.library import Library
from bursar.programs.model import Amount, Calendar, Rolling, RunId, Terms
from bursar.programs.runs import store as runs
from bursar.programs.service import Programs
from bursar.programs.store import raise_alert
from bursar.programs.switches import Switches
from tests.notices.conftest import WHO, Queue, Tell
from tests.notices.test_inbox import credit, inbox, post

STEP = Amount(formula="int(holder.attributes.step)")
"""By which who has no step is set aside."""

Slices = Callable[[int], Awaitable[None]]


@pytest.fixture
def slices(ledger: Ledger) -> Slices:
    """Begin to tell of what has ended, and do so many slices: then the worker is killed."""

    async def slices(count: int) -> None:
        kinds = ProgramKinds()

        async def begin(connection: Connection) -> None:
            outlets = await read_outlets(connection, mail=True)
            await dispatching.begin(connection, kinds, await read_state(connection), outlets)

        async def one(connection: Connection) -> bool:
            outlets = await read_outlets(connection, mail=True)
            return await dispatching.do_slice(
                connection, ledger, Library(), kinds, outlets, Switches()
            )

        await ledger.database.retrying(begin)
        for _ in range(count):
            assert await ledger.database.retrying(one)

    return slices


@pytest.fixture
def mend(programs: Programs) -> Callable[..., Awaitable[None]]:
    """Let the rules decide these, who were set aside."""

    async def mend(*names: str, **said: Any) -> None:
        changes = [HolderChange(name, attributes={"step": 1}, **said) for name in names]
        await programs.holders.upsert(changes, **WHO)

    return mend


def told_of(queue: Queue, channel: str = "email") -> list[int]:
    """Whom the queue tells something, in order."""
    return sorted(d["holder_id"] for d in queue(channel))


def ids(queue: Queue) -> list[str]:
    """The notices in what machines are sent."""
    return [n["id"] for d in queue("webhook") for n in d["data"]["notices"]]


async def test_a_run_that_goes_on_while_a_chunk_is_half_told_is_told_whole(
    programs: Programs,
    maker: Maker,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    mend: Any,
    slices: Slices,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatching, "SLICE", 2)
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("a", "b", "c", "d", "e", attributes={"step": 1})
    await mailed("x")
    await put(terms=Terms(notices=("deposit",)), amount=STEP)
    clock(2026, 4, 1)
    await programs.do_all_due()
    await slices(1)
    assert told_of(queue) == [1, 2]

    await mend("x")
    clock(2026, 4, 2)
    await programs.do_all_due()
    await maker.dispatch()
    assert told_of(queue) == [1, 2, 3, 4, 5, 6]


async def test_who_is_left_out_is_told_to_machines_once_though_the_run_goes_on(
    programs: Programs,
    maker: Maker,
    tell: Tell,
    put: Any,
    queue: Queue,
    endpoint: Any,
    mailed: Any,
    mend: Any,
    clock: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    endpoint()
    await mailed("a", "b", attributes={"step": 1})
    await mailed("x")
    await put(
        who={"high": "int(holder.attributes.step) > 1"},
        keep_reasons=("high",),
        terms=Terms(notices=("refresh_failed",)),
    )
    clock(2026, 4, 1)
    await programs.do_all_due()
    await maker.dispatch()
    assert len(ids(queue)) == 2

    await mend("x", "b", tier="silver")  # so that a run for joiners looks at both
    clock(2026, 4, 2)
    await programs.do_all_due()
    await maker.dispatch()
    assert len(ids(queue)) == len(set(ids(queue))) == 3
    assert told_of(queue) == [1, 2, 3]


async def test_what_is_given_while_the_run_is_canceled_is_told_when_it_is_done(
    programs: Programs,
    maker: Maker,
    ledger: Ledger,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    clock: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("a")
    await put(terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.tick()
    async with ledger.database.transaction() as connection:
        chunk = await runs.claim(connection)
        assert chunk is not None
        await programs._executor._do(connection, chunk)
        await programs.runs.cancel(RunId(1), **WHO)
        await maker.dispatch()
    await maker.dispatch()

    assert told_of(queue) == [1]


async def test_a_run_that_goes_on_is_told_of_only_when_it_has_ended_again(
    ledger: Ledger,
    maker: Maker,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    mend: Any,
    slices: Slices,
    clock: Any,
    database: Any,
) -> None:
    """Its chunks may be done in any order, and what is told goes by their numbers."""
    programs = Programs(ledger, chunk=1)
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("a", attributes={"step": 1})
    await mailed("x", "y")
    await put(terms=Terms(notices=("deposit",)), amount=STEP)
    clock(2026, 4, 1)
    await programs.do_all_due()
    await slices(1)
    await mend("x", "y")
    assert await programs.runs.retry(RunId(1), **WHO) == 2
    with psycopg.connect(database.owner_url) as other:
        other.execute("select 1 from bursar.run_chunks where chunk_no = 4 for update")
        await programs.runs.work()
        assert [f.holder for f in await programs.runs.failures(RunId(1))] == ["x"]
        await programs.runs.pause(RunId(1), **WHO)
    await maker.dispatch()
    assert told_of(queue) == [1]

    await programs.runs.resume(RunId(1), **WHO)
    await programs.runs.work()
    await maker.dispatch()
    assert told_of(queue) == [1, 2, 3]


async def test_a_run_of_a_program_that_is_switched_off_keeps_no_other_from_being_told(
    programs: Programs, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("a")
    await put("one", terms=Terms(notices=("deposit",)))
    await put("two", terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.tick()
    await programs.switch("one", on=False, **WHO)
    await programs.runs.work()
    await maker.dispatch()
    assert [d["data"]["program"] for d in queue()] == ["two"]

    await programs.switch("one", on=True, **WHO)
    await programs.runs.work()
    await maker.dispatch()
    assert [d["data"]["program"] for d in queue()] == ["two", "one"]


async def test_of_a_run_that_was_under_way_when_notices_began_the_rest_is_told(
    ledger: Ledger, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    programs = Programs(ledger, chunk=1)
    clock(2026, 3, 1)
    await mailed("a", "b")
    await put(terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.tick()
    assert await programs._executor.work_one()
    clock(2026, 4, 2)
    await tell(NoticeSettings())
    await programs.runs.work()
    await maker.dispatch()

    assert told_of(queue) == [2]


async def test_operators_machines_hear_of_a_matter_once_though_others_come(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, endpoint: Any
) -> None:
    await tell(NoticeSettings())
    endpoint()
    for run in ("run_1", "run_2", "run_3"):
        async with ledger.database.transaction() as connection:
            await raise_alert(connection, "awards_failing", run, "2 holders have failed")
        await maker.tell_operators()

    assert len(ids(queue)) == len(set(ids(queue))) == 3


async def test_two_who_remind_at_once_remind_everybody_once(
    programs: Programs,
    ledger: Ledger,
    maker: Maker,
    tell: Tell,
    put: Any,
    queue: Queue,
    endpoint: Any,
    mailed: Any,
    clock: Any,
    database: Any,
) -> None:
    """The second sees one more who is due by then: its batch is another."""
    joined = clock(2026, 3, 1)
    await tell(NoticeSettings())
    endpoint()
    await mailed("a", "b", created_at=joined)
    await put(schedule=Rolling(days=30), terms=Terms(notices=("reminder",)))
    await mailed("c", created_at=clock(2026, 3, 1, 1))
    await programs.do_all_due()
    clock(2026, 3, 28)
    blocked = "select count(*) from pg_locks where not granted"
    with (
        psycopg.connect(database.owner_url) as slow,
        psycopg.connect(database.owner_url, autocommit=True) as watch,
    ):

        async def wait_for(many: int) -> None:
            while watch.execute(blocked).fetchone() != (many,):  # noqa: ASYNC110 - a row
                await asyncio.sleep(0)

        slow.execute("lock table bursar.deliveries in share mode")
        first = asyncio.create_task(maker.look_ahead())
        await wait_for(1)
        clock(2026, 3, 28, 2)
        second = asyncio.create_task(maker.look_ahead())
        await wait_for(2)
    await asyncio.gather(first, second)

    assert len(ids(queue)) == len(set(ids(queue))) == 3
    assert told_of(queue) == [1, 2, 3]


async def test_a_program_that_is_retired_warns_of_what_it_gave(
    programs: Programs,
    ledger: Ledger,
    maker: Maker,
    inboxes: Inboxes,
    tell: Tell,
    put: Any,
    mailed: Any,
    clock: Any,
) -> None:
    now = clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia")
    await put("gone", schedule=Calendar(every="month"), terms=Terms(notices=("expiring_soon",)))
    lot = LotTerms(expires_at=now + timedelta(days=20), origin="gone")
    await post(ledger, credit(lot=lot))
    async with ledger.database.transaction() as connection:
        await programs.retire(connection, "gone", **WHO)
    clock(2026, 3, 15)
    await maker.look_ahead()

    assert [n.kind for n in await inbox(inboxes)] == [Kind.EXPIRING_SOON]


async def test_an_asset_that_is_new_is_told_of(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, mailed: Any
) -> None:
    await tell()
    await mailed("mia")
    known = ledger.assets

    async def assets_and_one_more(**said: Any) -> Any:
        found = await known(**said)
        if len(found) == 1:
            await ledger.add_asset("gems", **WHO)
            await post(ledger, Credit(holder="mia", asset="gems", amount=1, reference="g"))
        return found

    await post(ledger, credit())
    await maker.follow()
    ledger.assets = assets_and_one_more  # type: ignore[method-assign]
    await post(ledger, credit(2))
    await maker.follow()
    await maker.follow()

    assert sorted(d["data"]["asset"] for d in queue()) == ["coins", "coins", "gems"]


async def test_somebody_whose_name_begins_like_a_run_is_followed(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, mailed: Any
) -> None:
    await tell()
    await mailed("mia")
    await ledger.post([credit()], actor="run_club", reason="play")
    await maker.follow()

    assert told_of(queue) == [1]


async def test_after_a_restore_nothing_is_claimed_before_it_has_been_parked(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, mailed: Any, database: Any
) -> None:
    await tell(NoticeSettings(send=(Kind.DEPOSIT,), operators=("ops@club.example",)))
    await mailed("mia")
    await post(ledger, credit())
    await maker.follow()
    async with ledger.database.transaction() as connection:
        await raise_alert(connection, "awards_failing", "run_1", "2 holders have failed")
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("update bursar.economy set epoch = epoch + 1")
    await maker.tell_operators()

    async def claimed(connection: Connection) -> int:
        found = await claim(connection, Channel.EMAIL, most=9, lease_s=90, per_endpoint=9)
        return len(found.claims)

    assert await ledger.database.retrying(claimed) == 0
    assert [d["state"] for d in queue()] == ["waiting", "parked"]
    await maker.follow()
    assert [d["state"] for d in queue()] == ["parked", "parked"]
    await post(ledger, credit(2))
    await maker.follow()
    assert await ledger.database.retrying(claimed) == 1


async def test_a_look_after_a_long_time_goes_no_further_back_than_is_kept(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, clock: Any
) -> None:
    clock(2026, 1, 1)
    await tell(NoticeSettings(send=(Kind.DEPOSIT,), keep_days=30))
    await post(ledger, credit(1))
    await inbox(inboxes)
    clock(2026, 1, 2)
    await post(ledger, credit(2))
    clock(2026, 3, 1)
    await post(ledger, credit(3))

    assert "c2" not in [n.data["reference"] for n in await inbox(inboxes)]


async def test_a_busy_wallet_is_looked_at_in_slices_and_each_entry_once(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bursar.notices.inbox.service._SLICE", 3)
    await tell()
    await post(ledger, *(credit(n) for n in range(9)))
    first = await inbox(inboxes)
    await post(ledger, *(credit(n) for n in range(9, 20)))

    looks = await asyncio.gather(*(inbox(inboxes) for _ in range(6)))
    assert [n.data["reference"] for n in first] == [f"c{n}" for n in range(8, -1, -1)]
    assert [n.data["reference"] for n in looks[0]] == [f"c{n}" for n in range(19, -1, -1)]
    assert all(look == looks[0] for look in looks)


async def test_what_came_later_is_told_though_a_follower_was_broken_off(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, mailed: Any, database: Any
) -> None:
    await tell()
    await mailed("mia")
    await post(ledger, credit(1))
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("alter table bursar.cursors add constraint no check (posting_id < 0)")
        with pytest.raises(psycopg.errors.CheckViolation):
            await maker.follow()
        assert queue() == []
        owner.execute("alter table bursar.cursors drop constraint no")
    await post(ledger, credit(2))
    await maker.follow()

    assert [d["data"]["reference"] for d in queue()] == ["c1", "c2"]


async def test_many_who_are_due_at_one_instant_are_all_reminded(
    programs: Programs,
    maker: Maker,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bursar.notices.making.reminding.SLICE", 2)
    joined = clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed(*"abcde", created_at=joined)
    await put(schedule=Rolling(days=30), terms=Terms(notices=("reminder",)))
    await mailed(*"fgh", created_at=clock(2026, 3, 1, 1))
    await programs.do_all_due()
    clock(2026, 3, 29)
    await maker.look_ahead()

    assert told_of(queue) == [1, 2, 3, 4, 5, 6, 7, 8]

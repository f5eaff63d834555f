"""What is put into the queue: once for each fact and place, when it is due, never from before."""

from datetime import datetime, time, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Credit, Ledger, LotTerms
from bursar.notices import kinds
from bursar.notices.inbox.service import Inboxes
from bursar.notices.making.model import DispatchState
from bursar.notices.making.service import Dispatches, Maker
from bursar.notices.model import Kind, NoticeSettings, QuietHours
from bursar.notices.preferences import NoticePreferences
from bursar.notices.program_kinds import ProgramKinds
from bursar.platform.errors import Conflict, Missing
from bursar.programs.model import Amount, Calendar, Override, Rolling, RunId, Terms
from bursar.programs.service import Programs
from bursar.programs.store import raise_alert
from bursar.programs.switches import Switches
from tests.notices.conftest import TELL_ALL, WHO, Queue, Tell
from tests.notices.test_inbox import credit, debit, post


async def test_a_single_movement_is_placed_once_for_each_place(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, endpoint: Any, mailed: Any
) -> None:
    await tell()
    await mailed("mia")
    every, low_only = endpoint(), endpoint("low_balance")
    await post(ledger, credit(amount=500))
    for _ in range(3):
        await maker.make_all_due()

    [webhook], [mail] = queue("webhook"), queue("email")
    assert (webhook["endpoint_id"], webhook["kind"]) == (every, "deposit")
    assert mail["data"]["amount"] == 500
    assert mail["notice_id"] == webhook["notice_id"] == webhook["data"]["notices"][0]["id"]
    await post(ledger, debit(450))
    await maker.make_all_due()
    assert {d["endpoint_id"] for d in queue("webhook")[1:]} == {every, low_only}


async def test_the_inbox_and_the_letter_are_one_notice(
    ledger: Ledger, maker: Maker, inboxes: Inboxes, tell: Tell, queue: Queue, mailed: Any
) -> None:
    await tell()
    await mailed("mia")
    await post(ledger, credit())
    await maker.follow()

    [shown] = (await inboxes.page("mia")).items
    assert [d["notice_id"] for d in queue()] == [str(shown.notice_id)]


async def test_who_has_no_address_or_does_not_wish_it_gets_no_letter(
    ledger: Ledger,
    maker: Maker,
    preferences: NoticePreferences,
    tell: Tell,
    queue: Queue,
    mailed: Any,
) -> None:
    await tell()
    await mailed("bo")
    await post(ledger, credit(), Credit(holder="bo", asset="coins", amount=1, reference="b"))
    await preferences.change("bo", choices={"deposit": {"email": False}}, **WHO)
    await maker.follow()

    assert queue() == []


async def test_nothing_from_before_notices_began_is_sent(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, mailed: Any
) -> None:
    await mailed("mia")
    await post(ledger, credit(1))
    await maker.make_all_due()
    await tell()
    await maker.make_all_due()
    assert queue() == []

    await post(ledger, credit(2))
    await maker.follow()
    assert [d["data"]["reference"] for d in queue()] == ["c2"]


async def test_a_letter_waits_for_the_end_of_the_night(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 1, 22, 30)
    await tell(msgspec.structs.replace(TELL_ALL, quiet=QuietHours(time(22), time(7))))
    await mailed("mia", time_zone="UTC")
    await post(ledger, credit())
    await maker.follow()

    [letter] = queue("email")
    waits = msgspec.convert(letter["due_at"], datetime) - msgspec.convert(
        letter["made_at"], datetime
    )
    assert timedelta(hours=8, minutes=29) < waits <= timedelta(hours=8, minutes=30)


async def test_what_a_run_gives_is_told_when_it_has_ended_in_batches_for_machines(
    programs: Programs,
    maker: Maker,
    dispatches: Dispatches,
    tell: Tell,
    put: Any,
    queue: Queue,
    endpoint: Any,
    mailed: Any,
    clock: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    endpoint()
    await mailed(*(f"m{n}" for n in range(1_201)))
    await put(terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.tick()
    await maker.make_all_due()
    assert queue() == [], "the run has not ended"
    await programs.runs.work()
    await maker.make_all_due()
    await maker.make_all_due()

    assert len(queue("email")) == 1_201
    batches = queue("webhook")
    assert [len(b["data"]["notices"]) for b in batches] == [500, 500, 201]
    assert {b["data"]["run"] for b in batches} == {"run_1"}
    told = {n["id"] for b in batches for n in b["data"]["notices"]}
    assert told == {letter["notice_id"] for letter in queue("email")}
    [dispatch] = (await dispatches.list()).items
    assert (dispatch.state, dispatch.run, dispatch.program) == ("finished", "run_1", "monthly")
    assert (dispatch.holders, dispatch.looked, dispatch.made) == (1_201, 1_201, 1_204)


async def test_while_a_run_is_giving_nothing_is_told_of_another(
    programs: Programs, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia", "bo")
    await put("one", terms=Terms(notices=("deposit",)))
    await put("two", terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    first, second = (await programs.tick()).begun
    await programs.runs.work(first)
    await maker.dispatch()
    assert queue() == []

    await programs.runs.work(second)
    await maker.dispatch()
    assert len(queue()) == 4


async def test_of_a_run_of_which_there_is_nothing_to_tell_nothing_stays(
    programs: Programs,
    maker: Maker,
    dispatches: Dispatches,
    tell: Tell,
    put: Any,
    clock: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await programs.holders.upsert([HolderChange("mia")], **WHO)  # who has no address
    await put(terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.do_all_due()
    await maker.dispatch()

    assert (await dispatches.list()).items == ()


async def test_a_dispatch_that_is_paused_goes_on_where_it_was_and_one_canceled_never(
    programs: Programs,
    maker: Maker,
    dispatches: Dispatches,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    clock: Any,
    database: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia", "bo")
    await put(terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.do_all_due()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into bursar.dispatches (run_id, started_at, state) values (1, now(), 'paused')"
        )
    await maker.dispatch()
    assert queue() == []

    resumed = await dispatches.resume(1, **WHO)
    assert resumed.state is DispatchState.RUNNING
    await maker.dispatch()
    assert len(queue()) == 2
    await dispatches.cancel(1, **WHO)
    with pytest.raises(Conflict, match="canceled"):
        await dispatches.resume(1, **WHO)
    with pytest.raises(Missing):
        await dispatches.pause(2, **WHO)


async def test_who_is_set_aside_is_told_when_they_have_been_given_theirs(
    programs: Programs, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    """The retry adds a chunk to a run that was told of."""
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("bo", attributes={"step": 7})
    await mailed("mia")
    await put(
        terms=Terms(notices=("deposit",)), amount=Amount(formula="int(holder.attributes.step)")
    )
    clock(2026, 4, 1)
    await programs.do_all_due()
    await maker.dispatch()
    assert [d["data"]["balance"] for d in queue()] == [7]

    await programs.holders.upsert([HolderChange("mia", attributes={"step": 9})], **WHO)
    assert await programs.runs.retry(RunId(1), **WHO) == 1
    await programs.runs.work()
    await maker.dispatch()
    assert [d["data"]["balance"] for d in queue()] == [7, 9]


async def test_a_run_that_is_taken_back_is_told_as_a_correction(
    programs: Programs, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia")
    await put(terms=Terms(notices=("deposit", "corrected")))
    clock(2026, 4, 1)
    await programs.do_all_due()
    await maker.dispatch()
    await programs.runs.revert(1, "clip", **WHO)
    await programs.runs.work()
    await maker.dispatch()

    assert [(d["kind"], d["data"]["amount"]) for d in queue()] == [
        ("deposit", 50_000),
        ("corrected", -50_000),
    ]


async def test_who_is_left_out_is_written_to_once_and_told_why(
    programs: Programs, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia", "bo", status="past_due")
    await put(
        who={"subscription": 'holder.status == "active"'},
        keep_reasons=("subscription",),
        terms=Terms(notices=("deposit", "refresh_failed")),
    )
    clock(2026, 4, 1)
    await programs.do_all_due()
    await maker.dispatch()

    assert [d["data"]["reason"] for d in queue()] == ["subscription"] * 2


async def test_who_is_left_out_at_a_retry_is_told_and_those_told_before_are_not_told_again(
    programs: Programs,
    maker: Maker,
    inboxes: Inboxes,
    tell: Tell,
    put: Any,
    queue: Queue,
    endpoint: Any,
    clock: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    endpoint()
    await put(
        who={
            "subscription": 'holder.status == "active"',
            "known": 'holder.attributes.country == "DE"',
        },
        keep_reasons=("subscription",),
        terms=Terms(notices=("refresh_failed",)),
    )
    people = [
        HolderChange("mia", status="active", attributes={"country": 7}),
        HolderChange("bo", status="past_due"),
    ]
    await programs.holders.upsert(people, **WHO)
    clock(2026, 4, 1)
    await programs.do_all_due()
    await maker.dispatch()
    await programs.holders.upsert([HolderChange("mia", status="past_due")], **WHO)
    clock(2026, 4, 2)
    await programs.do_all_due()
    await maker.dispatch()

    told = [[notice["holder_id"] for notice in d["data"]["notices"]] for d in queue("webhook")]
    assert told == [[await inboxes.number_of(name)] for name in ("bo", "mia")]


async def test_a_cycle_is_reminded_of_once_three_days_before(
    programs: Programs,
    maker: Maker,
    inboxes: Inboxes,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    clock: Any,
) -> None:
    joined = clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia", created_at=joined)
    await mailed("bo", created_at=joined, status="past_due")
    await put(
        schedule=Rolling(days=30),
        who={"subscription": 'holder.status == "active"'},
        terms=Terms(notices=("reminder",)),
    )
    await programs.do_all_due()
    await maker.make_all_due()
    assert queue() == []
    assert await maker.next_due() == joined + timedelta(days=27)

    for day in (28, 29, 30):
        clock(2026, 3, day)
        await programs.do_all_due()
        await maker.make_all_due()
    [letter] = queue()
    assert letter["data"]["due_at"] == "2026-03-31T00:00:00Z"
    assert letter["data"]["amount"] == 50_000
    [shown] = (await inboxes.page("mia")).items
    assert str(shown.notice_id) == letter["notice_id"]
    assert (await inboxes.page("bo")).items == ()


async def test_a_period_is_reminded_of_once_to_those_who_will_be_given_something(
    programs: Programs,
    maker: Maker,
    dispatches: Dispatches,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    clock: Any,
) -> None:
    clock(2026, 3, 20)
    await tell(NoticeSettings())
    await mailed("mia", "bo", "cy")
    await put(schedule=Calendar(every="month"), terms=Terms(notices=("reminder",)))
    await programs.set_override("monthly", "bo", Override(paused=True), **WHO)
    await programs.set_override("monthly", "cy", Override(amount=70), **WHO)
    for day in (27, 29, 30, 31):
        clock(2026, 3, day)
        await maker.make_all_due()

    told = sorted((d["data"]["amount"], d["data"]["period"]) for d in queue())
    assert told == [(70, "2026-04"), (50_000, "2026-04")]
    [dispatch] = (await dispatches.list()).items
    assert (dispatch.period, dispatch.looked, dispatch.holders) == ("2026-04", 3, 3)


async def test_of_programs_that_a_setting_turns_off_nobody_is_reminded(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, put: Any, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 30)
    await tell(NoticeSettings())
    await mailed("mia")
    await put(schedule=Calendar(every="month"), terms=Terms(notices=("reminder",)))
    off = Maker(ledger, ProgramKinds(), mail=True, switches=Switches(enabled=False))
    await off.make_all_due()
    assert await off.next_due() is None
    assert (await inboxes.page("mia")).items == ()


async def test_a_dispatch_that_cannot_go_on_is_paused_and_keeps_nobody_from_theirs(
    programs: Programs,
    maker: Maker,
    dispatches: Dispatches,
    tell: Tell,
    put: Any,
    queue: Queue,
    mailed: Any,
    clock: Any,
    database: Any,
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await mailed("mia")
    await put("one", terms=Terms(notices=("deposit",)))
    await put("two", terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.do_all_due()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "alter table bursar.deliveries add constraint no check (data ->> 'program' <> 'one')"
        )
        await maker.dispatch()
        told = [d["data"]["program"] for d in queue()]
        [alert] = await programs.alerts()
        owner.execute("alter table bursar.deliveries drop constraint no")

    states = {d.program: d.state for d in (await dispatches.list()).items}
    assert (told, states) == (["two"], {"one": "paused", "two": "finished"})
    assert (alert.kind, alert.subject) == ("dispatch_stuck", "dispatch_1")
    await dispatches.resume(1, **WHO)
    await maker.dispatch()
    assert len(queue()) == 2


async def test_a_reminder_whose_period_has_begun_comes_too_late(
    programs: Programs, maker: Maker, tell: Tell, put: Any, queue: Queue, mailed: Any, clock: Any
) -> None:
    clock(2026, 3, 30)
    await tell(NoticeSettings())
    await mailed("mia")
    await put(schedule=Calendar(every="month"), terms=Terms(notices=("reminder",)))
    await maker.look_ahead()
    clock(2026, 4, 1, 1)
    await maker.dispatch()

    assert queue() == []


async def test_credit_that_expires_is_warned_of_once_for_each_instant(
    ledger: Ledger,
    maker: Maker,
    inboxes: Inboxes,
    tell: Tell,
    queue: Queue,
    mailed: Any,
    clock: Any,
) -> None:
    now = clock(2026, 3, 1)
    await tell()
    await mailed("mia")
    await maker.look_ahead()
    first, second = now + timedelta(days=20), now + timedelta(days=21)
    lots = [(1, first), (2, first), (3, second), (4, now + timedelta(days=400))]
    await post(ledger, *(credit(n, 10, lot=LotTerms(expires_at=at)) for n, at in lots))
    await maker.look_ahead()
    assert await maker.next_due() == first - timedelta(days=7)
    for day in (13, 14, 15, 16):
        clock(2026, 3, day)
        await maker.look_ahead()

    expiring = [n.data for n in (await inboxes.page("mia")).items if n.kind == "expiring_soon"]
    assert [(d["amount"], d["expires_at"]) for d in expiring] == [
        (10, "2026-03-22T00:00:00Z"),
        (20, "2026-03-21T00:00:00Z"),
    ]
    assert [d["data"]["amount"] for d in queue() if d["kind"] == "expiring_soon"] == [20, 10]


async def test_operators_are_told_of_each_open_matter_once(
    ledger: Ledger, maker: Maker, tell: Tell, queue: Queue, endpoint: Any
) -> None:
    await tell(NoticeSettings(operators=("ops@club.example", "cto@club.example")))
    endpoint("operator_alert")
    async with ledger.database.transaction() as connection:
        await raise_alert(connection, "awards_failing", "run_7", "2 holders have failed 3 times")
        await raise_alert(connection, "failures_of_the_day", "2026-03-01", "2 holders failed")
    for _ in range(3):
        await maker.tell_operators()

    letters = [(d["kind"], d["address"]) for d in queue("email")]
    assert sorted(letters) == [
        ("failure_summary", "cto@club.example"),
        ("failure_summary", "ops@club.example"),
        ("operator_alert", "cto@club.example"),
        ("operator_alert", "ops@club.example"),
    ]
    async with ledger.database.transaction() as connection:
        await raise_alert(connection, "run_halted", "run_8", "the first 1,000 awards have failed")
    await maker.tell_operators()
    told = [notice["data"]["alert"] for d in queue("webhook") for notice in d["data"]["notices"]]
    assert told == ["awards_failing", "run_halted"]


async def test_after_a_restore_nothing_is_sent_a_second_time(
    ledger: Ledger,
    maker: Maker,
    inboxes: Inboxes,
    tell: Tell,
    queue: Queue,
    mailed: Any,
    database: Any,
) -> None:
    await tell()
    await mailed("mia")
    await post(ledger, credit(1))
    await maker.follow()
    await post(ledger, credit(2))  # not followed when the backup was made
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("update bursar.economy set epoch = 2")
    await maker.follow()
    await post(ledger, credit(3))
    await maker.follow()

    assert [(d["state"], d["note"]) for d in queue()] == [
        ("parked", "restored"),
        ("parked", "restored"),
        ("waiting", ""),
    ]
    assert len((await inboxes.page("mia")).items) == 3


async def test_without_a_server_and_endpoints_nothing_is_read_or_made(
    ledger: Ledger, tell: Tell, queue: Queue, mailed: Any, programs: Programs, put: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell()
    await mailed("mia")
    await put(terms=Terms(notices=("deposit",)))
    clock(2026, 4, 1)
    await programs.do_all_due()
    await post(ledger, credit())
    maker = Maker(ledger, ProgramKinds(), mail=False)
    await maker.make_all_due()

    assert queue() == []
    assert (await ledger.lag("notices")).entries == 0
    assert (await Dispatches(ledger.database).list()).items == ()


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_row_in_the_catalogue(kind: Kind) -> None:
    assert kinds.__doc__ is not None
    assert kinds.__doc__.count(f"| `{kind}`") == 2

"""An inbox holds each fact once, from the first look after its commit."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Credit, Debit, Ledger, PlaceHold, Reverse
from bursar.ledger.commands import AnyCommand
from bursar.notices.inbox.service import Inboxes
from bursar.notices.making.service import Maker
from bursar.notices.model import InboxNotice, Kind, NoticeSettings
from bursar.notices.preferences import NoticePreferences
from bursar.platform.errors import BursarError, Invalid, Missing
from bursar.programs.model import Calendar, Rolling, Terms
from bursar.programs.service import Programs
from tests.notices.conftest import TELL_ALL, WHO, Tell


async def post(ledger: Ledger, *commands: AnyCommand) -> None:
    for result in await ledger.post(commands, **WHO):
        result.unwrap()


def credit(number: int = 1, amount: int = 50, **said: Any) -> Credit:
    return Credit(holder="mia", asset="coins", amount=amount, reference=f"c{number}", **said)


def debit(amount: int, reference: str = "d1") -> Debit:
    return Debit(holder="mia", asset="coins", amount=amount, reference=reference)


async def inbox(inboxes: Inboxes, holder: str = "mia", **asked: Any) -> list[InboxNotice]:
    return list((await inboxes.page(holder, **asked)).items)


async def kinds(inboxes: Inboxes, holder: str = "mia") -> list[Kind]:
    """The kinds in an inbox, the newest first."""
    return [notice.kind for notice in await inbox(inboxes, holder)]


async def test_a_deposit_is_there_at_the_first_look(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(amount=70))

    [notice] = await inbox(inboxes)
    assert notice.kind is Kind.DEPOSIT
    assert (notice.data["amount"], notice.data["balance"]) == (70, 70)
    assert notice.read_at is None
    assert await inboxes.unread("mia") == 1


async def test_looking_again_makes_nothing_twice(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(1))
    first = await inbox(inboxes)
    await post(ledger, credit(2))

    again = await inbox(inboxes)
    assert again[1:] == first
    assert len(again) == 2


async def test_many_who_look_at_once_find_each_fact_once(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, *(credit(n) for n in range(20)))

    looks = await asyncio.gather(*(inbox(inboxes) for _ in range(12)))
    assert all(look == looks[0] for look in looks)
    assert len({notice.data["reference"] for notice in looks[0]}) == len(looks[0]) == 20


async def test_what_was_before_notices_began_is_not_told(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await post(ledger, credit(1))
    assert await inbox(inboxes) == []

    await tell()
    assert await inbox(inboxes) == []
    await post(ledger, credit(2))
    assert [n.data["reference"] for n in await inbox(inboxes)] == ["c2"]


async def test_what_is_older_than_is_kept_is_not_told(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, clock: Any
) -> None:
    clock(2026, 1, 1)
    await tell(NoticeSettings(send=(Kind.DEPOSIT,), keep_days=30))
    await post(ledger, credit(1))
    clock(2026, 2, 20)
    await post(ledger, credit(2))

    assert [n.data["reference"] for n in await inbox(inboxes)] == ["c2"]


async def test_each_movement_that_is_told_is_told_as_what_it_is(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, clock: Any
) -> None:
    now = clock(2026, 3, 1)
    await tell()
    hold = PlaceHold(
        holder="mia", asset="coins", amount=20, reference="h1", deadline=now + timedelta(hours=1)
    )
    await post(ledger, credit(amount=150), hold, debit(60))
    clock(2026, 3, 2)
    await ledger.sweep()
    await post(ledger, Reverse(holder="mia", asset="coins", target="c1", reference="r1"))

    told = [Kind.CORRECTED, Kind.HOLD_LAPSED, Kind.LOW_BALANCE, Kind.DEPOSIT]
    assert await kinds(inboxes) == told


async def test_an_award_is_told_at_the_first_look_after_its_chunk(
    programs: Programs, inboxes: Inboxes, tell: Tell, put: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await programs.holders.upsert([HolderChange("mia"), HolderChange("bo")], **WHO)
    terms = Terms(notices=("deposit",))
    await put(schedule=Calendar(every="month"), terms=terms)
    clock(2026, 4, 1)
    seen: list[int] = []
    await programs.tick()
    await programs.runs.work(after_chunk=lambda: seen.append(1))

    [notice] = await inbox(inboxes)
    assert seen, "no chunk was done"
    assert (notice.kind, notice.data["amount"]) == (Kind.DEPOSIT, 50_000)
    assert (notice.data["program"], notice.data["period"]) == ("monthly", "2026-04")


async def test_a_program_that_sends_nothing_is_not_told(
    programs: Programs, inboxes: Inboxes, tell: Tell, put: Any, clock: Any
) -> None:
    clock(2026, 3, 1)
    await tell(TELL_ALL)
    await programs.holders.upsert([HolderChange("mia")], **WHO)
    await put(schedule=Calendar(every="month"))
    clock(2026, 4, 1)
    await programs.do_all_due()

    assert await inbox(inboxes) == []


async def test_who_is_left_out_is_told_once_a_period_and_why(
    programs: Programs, inboxes: Inboxes, tell: Tell, put: Any, clock: Any
) -> None:
    clock(2026, 1, 1)
    await tell(NoticeSettings())
    await programs.holders.upsert([HolderChange("mia", status="past_due")], **WHO)
    await put(
        schedule=Rolling(days=30, grace_days=33),
        who={"subscription": 'holder.status == "active"'},
        keep_reasons=("subscription",),
        terms=Terms(notices=("refresh_done", "refresh_failed")),
    )
    await programs.do_all_due()
    for day in (1, 2, 3):  # within the grace it is looked at again
        clock(2026, 2, day)
        await programs.do_all_due()

    [notice] = await inbox(inboxes)
    assert notice.kind is Kind.REFRESH_FAILED
    assert notice.data["reason"] == "subscription"


async def test_who_is_left_out_is_told_though_an_exclusion_of_long_ago_was_forgotten(
    programs: Programs, inboxes: Inboxes, tell: Tell, put: Any, clock: Any, ledger: Ledger
) -> None:
    """In the long run one is forgotten for each that comes: there are always as many."""
    clock(2026, 1, 1)
    await tell(NoticeSettings())
    await programs.holders.upsert([HolderChange("mia", status="past_due")], **WHO)
    await put(
        who={"subscription": 'holder.status == "active"'},
        keep_reasons=("subscription",),
        terms=Terms(notices=("refresh_failed",)),
    )
    clock(2026, 2, 1)
    await programs.do_all_due()
    assert [notice.data["period"] for notice in await inbox(inboxes)] == ["2026-02"]
    async with ledger.database.connection() as connection:
        await connection.execute("delete from bursar.run_exclusions")
    clock(2026, 3, 1)
    await programs.do_all_due()

    told = [notice.data["period"] for notice in await inbox(inboxes)]
    assert told == ["2026-03", "2026-02"]


async def test_who_wants_none_in_the_inbox_has_none(
    ledger: Ledger, inboxes: Inboxes, preferences: NoticePreferences, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(1))
    await preferences.change("mia", choices={"deposit": {"inbox": False}}, **WHO)
    assert await inbox(inboxes) == []

    await preferences.change("mia", choices={"deposit": {"inbox": None}}, **WHO)
    await post(ledger, credit(2))
    assert [n.data["reference"] for n in await inbox(inboxes)] == ["c2"]


async def test_reading_counts_once_and_dismissing_puts_away(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(1), credit(2), credit(3))
    newest, middle, oldest = await inbox(inboxes)

    read = await inboxes.read("mia", str(middle.notice_id))
    assert (await inboxes.read("mia", str(middle.notice_id))).read_at == read.read_at
    await inboxes.dismiss("mia", str(oldest.notice_id))
    await inboxes.dismiss("mia", str(oldest.notice_id))

    assert await inboxes.unread("mia") == 1
    assert await inbox(inboxes, unread=True) == [newest]
    assert await inbox(inboxes) == [newest, read]
    with pytest.raises(Missing, match="no such notice"):
        await inboxes.read("mia", str(oldest.notice_id))


async def test_reading_all_stops_at_what_was_shown(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(1), credit(2))
    shown = (await inbox(inboxes))[0].number
    await post(ledger, credit(3))

    assert await inboxes.read_all("mia", shown) == 2
    assert await inboxes.unread("mia") == 1
    assert await inboxes.read_all("mia") == 1
    assert await inboxes.unread("mia") == 0


async def test_pages_follow_one_another_while_new_ones_come(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, *(credit(n) for n in range(5)))
    first = await inboxes.page("mia", limit=2)
    await post(ledger, credit(9))
    second = await inboxes.page("mia", limit=2, cursor=first.cursor)
    last = await inboxes.page("mia", limit=2, cursor=second.cursor)

    shown = [n.data["reference"] for page in (first, second, last) for n in page.items]
    assert shown == ["c4", "c3", "c2", "c1", "c0"]
    assert last.cursor is None


async def test_an_inbox_is_shown_by_when_things_happened(
    programs: Programs, maker: Maker, inboxes: Inboxes, tell: Tell, put: Any, clock: Any
) -> None:
    """A reminder is stored when it is due, deposits when somebody looks."""
    clock(2026, 3, 1)
    await tell(NoticeSettings())
    await programs.holders.upsert([HolderChange("mia")], **WHO)
    await put(schedule=Calendar(every="month"), terms=Terms(notices=("deposit", "reminder")))
    for day in ((2026, 4, 1), (2026, 4, 29)):
        clock(*day)
        await programs.do_all_due()
        await maker.make_all_due()

    first = await inboxes.page("mia", limit=1)
    second = await inboxes.page("mia", limit=1, cursor=first.cursor)
    assert [n.kind for n in (*first.items, *second.items)] == [Kind.REMINDER, Kind.DEPOSIT]
    assert second.cursor is None
    assert await inboxes.newest(1) == second.items[0].number > first.items[0].number


@pytest.mark.parametrize(
    "cursor", ["1", "1-", "-1", "x-1", "1-x", "9" * 19 + "-1", "1-" + "9" * 20]
)
async def test_a_cursor_that_no_page_gave_is_refused(
    ledger: Ledger, inboxes: Inboxes, cursor: str
) -> None:
    await post(ledger, credit())
    with pytest.raises(Invalid, match="cursor"):
        await inboxes.page("mia", cursor=cursor)


async def test_a_stranger_s_notice_is_none_of_this_inbox(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(1), Credit(holder="bo", asset="coins", amount=5, reference="b"))
    [hers] = await inbox(inboxes, "bo")

    for wrong in (str(hers.notice_id), str(uuid4()), "no id", "", "\x00"):
        with pytest.raises(Missing):
            await inboxes.read("mia", wrong)
        with pytest.raises(Missing):
            await inboxes.dismiss("mia", wrong)
    assert await inboxes.unread("bo") == 1


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"holder": "nobody"}, Missing),
        ({"holder": "mia", "limit": 0}, Invalid),
        ({"holder": "mia", "limit": 1_001}, Invalid),
        ({"holder": "mia", "cursor": "x"}, Invalid),
    ],
)
async def test_what_cannot_be_listed_is_said(
    ledger: Ledger, inboxes: Inboxes, asked: dict[str, Any], error: type[BursarError]
) -> None:
    await post(ledger, credit(1))
    with pytest.raises(error):
        await inboxes.page(**asked)


async def test_a_look_that_fails_leaves_nothing_behind(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, database: Any
) -> None:
    await tell()
    await post(ledger, credit(1))
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("alter table bursar.inbox_cursors add constraint no check (seq < 0)")
        with pytest.raises(psycopg.errors.CheckViolation):
            await inbox(inboxes)
        assert owner.execute("select count(*) from bursar.notices").fetchall() == [(0,)]
        owner.execute("alter table bursar.inbox_cursors drop constraint no")

    assert len(await inbox(inboxes)) == 1


async def test_what_is_new_after_a_place_comes_in_its_order(
    ledger: Ledger, inboxes: Inboxes, tell: Tell
) -> None:
    await tell()
    await post(ledger, credit(1))
    holder_id = await inboxes.number_of("mia")
    [before] = await inbox(inboxes)
    tips = await inboxes.tips([holder_id])
    assert await inboxes.tips([holder_id]) == tips
    await post(ledger, credit(2), credit(3))

    assert await inboxes.tips([holder_id]) != tips
    came = await inboxes.since(holder_id, before.number)
    assert [n.data["reference"] for n in came] == ["c2", "c3"]


async def test_old_notices_are_forgotten_and_do_not_come_back(
    ledger: Ledger, inboxes: Inboxes, tell: Tell, clock: Any
) -> None:
    clock(2026, 1, 1)
    await tell(NoticeSettings(send=(Kind.DEPOSIT,), keep_days=30))
    await post(ledger, credit(1))
    assert len(await inbox(inboxes)) == 1
    clock(2026, 2, 15)
    await post(ledger, credit(2))

    assert await inboxes.forget() == 1
    assert await inboxes.forget() == 0
    assert [n.data["reference"] for n in await inbox(inboxes)] == ["c2"]

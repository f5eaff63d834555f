"""What people read agrees with a naive reading of the entries themselves (L9, L12)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from random import Random
from typing import Any, NamedTuple

import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.catalogue import Kind
from bursar.ledger.decision.distribution import Distribution
from bursar.ledger.model import Entry, LotTerms, Result, WalletKey
from bursar.ledger.posting import store
from bursar.ledger.reading import wallets as reading
from bursar.ledger.reading.wallets import Filter
from bursar.ledger.service import Ledger
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Invalid, Missing
from bursar.platform.pages import Page
from tests.ledger.books import damage, table
from tests.ledger.conftest import SetClock

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
ADA: dict[str, Any] = {"holder": "ada", "asset": "coins"}
BEN: dict[str, Any] = {"holder": "ben", "asset": "coins"}
SOURCES = ("daily_reward", "bet_placed", "bet_won", "signup_bonus", None)


class Line(NamedTuple):
    """What a naive reader needs of an entry."""

    seq: int
    kind: str
    source: str | None
    amount: int
    balance: int
    effective_at: datetime
    recorded_at: datetime


async def post(ledger: Ledger, *commands: c.AnyCommand, reason: str = "reading") -> list[Result]:
    results = await ledger.post(commands, actor="test", reason=reason)
    for result in results:
        result.unwrap()
    return results


async def busy_wallet(ledger: Ledger, set_clock: SetClock, count: int, seed: int = 1) -> None:
    """Give ada ``count`` entries: many in one instant, some dated back, of several kinds."""
    random = Random(seed)
    now = NOON
    set_clock(now)
    await post(ledger, c.Credit(**ADA, reference="first", amount=10**9))
    done = 1
    while done < count:
        size = min(random.choice((1, 7, 90, 200)), count - done)
        batch = [_any_entry(random, f"r{done + i}", now) for i in range(size)]
        await post(ledger, *batch)
        done += size
        now += random.choice((TICK, TICK, HOUR, timedelta(days=1)))
        set_clock(now)


def _any_entry(random: Random, reference: str, now: datetime) -> c.AnyCommand:
    common = {
        **ADA,
        "reference": reference,
        "source": random.choice(SOURCES),
        "effective_at": None
        if random.randrange(6)
        else now - random.choice((TICK, HOUR, 20 * HOUR)),
    }
    amount = random.choice((1, 5, 20))
    match random.randrange(5):
        case 0:
            return c.Debit(**common, amount=amount)
        case 1:
            return c.Debit(**common, amount=amount, kind="adjust")
        case 2:
            return c.SetLimit(**common, limit=amount)
        case _:
            kind = random.choice(("grant", "earn", "purchase", "adjust"))
            return c.Credit(**common, amount=amount, kind=kind)


def lines(owner_url: str, holder: str = "ada") -> list[Line]:
    """A wallet's entries as they lie in the database, the oldest first."""
    rows = table(
        owner_url,
        "select seq, kind, source, amount, balance, effective_at, recorded_at from bursar.entries"
        " join bursar.holder_ids using (holder_id) where external_id = %s and asset_id = 1"
        " order by seq",
        holder,
    )
    return [Line(*row) for row in rows]


async def walk(ask: Callable[..., Awaitable[Page[Entry]]], limit: int, **more: Any) -> list[Entry]:
    """Turn the pages to the end."""
    cursor, found = None, []
    while True:
        page = await ask(limit=limit, cursor=cursor, **more)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
        assert len(page.items) == limit


def place(entry: Entry) -> tuple[int, int, int]:
    return entry.holder_id, entry.asset_id, entry.seq


# --- a wallet as it stands ------------------------------------------------------------------


async def test_lapsed_holds_and_expired_lots_do_not_count_before_any_sweep(
    ledger: Ledger, set_clock: SetClock
) -> None:
    set_clock(NOON)
    await post(
        ledger,
        c.Credit(**ADA, reference="plain", amount=100),
        c.Credit(**ADA, reference="short", amount=30, lot=LotTerms(NOON + HOUR)),
        c.Credit(**ADA, reference="long", amount=50, lot=LotTerms(NOON + 9 * HOUR, origin="plan")),
        c.PlaceHold(**ADA, reference="brief", amount=40, deadline=NOON + 2 * HOUR),
        c.PlaceHold(**ADA, reference="firm", amount=20),
    )
    before = await ledger.wallet(**ADA)
    assert (before.balance, before.held, before.available) == (180, 60, 120)
    assert [(lot.remaining, lot.held) for lot in before.lots] == [(0, 30), (20, 30)]
    set_clock(NOON + 2 * HOUR)
    after = await ledger.wallet(**ADA)
    assert (after.balance, after.held, after.available) == (150, 20, 130)
    assert [hold.reference for hold in after.holds] == ["firm"]
    assert [(lot.remaining, lot.held) for lot in after.lots] == [(30, 20)]
    assert (after.seq, after.at) == (before.seq, NOON + 2 * HOUR)
    told = await ledger.explain(**ADA)
    assert (told.recorded, told.overdue, told.plain) == (180, 30, 100)
    assert told.wallet == after
    assert await ledger.sweep() == 1
    swept = await ledger.wallet(**ADA)
    assert (swept.balance, swept.held, swept.lots, swept.holds) == (
        after.balance,
        after.held,
        after.lots,
        after.holds,
    )
    assert (await ledger.explain(**ADA)).overdue == 0


async def test_an_explanation_tells_of_each_lot_who_opened_it_and_what_drew_from_it(
    ledger: Ledger, set_clock: SetClock
) -> None:
    set_clock(NOON)
    terms = LotTerms(NOON + 9 * HOUR, origin="plan")
    grant = c.Credit(**ADA, reference="lot", amount=50, lot=terms, metadata={"tier": "pro"})
    await post(ledger, grant, reason="the monthly grant")
    await post(
        ledger,
        c.Debit(**ADA, reference="spend", amount=20),
        c.Reverse(**ADA, reference="undo", target="spend", amount=5),
    )
    told = await ledger.explain(**ADA)
    (story,) = told.lots
    assert (story.lot.remaining, story.lot.origin) == (35, "plan")
    assert (story.opened_by.reference, story.opened_by.metadata) == ("lot", '{"tier":"pro"}')
    assert (story.posting.actor, story.posting.reason) == ("test", "the monthly grant")
    assert [(draw.reference, draw.amount) for draw in story.draws] == [("undo", 5), ("spend", -20)]
    assert sum(total.amount for total in told.totals) == told.recorded == 35


async def test_an_explanation_tells_which_lots_were_given_more_time(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    set_clock(NOON)
    later = NOON + 20 * HOUR
    await post(
        ledger,
        c.Credit(**ADA, reference="lot", amount=50, lot=LotTerms(NOON + 9 * HOUR)),
        c.Credit(**ADA, reference="other", amount=50, lot=LotTerms(NOON + 90 * HOUR)),
        c.PlaceHold(**ADA, reference="hold", amount=20, deadline=NOON + HOUR),
        c.Extend(**ADA, reference="outage", until=later),
        c.Extend(**ADA, reference="outage of the hold", until=later, hold="hold"),
    )
    told = await ledger.explain(**ADA)
    assert [hold.deadline for hold in told.wallet.holds] == [later]
    given = {
        story.opened_by.reference: [
            (draw.reference, draw.amount, draw.until) for draw in story.draws
        ]
        for story in told.lots
    }
    assert given == {"lot": [("outage", 0, later), ("hold", -20, None)], "other": []}
    assert {story.lot.expires_at for story in told.lots} == {later, NOON + 90 * HOUR}
    set_clock(NOON + 19 * HOUR)
    assert (await ledger.wallet(**ADA)).held == 20
    assert await ledger.sweep() == 0
    set_clock(later)
    assert await ledger.sweep() == 1
    assert (await ledger.wallet(**ADA)).balance == 50
    assert damage(database.owner_url) == []
    assert (await ledger.verify()).ok


@pytest.mark.parametrize("moment", ["read_positions", "read_lots", "read_holds"])
async def test_a_wallet_is_shown_as_it_was_at_one_moment(
    moment: str, ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who posts between two of the reader's queries is seen wholly or not at all."""
    await post(
        ledger,
        c.Credit(**ADA, reference="old", amount=10, lot=LotTerms()),
        c.PlaceHold(**ADA, reference="hold", amount=4),
    )
    other = Database(database.url)
    await other.open()
    async with Ledger(other) as second:
        original = getattr(store, moment)
        meanwhile: list[c.AnyCommand] = [
            c.Credit(**ADA, reference="new", amount=10, lot=LotTerms(priority=-1)),
            c.PlaceHold(**ADA, reference="more", amount=12),
        ]

        async def step(*args: Any, **kwargs: Any) -> Any:
            if meanwhile:
                commands, meanwhile[:] = list(meanwhile), []
                await post(second, *commands)
            return await original(*args, **kwargs)

        monkeypatch.setattr(store, moment, step)
        wallet = (await ledger.explain(**ADA)).wallet
    assert sum(hold.remaining for hold in wallet.holds) == wallet.held
    assert sum(lot.remaining + lot.held for lot in wallet.lots) == wallet.balance


async def test_an_explanation_agrees_with_itself_while_others_post(
    ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(ledger, c.Credit(**ADA, reference="a", amount=10))
    original = reading.read_totals

    async def totals(*args: Any) -> Any:
        monkeypatch.undo()
        await post(ledger, c.Credit(**ADA, reference="b", amount=10))
        return await original(*args)

    monkeypatch.setattr("bursar.ledger.reading.explain.read_totals", totals)
    told = await ledger.explain(**ADA)
    assert (told.recorded, told.overdue) == (told.wallet.balance, 0)


# --- statements -----------------------------------------------------------------------------


async def test_pages_bring_every_entry_once_and_the_newest_first(
    ledger: Ledger, set_clock: SetClock
) -> None:
    await busy_wallet(ledger, set_clock, 60)
    for limit in (1, 2, 7, 59, 60, 61):
        found = await walk(ledger.statement, limit, **ADA)
        assert [entry.seq for entry in found] == list(range(60, 0, -1))


async def test_pages_turned_while_entries_are_added_bring_each_old_entry_once(
    ledger: Ledger,
) -> None:
    for number in range(20):
        await post(ledger, c.Credit(**ADA, reference=f"old {number}", amount=1))
    cursor, seen = None, []
    while True:
        page = await ledger.statement(**ADA, limit=3, cursor=cursor)
        seen += [entry.seq for entry in page.items]
        cursor = page.cursor
        if cursor is None:
            break
        await post(ledger, c.Credit(**ADA, reference=f"new {len(seen)}", amount=1))
    assert seen == list(range(20, 0, -1))


async def test_filters_find_what_a_naive_reader_finds(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    """On a wallet that is in the indexes by kind and by source with all but its first thousand."""
    await busy_wallet(ledger, set_clock, 2_500)
    all_lines = lines(database.owner_url)
    assert len(all_lines) == 2_500
    moments = sorted({line.recorded_at for line in all_lines})
    edges = [None, None, *moments, *(moment - TICK for moment in moments), NOON - HOUR]
    random = Random(7)
    for _ in range(60):
        kinds = random.sample(["grant", "spend", "adjust", "limit", "lapse"], random.randrange(4))
        sources = random.sample([*SOURCES[:-1], "no such"], random.randrange(3))
        wanted = Filter(
            kinds=tuple(Kind(kind) for kind in kinds),
            sources=tuple(sources),
            since=random.choice(edges),
            until=random.choice(edges),
        )
        naive = [
            line.seq
            for line in reversed(all_lines)
            if (not kinds or line.kind in kinds)
            and (not sources or line.source in sources)
            and (wanted.since is None or line.recorded_at >= wanted.since)
            and (wanted.until is None or line.recorded_at < wanted.until)
        ]
        limit = random.choice((30, 100, 1_000))
        found = await walk(ledger.statement, limit, **ADA, wanted=wanted)
        assert [entry.seq for entry in found] == naive, wanted


async def test_a_kind_or_source_named_twice_is_found_once(
    ledger: Ledger, set_clock: SetClock
) -> None:
    await busy_wallet(ledger, set_clock, 1_100)
    for once, twice in (
        (Filter(kinds=(Kind.GRANT,)), Filter(kinds=(Kind.GRANT, Kind.GRANT))),
        (Filter(sources=("bet_won",)), Filter(sources=("bet_won", "bet_won"))),
    ):
        expected = await walk(ledger.statement, 100, **ADA, wanted=once)
        assert await walk(ledger.statement, 100, **ADA, wanted=twice) == expected


async def test_since_is_inclusive_and_until_is_exclusive_whatever_the_zone(
    ledger: Ledger, set_clock: SetClock
) -> None:
    for number in range(4):
        set_clock(NOON + number * TICK)
        await post(ledger, c.Credit(**ADA, reference=f"r{number}", amount=1))
    east = timezone(timedelta(hours=5, minutes=30))
    wanted = Filter(since=(NOON + TICK).astimezone(east), until=(NOON + 3 * TICK).astimezone(east))
    page = await ledger.statement(**ADA, wanted=wanted)
    assert [entry.reference for entry in page.items] == ["r2", "r1"]
    ages = Filter(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
    assert len((await ledger.statement(**ADA, wanted=ages)).items) == 4


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize("bad", [datetime(2030, 1, 1), "2030-01-01", 5])  # noqa: DTZ001
async def test_a_statement_is_bounded_by_instants_with_a_zone(
    field: str, bad: Any, ledger: Ledger
) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    with pytest.raises(Invalid) as caught:
        await ledger.statement(**ADA, wanted=Filter(**{field: bad}))
    assert (caught.value.code, caught.value.fields["field"]) == ("statement_filter", field)


@pytest.mark.parametrize("bad", ["a\0", "\ud800", 5, None])
async def test_a_statement_is_not_filtered_by_what_is_no_source(bad: Any, ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1, source="s"))
    with pytest.raises(Invalid) as caught:
        await ledger.statement(**ADA, wanted=Filter(sources=("s", bad)))
    assert (caught.value.code, caught.value.fields["field"]) == ("statement_filter", "sources")


@pytest.mark.parametrize(
    "bad", ["", "x", "1.2", "-1", " 1", "1e3", "٣", "9" * 19, "9" * 20, 5, b"1"]
)
async def test_a_statement_takes_no_cursor_but_its_own(bad: Any, ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    with pytest.raises(Invalid) as caught:
        await ledger.statement(**ADA, cursor=bad)
    assert caught.value.code == "cursor"


@pytest.mark.parametrize(
    "bad", ["", "1", "1.1.1", "1.1.1.1.1", "1.1.x.1", "-1.1.1.1", f"1.1.{2**31}.1", "1..1.1", 5]
)
async def test_the_journal_takes_no_cursor_but_its_own(bad: Any, ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    with pytest.raises(Invalid) as caught:
        await ledger.journal(cursor=bad)
    assert caught.value.code == "cursor"


@pytest.mark.parametrize("bad", [0, -1, 1_001, "x", True, None, 1.0])
async def test_a_page_has_1_to_1000_items(bad: Any, ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    for ask in (partial(ledger.statement, **ADA), ledger.journal):
        with pytest.raises(Invalid) as caught:
            await ask(limit=bad)
        assert caught.value.code == "page_limit"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ({"holder": "nobody", "asset": "coins"}, "holder_unknown"),
        ({"holder": "a\0", "asset": "coins"}, "holder_unknown"),
        ({"holder": "\ud800", "asset": "coins"}, "holder_unknown"),
        ({"holder": "", "asset": "coins"}, "holder_unknown"),
        ({"holder_id": 77, "asset": "coins"}, "holder_unknown"),
        ({"holder_id": 0, "asset": "coins"}, "holder_unknown"),
        ({"holder_id": -1, "asset": "coins"}, "holder_unknown"),
        ({"holder_id": 2**63, "asset": "coins"}, "holder_unknown"),
        ({"holder_id": True, "asset": "coins"}, "holder_unknown"),
        ({"holder": "ada", "asset": "stones"}, "asset_unknown"),
        ({"holder": "ada", "asset": "a\0"}, "asset_unknown"),
        ({"holder": "ada"}, "asset_unknown"),
    ],
)
async def test_what_is_not_there_is_missing(name: Any, code: str, ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    for ask in (ledger.wallet, ledger.explain, ledger.statement, ledger.totals, balance_at(ledger)):
        with pytest.raises(Missing) as caught:
            await ask(**name)
        assert caught.value.code == code


def balance_at(ledger: Ledger) -> Callable[..., Awaitable[int]]:
    return partial(ledger.balance_at, at=NOON)


async def test_a_holder_without_a_wallet_has_nothing_to_show(ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    gems = {"holder": "ada", "asset": "gems"}
    for ask in (ledger.wallet, ledger.explain):
        with pytest.raises(Missing) as caught:
            await ask(**gems)
        assert caught.value.code == "wallet_unknown"
    assert await ledger.statement(**gems) == Page((), None)
    assert await ledger.statement(**gems, wanted=Filter(since=NOON)) == Page((), None)
    assert await ledger.totals(**gems) == []
    assert await ledger.balance_at(**gems, at=datetime.now(UTC)) == 0


async def test_a_wallet_is_named_by_holder_or_by_number(ledger: Ledger) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    by_name = await ledger.wallet("ada", "coins")
    by_number = await ledger.wallet(holder_id=by_name.holder_id, asset="coins")
    assert (by_number.holder, by_number.balance) == ("ada", 1)
    for name in ({}, {"holder": "ada", "holder_id": 1}):
        with pytest.raises(Invalid) as caught:
            await ledger.wallet(asset="coins", **name)
        assert caught.value.code == "wallet_name"


# --- balances of the past, totals -----------------------------------------------------------


async def test_the_balance_at_any_instant_is_a_naive_fold(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    await busy_wallet(ledger, set_clock, 150, seed=3)
    all_lines = lines(database.owner_url)
    assert any(line.effective_at < line.recorded_at for line in all_lines)
    assert len({line.recorded_at for line in all_lines}) < len(all_lines)
    moments = {m for line in all_lines for m in (line.effective_at, line.recorded_at)}
    moments |= {m + d for m in moments for d in (-TICK, TICK)} | {NOON - 400 * HOUR}
    moments |= {datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)}
    for moment in sorted(moments):
        recorded = sum(line.amount for line in all_lines if line.recorded_at <= moment)
        effective = sum(line.amount for line in all_lines if line.effective_at <= moment)
        assert await ledger.balance_at(**ADA, at=moment) == recorded
        assert await ledger.balance_at(**ADA, at=moment, by="effective") == effective


@pytest.mark.parametrize(
    ("at", "by"),
    [
        (datetime(2030, 1, 1), "recorded"),  # noqa: DTZ001
        (NOON, "known"),
        (NOON, []),
        ("2030-01-01T00:00:00Z", "recorded"),
        (None, "recorded"),
    ],
)
async def test_a_balance_of_the_past_is_asked_by_an_instant_with_a_zone(
    at: Any, by: Any, ledger: Ledger
) -> None:
    await post(ledger, c.Credit(**ADA, reference="r", amount=1))
    with pytest.raises(Invalid) as caught:
        await ledger.balance_at(**ADA, at=at, by=by)
    assert caught.value.code == "balance_at"


async def test_totals_take_what_was_reversed_off_the_kind_it_undid(ledger: Ledger) -> None:
    await post(
        ledger,
        c.Credit(**ADA, reference="g", amount=100, source="daily_reward"),
        c.Credit(**ADA, reference="p", amount=500, kind="purchase", source="credit_purchase"),
        c.Debit(**ADA, reference="s", amount=60, source="bet_placed"),
        c.Transfer(**ADA, reference="t", to="ben", amount=40),
        c.Reverse(**ADA, reference="rg", target="g", amount=30),
        c.Reverse(**ADA, reference="rs", target="s", amount=10, source="bet_cancelled"),
        c.Reverse(**ADA, reference="rt", target="t", amount=15),
    )
    told = {(t.kind, t.source): (t.amount, t.entries) for t in await ledger.totals(**ADA)}
    assert told == {
        (Kind.GRANT, "daily_reward"): (100, 1),
        (Kind.GRANT, None): (-30, 1),
        (Kind.PURCHASE, "credit_purchase"): (500, 1),
        (Kind.SPEND, "bet_placed"): (-60, 1),
        (Kind.SPEND, "bet_cancelled"): (10, 1),
        (Kind.TRANSFER_OUT, None): (-25, 2),
    }
    assert [(t.kind, t.amount) for t in await ledger.totals(**BEN)] == [(Kind.TRANSFER_IN, 25)]


async def test_totals_add_up_to_the_balance_recorded(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    await busy_wallet(ledger, set_clock, 300)
    all_lines = lines(database.owner_url)
    naive: Counter[tuple[str, str | None]] = Counter()
    for line in all_lines:
        if line.amount:
            naive[line.kind, line.source] += line.amount
    told = await ledger.totals(**ADA)
    assert {(t.kind, t.source): t.amount for t in told} == naive
    assert sum(total.amount for total in told) == all_lines[-1].balance


# --- the journal ----------------------------------------------------------------------------


async def crowd(ledger: Ledger) -> None:
    """Postings of one entry and of many, of one kind and of several, of many wallets."""
    random = Random(5)
    for number in range(25):
        size = random.choice((1, 1, 1, 2, 9))
        batch: list[c.AnyCommand] = []
        for i in range(size):
            name = {"holder": f"h{random.randrange(6)}", "asset": random.choice(("coins", "gems"))}
            kind = random.choice(("grant", "earn"))
            reference = f"{number}.{i}"
            batch.append(c.Credit(**name, reference=reference, amount=9, kind=kind))
            if random.randrange(3) == 0:
                batch.append(c.Debit(**name, reference=f"{reference}s", amount=1))
        await post(ledger, *batch, reason=f"posting {number}")


async def test_the_journal_brings_every_entry_once_and_the_newest_posting_first(
    ledger: Ledger, database: Any
) -> None:
    await crowd(ledger)
    for kind in (None, Kind.GRANT, Kind.SPEND, Kind.LAPSE):
        rows = table(
            database.owner_url,
            "select holder_id, asset_id, seq from bursar.entries"
            " where kind = %s or %s::text is null"
            " order by posting_id desc, holder_id desc, asset_id desc, seq desc",
            kind,
            kind,
        )
        for limit in (1, 2, 3, 10, 500):
            found = await walk(ledger.journal, limit, kind=kind)
            assert [place(entry) for entry in found] == rows, (kind, limit)


async def test_the_journal_turned_while_entries_are_added_brings_each_old_entry_once(
    ledger: Ledger,
) -> None:
    await crowd(ledger)
    old = await walk(ledger.journal, 100)
    cursor, seen = None, []
    while True:
        page = await ledger.journal(limit=4, cursor=cursor)
        seen += page.items
        cursor = page.cursor
        if cursor is None:
            break
        await post(ledger, c.Credit(**ADA, reference=f"new {len(seen)}", amount=1))
    assert seen == old


async def test_a_posting_says_who_and_why(ledger: Ledger) -> None:
    await ledger.post([c.Credit(**ADA, reference="a", amount=1)], actor="ann", reason="a gift")
    await ledger.post([c.Credit(**ADA, reference="b", amount=1)], actor="bob", reason="a bonus")
    entries = (await ledger.journal()).items
    told = await ledger.postings([entry.posting_id for entry in entries] + [10**6])
    assert [(told[e.posting_id].actor, told[e.posting_id].reason) for e in entries] == [
        ("bob", "a bonus"),
        ("ann", "a gift"),
    ]
    assert {posting.entries for posting in told.values()} == {1}
    assert len(told) == 2


# --- quick, however much there is -----------------------------------------------------------


Reader = Callable[[Any], Awaitable[Any]]
ADA_COINS = WalletKey(1, 1)


def statement(*kinds: Kind, source: str | None = None, limit: int = 50) -> Reader:
    wanted = Filter(kinds=kinds, sources=(source,) if source else ())
    return lambda tx: reading.read_statement(tx, ADA_COINS, wanted, limit=limit, cursor=None)


def journal(kind: Kind | None, cursor: str | None = None) -> Reader:
    return lambda tx: reading.read_journal(tx, kind=kind, limit=50, cursor=cursor)


async def test_no_page_reads_more_than_it_must_of_a_large_table(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    """By the database's own count of the rows it read; an index is used wherever there is one."""
    await large(ledger, set_clock, database.owner_url)
    ((middle,),) = table(database.owner_url, "select max(posting_id) / 2 from bursar.postings")
    reads: dict[str, tuple[Reader, int]] = {
        "statement": (statement(), 60),
        "by a common kind": (statement(Kind.GRANT), 60),
        "by kinds": (statement(Kind.GRANT, Kind.SPEND, Kind.EARN), 160),
        "by a rare kind": (statement(Kind.HOLD), 1_010),
        "by source": (statement(source="bet_won"), 60),
        "by a rare source": (statement(source="once"), 1_010),
        "journal": (journal(None), 60),
        "journal in the middle": (journal(None, f"{middle}.1.1.1"), 60),
        "journal by kind": (journal(Kind.SPEND), 400),
        "journal by a rare kind": (journal(Kind.HOLD), 10),
        "balance": (lambda tx: reading.read_balance_at(tx, ADA_COINS, NOON, "recorded"), 60),
    }
    for name, (read, most) in reads.items():
        async with ledger.database.transaction() as tx:
            before = await work_done(tx)
            found = await read(tx)
            scans, rows = (a - b for a, b in zip(await work_done(tx), before, strict=True))
        assert found
        assert scans == 0, f"{name}: reads the table from end to end"
        assert 0 < rows <= most, f"{name}: reads {rows} rows"


async def work_done(tx: Connection) -> tuple[int, int]:
    """How often this connection has read the entries from end to end, and how many by an index."""
    cursor = await tx.execute(
        "select seq_scan, coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
        " where schemaname = 'bursar' and relname = 'entries'"
    )
    row = await cursor.fetchone()
    return (0, 0) if row is None else (row[0], row[1])


async def large(ledger: Ledger, set_clock: SetClock, owner_url: str) -> None:
    """Fifty thousand entries and more: distributions, a busy wallet, and many small postings."""
    await post(ledger, c.Credit(**ADA, reference="start", amount=10**6))
    await post(ledger, c.PlaceHold(**ADA, reference="hold", amount=1, source="once"))
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "insert into bursar.holder_ids (external_id)"
            " select 'h' || n from generate_series(1, 2000) n"
        )
    for number in range(22):
        given = Distribution(
            asset="coins",
            reference=f"run {number}",
            holder_ids=range(2, 2_002),
            amounts=[5] * 2_000,
        )
        assert (await ledger.distribute(given, actor="run", reason="monthly")).applied == 2_000
    await busy_wallet(ledger, set_clock, 6_000)
    for number in range(300):
        name = {"holder": f"h{number}", "asset": "coins", "reference": "small"}
        await post(ledger, c.Credit(**name, amount=5, kind="earn"))
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("vacuum analyze bursar.entries, bursar.postings, bursar.posting_kinds")
    ((count,),) = table(owner_url, "select count(*) from bursar.entries")
    assert count >= 50_000
    assert damage(owner_url) == []


async def test_all_wallets_of_a_holder_are_those_shown_one_by_one(
    ledger: Ledger, set_clock: SetClock
) -> None:
    set_clock(NOON)
    lot = LotTerms(expires_at=NOON + HOUR)
    for holder in ("ada", "ben"):
        for asset in ("gems", "coins"):
            where: dict[str, Any] = {"holder": holder, "asset": asset}
            await post(
                ledger,
                c.Credit(**where, reference="a", amount=40, lot=lot),
                c.Credit(**where, reference="b", amount=60),
                c.PlaceHold(**where, reference="h", amount=50, deadline=NOON + 2 * HOUR),
            )
    for later in (0 * HOUR, HOUR, 3 * HOUR):
        set_clock(NOON + later)
        found = await ledger.wallets("ada")
        assert found == [await ledger.wallet("ada", asset) for asset in ("coins", "gems")]
    assert [wallet.balance for wallet in found] == [60, 60]
    with pytest.raises(Missing):
        await ledger.wallets("nobody")


async def test_a_hold_is_shown_open_and_after_its_end(ledger: Ledger, set_clock: SetClock) -> None:
    set_clock(NOON)
    await post(
        ledger,
        c.Credit(**ADA, reference="a", amount=100),
        c.PlaceHold(**ADA, reference="kept", amount=10, deadline=NOON + HOUR),
        c.PlaceHold(**ADA, reference="spent", amount=20),
        c.Capture(**ADA, reference="capture", hold="spent"),
    )
    kept = await ledger.hold("ada", "coins", "kept")
    assert (kept.state, kept.remaining) == ("open", 10)
    assert (await ledger.hold("ada", "coins", "spent")).state == "captured"
    set_clock(NOON + HOUR)
    assert (await ledger.hold("ada", "coins", "kept")).state == "lapsed"
    for wrong in ("a", "never", "\x00"):
        with pytest.raises(Missing):
            await ledger.hold("ada", "coins", wrong)


# --- many who ask at once -------------------------------------------------------------------


async def test_wallets_asked_for_at_once_are_each_as_if_asked_for_alone(ledger: Ledger) -> None:
    lots = {"lot": LotTerms(expires_at=datetime(2099, 1, 1, tzinfo=UTC))}
    await post(
        ledger,
        *(c.Credit(holder=f"h{n}", asset="coins", reference="r", amount=n + 1) for n in range(20)),
        c.Credit(**ADA, reference="lot", amount=7, **lots),
        c.PlaceHold(**ADA, reference="hold", amount=3),
    )
    asked = [*(f"h{n}" for n in range(20)), "ada"]
    together = await asyncio.gather(*(ledger.wallet(name, "coins") for name in asked))
    assert [w.balance for w in together] == [*range(1, 21), 7]
    assert (together[-1].available, len(together[-1].lots), len(together[-1].holds)) == (4, 1, 1)


async def test_a_stranger_among_those_who_ask_at_once_is_told_so_alone(ledger: Ledger) -> None:
    await post(
        ledger, c.Credit(**ADA, reference="r", amount=5), c.Credit(**BEN, reference="r", amount=6)
    )
    asked = [("ada", "coins"), ("nobody", "coins"), ("ben", "pearls"), ("ben", "coins")]
    answers = await asyncio.gather(*(ledger.wallet(*one) for one in asked), return_exceptions=True)
    told = [a.code if isinstance(a, Missing) else getattr(a, "balance", a) for a in answers]
    assert told == [5, "holder_unknown", "asset_unknown", 6]


async def test_a_wallet_read_after_an_answer_shows_what_was_answered(ledger: Ledger) -> None:
    async def spend_and_look(n: int) -> None:
        command = c.Credit(holder=f"h{n}", asset="coins", reference="r", amount=5)
        entry = (await ledger.submit(command, actor="test", reason="reading")).unwrap()
        assert (await ledger.wallet(f"h{n}", "coins")).seq == entry.seq

    await asyncio.gather(*(spend_and_look(n) for n in range(100)))


async def test_a_command_may_have_a_reason_of_its_own(ledger: Ledger) -> None:
    results = await post(
        ledger,
        c.Credit(**ADA, reference="a", amount=1),
        c.Credit(**ADA, reference="b", amount=1, reason="a gift"),
        reason="the batch's",
    )
    ids = [r.unwrap().posting_id for r in results]
    postings = await ledger.postings(ids)
    assert [postings[i].reason for i in ids] == ["the batch's", "a gift"]
    [again] = await post(ledger, c.Credit(**ADA, reference="b", amount=1, reason="another"))
    assert again.status == "replayed"


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\x00b", "two\nlines"])
async def test_a_reason_that_is_none_is_refused_with_its_command(
    ledger: Ledger, reason: str
) -> None:
    bad = c.Credit(**ADA, reference="a", amount=1, reason=reason)
    good = c.Credit(**BEN, reference="a", amount=1)
    results = await ledger.post([bad, good], actor="test", reason="because")
    assert [r.status.value for r in results] == ["invalid", "applied"]

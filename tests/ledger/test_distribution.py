"""A distribution leaves what as many credits would leave, and is quicker (L2, L3, P5)."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.decision.checksum import Seal, microseconds, text_fields
from bursar.ledger.decision.distribution import Distributed, Distribution
from bursar.ledger.model import MAX_AMOUNT, LotTerms, Result, Status
from bursar.ledger.posting import store
from bursar.ledger.service import Ledger
from bursar.platform.database import Database
from bursar.platform.errors import BursarError
from tests.ledger.books import damage, everything, table
from tests.ledger.conftest import SetClock

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASSETS = ("coins", "gems")
RUN: dict[str, Any] = {"asset": "coins", "reference": "run:2030-01", "source": "monthly"}


async def post(ledger: Ledger, *commands: c.AnyCommand) -> list[Result]:
    return await ledger.post(commands, actor="test", reason="setting")


async def applied(ledger: Ledger, *commands: c.AnyCommand) -> None:
    for result in await post(ledger, *commands):
        result.unwrap()


async def distribute(
    ledger: Ledger, holder_ids: Any, amounts: Any, tx: Any = None, **more: Any
) -> Distributed:
    given = Distribution(holder_ids=holder_ids, amounts=amounts, **RUN | more)
    return await ledger.distribute(given, actor="run", reason="monthly", tx=tx)


def counts(told: Distributed) -> tuple[int, int, Any]:
    return told.applied, told.replayed, told.refused


def enrolled(owner_url: str, count: int) -> list[int]:
    """Numbers of so many holders without any wallet."""
    with psycopg.connect(owner_url) as owner:
        rows = owner.execute(
            "insert into bursar.holder_ids (external_id)"
            " select 'new ' || n from generate_series(1, %s) n returning holder_id",
            (count,),
        ).fetchall()
    return sorted(number for (number,) in rows)


KINDS_OF_WALLET = (
    "plain",
    "with a lot",
    "with an expired lot",
    "with a lot that is held past its date",
    "with a lot to come",
    "with a hold",
    "with a hold to lapse",
    "with a lapsed hold",
    "in debt",
    "owing",
    "with a credit limit",
    "frozen",
    "closed",
    "full",
    "nearly full",
    "ahead of the clock",
    "asked before",
    "asked before otherwise",
    "new",
)


async def every_kind_of_wallet(
    ledger: Ledger, set_clock: SetClock, owner_url: str
) -> dict[str, int]:
    """Give a holder each kind of wallet there is, the same in both assets; return the numbers."""
    numbers = dict(zip(KINDS_OF_WALLET, enrolled(owner_url, len(KINDS_OF_WALLET)), strict=True))
    for asset in ASSETS:

        def name(kind: str, reference: str, asset: str = asset) -> dict[str, Any]:
            return {"holder_id": numbers[kind], "asset": asset, "reference": reference}

        set_clock(NOON)
        await applied(
            ledger,
            *(
                c.Credit(**name(kind, "start"), amount=40)
                for kind in KINDS_OF_WALLET
                if kind not in {"new", "closed", "full", "nearly full"}
            ),
            c.Credit(**name("with a lot", "lot"), amount=7, lot=LotTerms(priority=2)),
            c.Credit(**name("with an expired lot", "lot"), amount=7, lot=LotTerms(NOON + HOUR)),
            c.Credit(
                **name("with a lot that is held past its date", "lot"),
                amount=7,
                lot=LotTerms(NOON + HOUR),
            ),
            c.PlaceHold(**name("with a lot that is held past its date", "hold"), amount=7),
            c.Credit(**name("with a lot to come", "lot"), amount=7, lot=LotTerms(NOON + 4 * HOUR)),
            c.PlaceHold(**name("with a hold", "hold"), amount=9),
            c.PlaceHold(**name("with a hold to lapse", "hold"), amount=9, deadline=NOON + 4 * HOUR),
            c.PlaceHold(**name("with a lapsed hold", "hold"), amount=9, deadline=NOON + HOUR),
            c.Debit(**name("in debt", "spend"), amount=40),
            c.Reverse(**name("in debt", "back"), target="start", policy="debt"),
            c.Debit(**name("owing", "spend"), amount=40),
            c.Reverse(**name("owing", "back"), target="start", policy="net"),
            c.SetLimit(**name("with a credit limit", "limit"), limit=100),
            c.Debit(**name("with a credit limit", "spend"), amount=90),
            c.SetState(**name("frozen", "frozen"), state="frozen"),
            c.SetState(**name("closed", "closed"), state="closed"),
            c.Credit(**name("full", "start"), amount=MAX_AMOUNT),
            c.Credit(**name("nearly full", "start"), amount=MAX_AMOUNT - 60),
        )
        set_clock(NOON + 5 * HOUR)
        await applied(ledger, c.Credit(**name("ahead of the clock", "late"), amount=1))
        set_clock(NOON + 2 * HOUR)
    return numbers


COUNT = len(KINDS_OF_WALLET) + 2
PRO = {"tier": "pro", "given": {"days": 16, "of": 31}}
NOTES = [PRO, {"tier": "free"}, None, {}, dict(PRO)]

VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "earned": {"kind": "earn"},
    "bought, under a house account of its own": {"kind": "purchase", "house_account": "promo"},
    "with metadata": {"metadata": {"tier": "pro", "b": [1, None, "é"], "a": {"z": 1, "y": 2.5}}},
    "with notes": {"notes": [NOTES[n % 5] for n in range(COUNT)]},
    "with notes over metadata": {
        "notes": [NOTES[n * 2 % 5] for n in range(COUNT)],
        "metadata": {"tier": "none", "run": 7, "z": "é"},
    },
    "with a note for each": {"notes": [{"n": n} for n in range(COUNT)]},
    "with one note for all": {"notes": [PRO] * COUNT},
    "dated back": {"effective_at": NOON + HOUR, "source": None},
    "dated now": {"effective_at": NOON + 2 * HOUR},
    "dated forward": {"effective_at": NOON + 3 * HOUR},
    "in lots": {"lot": LotTerms(NOON + 9 * HOUR, -1, "plan")},
    "in lots that have expired": {"lot": LotTerms(NOON + HOUR)},
}


@pytest.mark.parametrize("sealed", [False, True], ids=["unkeyed", "keyed"])
@pytest.mark.parametrize("variant", VARIANTS)
async def test_it_leaves_what_as_many_credits_leave(
    variant: str, sealed: bool, ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    """The same holders in two assets: one gets a distribution, the other a batch of credits."""
    numbers = await every_kind_of_wallet(ledger, set_clock, database.owner_url)
    given = msgspec.structs.replace(
        Distribution(
            asset="coins",
            reference="run",
            source="monthly",
            holder_ids=[*numbers.values(), 10**6, MAX_AMOUNT],
            amounts=[50 + n for n in range(len(numbers))] + [1, 1],
        ),
        **VARIANTS[variant],
    )
    twin = msgspec.structs.replace(given, asset="gems")
    for one in (given, twin):
        place = KINDS_OF_WALLET.index("asked before")
        note = None if one.notes is None else one.notes[place]
        first = one.credit(numbers["asked before"], 50 + place, note)
        other = one.credit(numbers["asked before otherwise"], 1)
        await post(ledger, first, other)
    if sealed:
        ledger = Ledger(ledger.database, Seal(b"secret", 1))
    told = await ledger.distribute(given, actor="run", reason="monthly")
    notes = twin.notes or [None] * COUNT
    shares = zip(twin.holder_ids, twin.amounts, notes, strict=True)
    parts = [twin.credit(*share) for share in shares]
    results = await ledger.post(parts, actor="run", reason="monthly")
    ended = list(zip(parts, [result.status for result in results], strict=True))
    given_now = [part.amount for part, status in ended if status is Status.APPLIED]
    before = [part.holder_id for part, status in ended if status is Status.REPLAYED]
    assert (told.applied, told.applied_amount) == (len(given_now), sum(given_now))
    assert (told.replayed, list(told.replayed_ids)) == (len(before), before)
    assert told.refused == {
        command.holder_id: result.refusal
        for command, result in zip(parts, results, strict=True)
        if result.refusal is not None
    }
    coins, gems = (as_it_lies(database.owner_url, asset) for asset in ASSETS)
    assert coins == gems
    assert broken_links(database.owner_url, ledger.seal) == []
    if not sealed:
        assert damage(database.owner_url) == []


def broken_links(owner_url: str, seal: Seal) -> list[tuple[Any, ...]]:
    """The entries whose checksum is not what their content and their predecessor make it."""
    rows = table(
        owner_url,
        "select holder_id, asset_id, seq, posting_id, amount, held_change, balance, effective_at,"
        " recorded_at, kind, reference, house_account, source, metadata::text, detail::text,"
        " key_id, checksum from bursar.entries order by 1, 2, 3",
    )
    broken, head, wallet = [], b"", None
    for row in rows:
        head, wallet = (head if row[:2] == wallet else b""), row[:2]
        numbers, instants, texts, (key_id, checksum) = row[:7], row[7:9], row[9:15], row[15:]
        sealing = seal if key_id else Seal()
        fields = text_fields(*texts)
        if sealing.entry(head, *numbers, *map(microseconds, instants), fields) != checksum:
            broken.append(row[:3])
        head = checksum
    return broken


def as_it_lies(owner_url: str, asset: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the tables say of an asset, but for numbers of postings and checksums."""
    queries = {
        "wallets": "select holder_id, open_lots, open_holds, seq, balance, held, credit_limit,"
        " owed, recorded_at, state from bursar.wallets",
        "entries": "select holder_id, key_id, seq, amount, held_change, balance, effective_at,"
        " recorded_at, kind, reference, house_account, source, metadata::text, detail::text"
        " from bursar.entries",
        "lots": "select holder_id, seq, remaining, held, priority, open, expires_at, origin"
        " from bursar.lots",
        "holds": "select holder_id, reference, remaining, state, draws from bursar.holds",
        "house": "select account, kind, day, sum(amount), sum(entries) from bursar.house_totals",
    }
    return {
        name: table(
            owner_url,
            f"{query} where asset_id = (select asset_id from bursar.assets where code = %s)"
            + (" group by 1, 2, 3" if name == "house" else "")
            + " order by 1, 2, 3",
            asset,
        )
        for name, query in queries.items()
    }


@pytest.mark.parametrize("variant", ["as it comes", "in lots"])
async def test_lots_and_holds_whose_time_has_not_come_do_not_slow_it_down(
    variant: str,
    ledger: Ledger,
    set_clock: SetClock,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only those go the general way in whose wallets there is something to do or to refuse."""
    numbers = await every_kind_of_wallet(ledger, set_clock, database.owner_url)
    apart = {"with an expired lot", "with a lapsed hold", "owing", "frozen", "closed", "full"}
    apart |= {"ahead of the clock"}
    if variant == "in lots":  # debt is paid before any lot
        apart |= {"in debt", "with a credit limit"}
    general: list[int] = []
    original = store.write_batch

    async def noting(connection: Any, book: Any, voices: Any) -> Any:
        general.extend(key[0] for key in book.positions)
        return await original(connection, book, voices)

    monkeypatch.setattr(store, "write_batch", noting)
    told = await distribute(ledger, [*numbers.values()], [5] * len(numbers), **VARIANTS[variant])
    assert set(general) == {numbers[kind] for kind in apart}
    refused = {numbers["full"], numbers["closed"]}
    assert (told.applied, {*told.refused}) == (len(numbers) - len(refused), refused)
    assert damage(database.owner_url) == []


# --- asked again ----------------------------------------------------------------------------


async def test_the_whole_again_is_a_replay(ledger: Ledger, database: Any) -> None:
    holders = enrolled(database.owner_url, 20)
    assert counts(await distribute(ledger, holders, [5] * 20)) == (20, 0, {})
    before = everything(database.owner_url)
    assert counts(await distribute(ledger, holders, [5] * 20)) == (0, 20, {})
    assert everything(database.owner_url) == before


async def test_a_part_again_is_a_replay_and_the_rest_is_given(
    ledger: Ledger, database: Any
) -> None:
    holders = enrolled(database.owner_url, 20)
    await distribute(ledger, holders[5:12], [5] * 7)
    assert counts(await distribute(ledger, holders, [5] * 20)) == (13, 7, {})
    balances = table(database.owner_url, "select distinct balance, seq from bursar.wallets")
    assert balances == [(5, 1)]
    assert damage(database.owner_url) == []


async def test_another_amount_is_a_conflict_of_that_holder(ledger: Ledger, database: Any) -> None:
    holders = enrolled(database.owner_url, 4)
    await distribute(ledger, holders, [5] * 4)
    told = await distribute(ledger, holders, [5, 6, 5, 5])
    assert (told.applied, told.replayed, [*told.refused]) == (0, 3, [holders[1]])
    refusal = told.refused[holders[1]]
    assert (refusal.status, refusal.fields["differs"]) == (Status.REFERENCE_CONFLICT, ["amount"])
    told = await distribute(ledger, holders, [5] * 4, source="yearly")
    assert {r.fields["differs"][0] for r in told.refused.values()} == {"source"}


async def test_what_was_refused_may_succeed_later(ledger: Ledger, database: Any) -> None:
    one, two = enrolled(database.owner_url, 2)
    name = {"holder_id": one, "asset": "coins"}
    await applied(ledger, c.SetState(**name, reference="shut", state="closed"))
    told = await distribute(ledger, [one, two], [5, 5])
    assert (told.applied, told.refused[one].status) == (1, Status.WALLET_CLOSED)
    await applied(ledger, c.SetState(**name, reference="open", state="active"))
    assert counts(await distribute(ledger, [one, two], [5, 5])) == (1, 1, {})


async def test_another_note_is_a_conflict_of_that_holder(ledger: Ledger, database: Any) -> None:
    holders = enrolled(database.owner_url, 3)
    await distribute(ledger, holders, [5] * 3, notes=[PRO, PRO, None], metadata={"run": 1})
    told = await distribute(ledger, holders, [5] * 3, notes=[PRO, {}, {}], metadata={"run": 1})
    assert (told.replayed_ids, [*told.refused]) == ((holders[0], holders[2]), [holders[1]])
    assert told.refused[holders[1]].fields["differs"] == ["metadata"]
    assert (told.applied, told.applied_amount) == (0, 0)


async def test_what_is_withheld_at_once_counts_as_given(ledger: Ledger, database: Any) -> None:
    """The grant is whole; what it pays of a debt leaves by an entry of its own (L8)."""
    [one] = enrolled(database.owner_url, 1)
    name = {"holder_id": one, "asset": "coins"}
    await applied(
        ledger,
        c.Credit(**name, reference="start", amount=8),
        c.Debit(**name, reference="spend", amount=8),
        c.Reverse(**name, reference="back", target="start", policy="net"),
    )
    told = await distribute(ledger, [one], [5])
    assert (told.applied, told.applied_amount) == (1, 5)
    assert (await ledger.wallet(holder_id=one, asset="coins")).balance == 0


# --- what is wrong with the whole -----------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"holder_ids": []}, "holder_ids"),
        ({"holder_ids": [1, 1]}, "holder_ids"),
        ({"holder_ids": [1]}, "amounts"),
        ({"holder_ids": [1, 0]}, "holder_ids"),
        ({"holder_ids": [1, -1]}, "holder_ids"),
        ({"holder_ids": [1, 2**63]}, "holder_ids"),
        ({"holder_ids": [2, True]}, "holder_ids"),
        ({"holder_ids": [1, "2"]}, "holder_ids"),
        ({"holder_ids": [1, [2]]}, "holder_ids"),
        ({"holder_ids": [1, None]}, "holder_ids"),
        ({"holder_ids": None}, "holder_ids"),
        ({"holder_ids": iter([1, 2])}, "holder_ids"),
        ({"holder_ids": {1: 1, 2: 2}}, "holder_ids"),
        ({"holder_ids": {1, 2}}, "holder_ids"),
        ({"holder_ids": range(1, 10_002), "amounts": [1] * 10_001}, "holder_ids"),
        ({"amounts": [1]}, "amounts"),
        ({"amounts": [1, 0]}, "amounts"),
        ({"amounts": [1, -5]}, "amounts"),
        ({"amounts": [1, 1.0]}, "amounts"),
        ({"amounts": [1, True]}, "amounts"),
        ({"amounts": [1, 2**63]}, "amounts"),
        ({"amounts": [1, None]}, "amounts"),
        ({"amounts": None}, "amounts"),
        ({"reference": ""}, "reference"),
        ({"reference": "bursar:x"}, "reference"),
        ({"reference": None}, "reference"),
        ({"asset": None}, "asset"),
        ({"asset": []}, "asset"),
        ({"kind": "spend"}, "kind"),
        ({"house_account": "Shop"}, "house_account"),
        ({"source": "a\0"}, "source"),
        ({"metadata": {"a": float("nan")}}, "metadata"),
        ({"notes": {}}, "notes"),
        ({"notes": [{}]}, "notes"),
        ({"notes": [{}, {}, {}]}, "notes"),
        ({"notes": "ab"}, "notes"),
        ({"notes": [None, "a"]}, "notes"),
        ({"notes": [{}, []]}, "notes"),
        ({"notes": [{}, 0]}, "notes"),
        ({"notes": iter([{}, {}])}, "notes"),
        ({"notes": [{}, {"a": float("inf")}]}, "notes"),
        ({"notes": [{}, {"a": "\0"}]}, "notes"),
        ({"notes": [{}, {"a": object()}]}, "notes"),
        ({"notes": [{"a": "x" * 2500}] * 2, "metadata": {"b": "x" * 2500}}, "notes"),
        ({"effective_at": datetime(2030, 1, 1)}, "effective_at"),  # noqa: DTZ001
        ({"lot": {"priority": 1}}, "lot"),
    ],
)
async def test_what_is_malformed_is_told_of_the_whole_and_nothing_is_given(
    bad: dict[str, Any], field: str, ledger: Ledger, database: Any
) -> None:
    enrolled(database.owner_url, 2)
    with pytest.raises(BursarError) as caught:
        await distribute(ledger, **{"holder_ids": [1, 2], "amounts": [5, 5]} | bad)
    assert (caught.value.code, caught.value.fields["field"]) == ("invalid", field)
    assert table(database.owner_url, "select from bursar.entries") == []


async def test_an_asset_that_is_not_there_is_missing(ledger: Ledger, database: Any) -> None:
    with pytest.raises(BursarError) as caught:
        await distribute(ledger, enrolled(database.owner_url, 1), [1], asset="stones")
    assert caught.value.code == "asset_unknown"


async def test_what_the_caller_changes_meanwhile_changes_nothing(
    ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the lists nor the metadata; the same for those who go the general way."""
    holders = enrolled(database.owner_url, 3)
    name = {"holder_id": holders[0], "asset": "coins", "reference": "lot"}
    await applied(ledger, c.Credit(**name, amount=1, lot=LotTerms()))
    mine, amounts, metadata = list(holders), [5, 5, 5], {"tier": {"name": "pro"}}
    note = {"days": [16]}
    notes = [note] * 3
    for moment in ("open_batch", "holders_without_wallet", "write_grants", "read_positions"):
        original = getattr(store, moment)

        async def step(*args: Any, original: Any = original) -> Any:
            mine.reverse()
            amounts[0] += 1
            metadata["tier"]["name"] += "!"
            note["days"].append(1)
            notes.clear()
            return await original(*args)

        monkeypatch.setattr(store, moment, step)
    told = await distribute(ledger, mine, amounts, metadata=metadata, notes=notes)
    assert counts(told) == (3, 0, {})
    assert table(
        database.owner_url,
        "select amount, metadata::text, count(*) from bursar.entries where source = 'monthly'"
        " group by 1, 2",
    ) == [(5, '{"days":[16],"tier":{"name":"pro"}}', 3)]


# --- with others at once --------------------------------------------------------------------


async def test_distributions_that_overlap_at_once_give_each_holder_its_part_once(
    ledger: Ledger, database: Any
) -> None:
    """Two runs under one reference, and one under another, in orders of their own."""
    holders = enrolled(database.owner_url, 300)
    other = Database(database.url, max_connections=4)
    await other.open()
    async with Ledger(other) as second:
        for number in range(4):
            back = holders[::-1]
            one, two, three = await asyncio.gather(
                distribute(ledger, holders[:200], [5] * 200, reference=f"run {number}"),
                distribute(second, back[:200], [5] * 200, reference=f"run {number}"),
                distribute(second, holders[50:250], [1] * 200, reference=f"extra {number}"),
            )
            assert (one.refused, two.refused, counts(three)) == ({}, {}, (200, 0, {}))
            assert (one.applied + two.applied, one.replayed + two.replayed) == (300, 100)
    totals = table(
        database.owner_url, "select sum(balance)::bigint, sum(seq)::bigint from bursar.wallets"
    )
    assert totals == [(4 * (300 * 5 + 200), 4 * 500)]
    assert damage(database.owner_url) == []


async def test_a_distribution_among_busy_wallets_gives_everyone_its_part_once(
    ledger: Ledger, database: Any
) -> None:
    holders = enrolled(database.owner_url, 60)
    await distribute(ledger, holders[:40], [100] * 40, reference="start")
    running = True
    spent = 0

    async def spend(seed: int) -> None:
        nonlocal spent
        random = Random(seed)
        number = 0
        while running:
            batch: list[c.AnyCommand] = [
                c.Debit(
                    holder_id=holder,
                    asset="coins",
                    reference=f"s{seed}.{number}.{holder}",
                    amount=1,
                )
                for holder in random.sample(holders, 5)
            ]
            results = await post(ledger, *batch)
            spent += [result.status for result in results].count(Status.APPLIED)
            number += 1

    spending = asyncio.gather(*(spend(seed) for seed in range(3)))
    for number in range(8):
        told = await distribute(ledger, holders, [7] * 60, reference=f"run {number}")
        assert counts(told) == (60, 0, {})
    running = False
    await spending
    assert spent > 0
    totals = table(database.owner_url, "select sum(balance)::bigint from bursar.wallets")
    assert totals == [(40 * 100 + 8 * 60 * 7 - spent,)]
    assert damage(database.owner_url) == []


@pytest.mark.parametrize(
    "moment", ["read_plain_wallets", "holders_without_wallet", "write_grants", "write_batch"]
)
async def test_whoever_comes_in_between_is_seen(
    moment: str, ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wallet that moves, one that is opened, and one that is given the same part meanwhile."""
    moved, opened, given, still = enrolled(database.owner_url, 4)
    await distribute(ledger, [moved, still], [5, 5], reference="start")
    original = getattr(store, moment)
    meanwhile = [
        c.Debit(holder_id=moved, asset="coins", reference="s", amount=3),
        c.Credit(holder_id=opened, asset="coins", reference="s", amount=3, lot=LotTerms()),
        c.Credit(holder_id=given, amount=5, **RUN),
    ]

    async def step(*args: Any, **more: Any) -> Any:
        monkeypatch.undo()
        await applied(ledger, *meanwhile)
        return await original(*args, **more)

    monkeypatch.setattr(store, moment, step)
    told = await distribute(ledger, [moved, opened, given, still], [5] * 4)
    assert told.applied + told.replayed == 4
    assert told.replayed == (moment != "write_batch")
    expected = {moved: 7, opened: 8, given: 5, still: 10}
    if moment == "write_batch":  # nobody goes the general way, so nobody comes in between
        expected = {moved: 10, opened: 5, given: 5, still: 10}
    assert (
        dict(table(database.owner_url, "select holder_id, balance from bursar.wallets")) == expected
    )
    assert damage(database.owner_url) == []


# --- in a transaction of the caller's -------------------------------------------------------


async def test_in_a_transaction_that_rolls_back_it_leaves_nothing(
    ledger: Ledger, database: Any
) -> None:
    holders = enrolled(database.owner_url, 10)
    await distribute(ledger, holders[:3], [5] * 3)
    before = everything(database.owner_url)
    async with ledger.database.transaction() as tx:
        assert counts(await distribute(ledger, holders, [5] * 10, tx=tx)) == (7, 3, {})
        assert counts(await distribute(ledger, holders, [5] * 10, tx=tx)) == (0, 10, {})
        raise psycopg.Rollback
    assert everything(database.owner_url) == before
    assert counts(await distribute(ledger, holders, [5] * 10)) == (7, 3, {})


async def test_in_a_transaction_it_is_committed_with_the_rest_of_it(
    ledger: Ledger, database: Any
) -> None:
    holders = enrolled(database.owner_url, 10)
    shut = c.SetState(holder_id=holders[2], asset="coins", reference="shut", state="closed")
    async with ledger.database.transaction() as tx:
        await ledger.post([shut], actor="test", reason="setting", tx=tx)
        told = await distribute(ledger, holders, [5] * 10, tx=tx)
        assert (told.applied, [*told.refused]) == (9, [holders[2]])
    assert (await distribute(ledger, holders, [5] * 10)).replayed == 9
    assert damage(database.owner_url) == []


async def test_ten_thousand_holders_are_one_posting(ledger: Ledger, database: Any) -> None:
    """Half of them new, in no order."""
    holders = enrolled(database.owner_url, 10_000)
    Random(1).shuffle(holders)
    await distribute(ledger, holders[:5_000], [1] * 5_000, reference="start")
    amounts = [n % 97 + 1 for n in range(10_000)]
    assert counts(await distribute(ledger, holders, amounts)) == (10_000, 0, {})
    entries = table(
        database.owner_url,
        "select holder_id, amount from bursar.entries where source = 'monthly' and reference = %s",
        RUN["reference"],
    )
    assert dict(entries) == dict(zip(holders, amounts, strict=True))
    postings = table(database.owner_url, "select entries, actor from bursar.postings order by 1")
    assert postings == [(5_000, "run"), (10_000, "run")]
    assert damage(database.owner_url) == []

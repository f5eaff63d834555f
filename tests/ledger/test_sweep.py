"""A sweep puts into the books what time has done, no more and no less (L6, L7)."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from bursar.ledger import commands as c
from bursar.ledger.model import LotTerms, Result, Wallet
from bursar.ledger.service import Ledger
from bursar.platform.database import Database
from bursar.platform.errors import Invalid, Missing
from tests.ledger.books import damage, everything, table
from tests.ledger.conftest import SetClock
from tests.ledger.reference_model import Model
from tests.ledger.scribe import HOLDERS, Scribe
from tests.ledger.test_post_machine import number_holders

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA: dict[str, Any] = {"holder": "ada", "asset": "coins"}


async def post(ledger: Ledger, *commands: c.AnyCommand) -> list[Result]:
    return await ledger.post(commands, actor="test", reason="sweeping")


async def applied(ledger: Ledger, *commands: c.AnyCommand) -> None:
    for result in await post(ledger, *commands):
        result.unwrap()


async def due_crowd(ledger: Ledger, set_clock: SetClock, holders: int) -> None:
    """Each with 10 that expire after an hour, a hold of 3 until two, and 5 that stay."""
    set_clock(NOON)
    batch: list[c.AnyCommand] = []
    for number in range(holders):
        name = {"holder": f"h{number}", "asset": "coins"}
        batch += [
            c.Credit(**name, reference="lot", amount=10, lot=LotTerms(NOON + HOUR)),
            c.Credit(**name, reference="plain", amount=5),
            c.PlaceHold(**name, reference="hold", amount=3, deadline=NOON + 2 * HOUR),
        ]
    await applied(ledger, *batch)
    set_clock(NOON + 3 * HOUR)


def written(owner_url: str) -> list[tuple[Any, ...]]:
    """What the ledger wrote of itself."""
    return table(
        owner_url,
        "select external_id, kind, amount, held_change, house_account, effective_at,"
        " e.recorded_at, actor from bursar.entries e join bursar.holder_ids using (holder_id)"
        " join bursar.postings using (posting_id)"
        " where reference like 'bursar:%%' order by holder_id, asset_id, seq",
    )


def breakage(owner_url: str) -> list[tuple[Any, ...]]:
    return table(
        owner_url,
        "select a.code, kind, day::text, sum(amount)::bigint, sum(entries)::bigint"
        " from bursar.house_totals join bursar.assets a using (asset_id)"
        " where account = 'breakage' group by 1, 2, 3 order by 1, 2, 3",
    )


async def test_a_sweep_writes_each_lapse_and_expiry_as_of_its_own_date(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    await due_crowd(ledger, set_clock, 1)
    now = NOON + 3 * HOUR
    assert await ledger.sweep() == 1
    assert written(database.owner_url) == [
        ("h0", "expire", -7, 0, "breakage", NOON + HOUR, now, "bursar"),
        ("h0", "lapse", 0, -3, None, NOON + 2 * HOUR, now, "bursar"),
        ("h0", "expire", -3, 0, "breakage", NOON + 2 * HOUR, now, "bursar"),
    ]
    assert breakage(database.owner_url) == [("coins", "expire", "2030-01-01", 10, 2)]
    assert damage(database.owner_url) == []


async def test_a_sweep_leaves_alone_what_is_not_due(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    set_clock(NOON)
    await applied(
        ledger,
        c.Credit(**ADA, reference="for good", amount=10, lot=LotTerms()),
        c.Credit(**ADA, reference="later", amount=10, lot=LotTerms(NOON + HOUR)),
        c.Credit(**ADA, reference="soon", amount=10, lot=LotTerms(NOON + timedelta(minutes=1))),
        c.Debit(**ADA, reference="spent", amount=10),
        c.PlaceHold(**ADA, reference="open", amount=1),
        c.PlaceHold(**ADA, reference="until", amount=1, deadline=NOON + HOUR),
    )
    set_clock(NOON + HOUR - timedelta(microseconds=1))
    before = everything(database.owner_url)
    assert await ledger.sweep() == 0
    assert everything(database.owner_url) == before
    set_clock(NOON + HOUR)
    assert await ledger.sweep() == 1


async def test_a_sweep_reaches_wallets_of_every_state_and_asset(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    set_clock(NOON)
    lot = LotTerms(NOON + HOUR)
    gems = {"holder": "ada", "asset": "gems"}
    await applied(
        ledger,
        c.Credit(**ADA, reference="a", amount=10, lot=lot),
        c.SetState(**ADA, reference="f", state="frozen"),
        c.Credit(**gems, reference="a", amount=20, lot=lot),
    )
    set_clock(NOON + HOUR)
    assert await ledger.sweep() == 2
    assert breakage(database.owner_url) == [
        ("coins", "expire", "2030-01-01", 10, 1),
        ("gems", "expire", "2030-01-01", 20, 1),
    ]
    assert (await ledger.wallet(**ADA)).state == "frozen"
    assert damage(database.owner_url) == []


async def test_a_sweep_takes_as_many_wallets_as_it_may_the_longest_overdue_first(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    set_clock(NOON)
    for number in (3, 1, 4, 2, 5):
        name = {"holder": f"h{number}", "asset": "coins", "reference": "lot"}
        await applied(ledger, c.Credit(**name, amount=1, lot=LotTerms(NOON + number * HOUR)))
    set_clock(NOON + 9 * HOUR)
    counts, reached = [], []
    while count := await ledger.sweep(limit=2):
        counts.append(count)
        reached.append({row[0] for row in written(database.owner_url)} - set().union(*reached))
    assert counts == [2, 2, 1]
    assert reached == [{"h1", "h2"}, {"h3", "h4"}, {"h5"}]


async def test_a_second_sweep_finds_nothing(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    await due_crowd(ledger, set_clock, 20)
    assert await ledger.sweep() == 20
    before = everything(database.owner_url)
    assert await ledger.sweep() == 0
    assert everything(database.owner_url) == before


async def test_the_next_command_writes_what_a_sweep_would_have_written(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    await due_crowd(ledger, set_clock, 2)
    again = {"asset": "coins", "reference": "next", "amount": 1}
    await applied(ledger, c.Debit(holder="h0", **again))
    assert await ledger.sweep() == 1
    by_command, by_sweep = [
        [row[1:7] for row in written(database.owner_url) if row[0] == holder]
        for holder in ("h0", "h1")
    ]
    assert by_command == by_sweep


@pytest.mark.parametrize("seed", range(5))
async def test_a_wallet_is_shown_as_a_sweep_then_leaves_it(
    seed: int, ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    """After anything that a careless app might send, at any time."""
    random = Random(seed)
    model = Model(HOLDERS)
    scribe = Scribe(random, model)
    number_holders(database.owner_url)
    now = NOON
    swept = 0
    for _ in range(40):
        now = scribe.later(now)
        set_clock(now)
        batch = scribe.batch(now)
        model.post(batch, now)  # so that the scribe knows of what there is
        await post(ledger, *batch)
        now += random.choice((timedelta(minutes=20), HOUR, 5 * HOUR))
        set_clock(now)
        shown = await everybody(ledger)
        told = [await ledger.explain(w.holder, w.asset) for w in shown]
        swept += await ledger.sweep()
        left = await everybody(ledger)
        assert [stands(wallet) for wallet in left] == [stands(wallet) for wallet in shown]
        for before, wallet in zip(told, left, strict=True):
            after = await ledger.explain(wallet.holder, wallet.asset)
            assert before.recorded - before.overdue == after.recorded == wallet.balance
            assert (after.overdue, after.plain) == (0, before.plain)
    assert swept > 0
    assert damage(database.owner_url) == []


async def everybody(ledger: Ledger) -> list[Wallet]:
    wallets = []
    for holder in HOLDERS:
        for asset in ("coins", "gems"):
            with suppress(Missing):
                wallets.append(await ledger.wallet(holder, asset))
    return wallets


def stands(wallet: Wallet) -> Wallet:
    return msgspec.structs.replace(wallet, seq=0)


async def test_several_sweepers_at_once_write_everything_once(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    await due_crowd(ledger, set_clock, 120)
    other = Database(database.url, max_connections=4)
    await other.open()

    async def until_nothing_is_due(sweeper: Ledger, limit: int) -> None:
        while await sweeper.sweep(limit=limit):
            pass

    async with Ledger(other) as second:
        await asyncio.gather(
            *(until_nothing_is_due(one, n) for one in (ledger, second) for n in (7, 30, 200))
        )
    assert len(written(database.owner_url)) == 3 * 120
    assert breakage(database.owner_url) == [("coins", "expire", "2030-01-01", 1_200, 240)]
    assert damage(database.owner_url) == []


async def test_sweeping_and_posting_meet_on_the_same_wallets(
    ledger: Ledger, set_clock: SetClock, database: Any
) -> None:
    """Whoever comes first writes what is due; every command is answered as if it were alone."""
    await due_crowd(ledger, set_clock, 60)

    async def spend(batch: int) -> list[Result]:
        """All holders, each time in another order."""
        order = [(number * 7 + batch * 13) % 60 for number in range(60)]
        return await post(
            ledger,
            *(
                c.Debit(holder=f"h{n}", asset="coins", reference=f"s{batch}", amount=2)
                for n in order
            ),
        )

    async def sweep() -> None:
        while await ledger.sweep(limit=25):
            pass

    answers = await asyncio.gather(*(spend(batch) for batch in range(3)), sweep(), sweep())
    told = [result.status for results in answers if results for result in results]
    assert sorted(told) == ["applied"] * 120 + ["insufficient_funds"] * 60
    balances = table(database.owner_url, "select distinct balance, held from bursar.wallets")
    assert balances == [(1, 0)]
    assert breakage(database.owner_url) == [("coins", "expire", "2030-01-01", 600, 120)]
    assert damage(database.owner_url) == []


@pytest.mark.parametrize("bad", [0, -1, 10_001, True, "x", None, 1.0])
async def test_a_sweep_has_1_to_10000_wallets(bad: Any, ledger: Ledger) -> None:
    with pytest.raises(Invalid) as caught:
        await ledger.sweep(limit=bad)
    assert caught.value.code == "sweep_limit"

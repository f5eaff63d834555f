"""The whole writing path on a real database against the reference model (L1–L8, L13)."""

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.decision.distribution import Distribution
from bursar.ledger.model import MAX_AMOUNT, LotTerms, Result, Status
from bursar.ledger.service import Ledger
from tests.ledger.books import damage
from tests.ledger.conftest import SetClock
from tests.ledger.reference_model import Line, Model, Wallet
from tests.ledger.scribe import ASSETS, HOLDERS, Scribe

START = datetime(2030, 1, 1, tzinfo=UTC)
NOTES = (None, {"tier": "pro"}, {"tier": "free", "run": 0})


@pytest.mark.parametrize("seed", range(12))
async def test_the_database_says_what_the_reference_model_says(
    seed: int, ledger: Ledger, database: Any, set_clock: SetClock
) -> None:
    """Batches through ``post``, with a transaction and without, and singles through ``submit``."""
    random = Random(seed)
    model = Model(HOLDERS)
    scribe = Scribe(random, model)
    number_holders(database.owner_url)
    now = START
    for _ in range(60):
        now = scribe.later(now)
        set_clock(now)
        batch = scribe.batch(now, most=8)
        way = random.choice((by_post, by_submit, inside_a_transaction))
        if way is by_submit:
            batch = [msgspec.structs.replace(command, group=None) for command in batch]
        expected = model.post(batch, now)
        results = await way(ledger, batch)
        for command, result, (status, line) in zip(batch, results, expected, strict=True):
            assert result.status == status, (seed, command, result)
            assert (result.entry is None) == (line is None)
            if line is not None and result.entry is not None:
                assert (result.entry.seq, result.entry.balance) == (line.seq, line.balance)
    assert damage(database.owner_url) == []
    compare(database.owner_url, model)


async def by_post(ledger: Ledger, batch: list[c.AnyCommand]) -> list[Result]:
    return await ledger.post(batch, actor="test", reason="random")


async def by_submit(ledger: Ledger, batch: list[c.AnyCommand]) -> list[Result]:
    singles = [ledger.submit(command, actor="test", reason="random") for command in batch]
    return await asyncio.gather(*singles)


async def inside_a_transaction(ledger: Ledger, batch: list[c.AnyCommand]) -> list[Result]:
    async with ledger.database.transaction() as tx:
        return await ledger.post(batch, actor="test", reason="random", tx=tx)


@pytest.mark.parametrize("seed", range(6))
async def test_a_distribution_does_what_as_many_credits_do(
    seed: int, ledger: Ledger, database: Any, set_clock: SetClock
) -> None:
    """Between whatever else happens to its wallets, new, replayed and in conflict."""
    random = Random(seed)
    model = Model(HOLDERS)
    scribe = Scribe(random, model)
    number_holders(database.owner_url)
    now = START
    given = [distribution(random, number, now) for number in range(40)]
    for step in range(60):
        now = scribe.later(now)
        set_clock(now)
        batch = scribe.batch(now, most=3)
        model.post(batch, now)
        await by_post(ledger, batch)
        asked = given[random.randint(0, step * 2 // 3)]
        names = {number: name for name, number in HOLDERS.items()}
        expected = model.post(
            [
                msgspec.structs.replace(asked.credit(h, a, note), holder=names[h], holder_id=None)
                for h, a, note in zip(
                    asked.holder_ids,
                    asked.amounts,
                    asked.notes or [None] * len(asked.amounts),
                    strict=True,
                )
            ],
            now,
        )
        done = await ledger.distribute(asked, actor="test", reason="random")
        statuses = [status for status, _ in expected]
        assert done.applied == statuses.count(Status.APPLIED)
        assert done.applied_amount == sum(
            amount
            for amount, status in zip(asked.amounts, statuses, strict=True)
            if status is Status.APPLIED
        )
        assert list(done.replayed_ids) == [
            holder_id
            for holder_id, status in zip(asked.holder_ids, statuses, strict=True)
            if status is Status.REPLAYED
        ]
        assert {h: refusal.status for h, refusal in done.refused.items()} == {
            h: status
            for h, (status, line) in zip(asked.holder_ids, expected, strict=True)
            if line is None
        }
    assert damage(database.owner_url) == []
    compare(database.owner_url, model)


def distribution(random: Random, number: int, now: datetime) -> Distribution:
    """Make up a distribution to some of the holders."""
    holder_ids = random.sample(sorted(HOLDERS.values()), random.randint(1, len(HOLDERS)))
    return Distribution(
        asset=random.choice(list(ASSETS)),
        reference=f"d{number % 30}",
        holder_ids=holder_ids,
        amounts=[random.choice((1, 5, 20, MAX_AMOUNT)) for _ in holder_ids],
        kind=random.choice(("grant", "purchase")),
        metadata=random.choice((None, {"run": number})),
        notes=random.choice((None, [random.choice(NOTES) for _ in holder_ids])),
        effective_at=random.choice((None, None, now)),
        lot=random.choice((None, None, None, LotTerms(origin="plan"))),
    )


async def test_a_batch_of_thousands_is_the_same_as_its_parts(
    ledger: Ledger, database: Any, set_clock: SetClock
) -> None:
    """Beyond a thousand commands references are looked up only on suspicion."""
    random = Random(7)
    model = Model(HOLDERS)
    scribe = Scribe(random, model)
    number_holders(database.owner_url)
    now = START
    for _ in range(3):
        now = scribe.later(now)
        set_clock(now)
        batch: list[c.AnyCommand] = []
        expected: list[tuple[Status, Line | None]] = []
        for _ in range(1200):
            command = scribe.command(now)
            batch.append(command)
            expected += model.post([command], now)
        results = await by_post(ledger, batch)
        assert [result.status for result in results] == [status for status, _ in expected]
    assert damage(database.owner_url) == []
    compare(database.owner_url, model)


def number_holders(owner_url: str) -> None:
    """Give the holders the numbers that the model knows."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for name, number in HOLDERS.items():
            owner.execute(
                "insert into bursar.holder_ids overriding system value values (%s, %s)",
                (name, number),
            )


def compare(owner_url: str, model: Model) -> None:
    """Compare every row with the model."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("set time zone 'UTC'")
        assert owner.execute("select count(*) from bursar.wallets").fetchone() == (
            len(model.wallets),
        )
        for (holder, asset), wallet in model.wallets.items():
            compare_wallet(owner, (HOLDERS[holder], ASSETS[asset]), wallet)


def compare_wallet(owner: psycopg.Connection, key: tuple[int, int], wallet: Wallet) -> None:
    def rows(columns: str, table: str) -> list[tuple[Any, ...]]:
        where = "where (holder_id, asset_id) = (%s, %s) order by seq"
        return owner.execute(f"select {columns} from bursar.{table} {where}", key).fetchall()

    assert rows("balance, held, credit_limit, owed, state, seq", "wallets") == [
        (wallet.balance, wallet.held, wallet.limit, wallet.owed, wallet.state, len(wallet.lines))
    ]
    columns = "seq, kind, amount, held_change, balance, reference, house_account"
    assert rows(f"{columns}, effective_at, recorded_at", "entries") == [
        (
            *(line.seq, line.kind, line.amount, line.held_change, line.balance, line.reference),
            *(line.house_account, line.effective_at, line.recorded_at),
        )
        for line in wallet.lines
    ]
    assert rows("seq, remaining, held, priority, expires_at, origin", "lots") == [
        (p.seq, p.left, p.held, p.priority, p.expires_at, p.origin) for p in wallet.parcels.values()
    ]
    assert rows("reference, state, remaining, deadline, draws", "holds") == [
        (reference, h.state, h.left, h.deadline, [n for share in h.paid.parcels for n in share])
        for reference, h in wallet.holds.items()
    ]
    assert rows("seq, reversed", "reversals") == [
        (line.seq, line.undone) for line in wallet.lines if line.undone
    ]

"""Contention reaches nobody, and the books stay true (L2–L5)."""

import asyncio
import multiprocessing
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import msgspec
import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.decision.distribution import Distribution
from bursar.ledger.model import LotTerms, Result, Status
from bursar.ledger.posting import store
from bursar.ledger.service import Ledger
from bursar.platform.database import Database
from bursar.platform.errors import Unavailable
from tests.ledger.books import damage, everything, table
from tests.ledger.hammer import Answer, hammer, wishes

ADA = {"holder": "ada", "asset": "coins"}
BEN = {"holder": "ben", "asset": "coins"}
ENDINGS = {"applied", "replayed"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wallets", "seed"),
    [(["ann"], 1), (["ann", "bob"], 2), (["ann", "bob", "cat", "dan", "eve"], 3)],
    ids=["one wallet", "two wallets", "five wallets"],
)
async def test_eight_processes_want_the_same_and_each_reference_lands_once(
    wallets: list[str], seed: int, ledger: Ledger, database: Any
) -> None:
    answers = await asyncio.to_thread(run, database.url, 8, seed, wallets, 60)
    by_reference: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        by_reference[answer.wallet, answer.reference].append(answer)
    for told in by_reference.values():
        landed = {answer.checksum for answer in told if answer.status in ENDINGS}
        assert len(landed) <= 1, told
        assert [answer.status for answer in told].count("applied") == len(landed), told
        assert {answer.status for answer in told} & {"reference_conflict", "database_refused"} == (
            set()
        )
    check_groups(database.owner_url, wishes(seed, wallets, 60))
    assert damage(database.owner_url) == []
    ((lowest,),) = table(database.owner_url, "select min(balance - held) from bursar.wallets")
    assert lowest >= 0
    (sums,) = table(
        database.owner_url,
        """select (select sum(balance) from bursar.wallets),
                  (select sum(amount) from bursar.entries),
                  (select -sum(amount) from bursar.house_totals)""",
    )
    assert len(set(sums)) == 1


def run(url: str, processes: int, seed: int, wallets: list[str], count: int) -> list[Answer]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = [
            pool.submit(hammer, url, number, seed, wallets, count) for number in range(processes)
        ]
        return [answer for future in running for answer in future.result()]


def check_groups(owner_url: str, wanted: list[list[c.AnyCommand]]) -> None:
    """A group is in the books with all its members or with none."""
    known = set(
        table(
            owner_url,
            "select external_id, reference from bursar.entries"
            " join bursar.holder_ids using (holder_id)",
        )
    )
    whole = 0
    for group in wanted:
        landed = [(command.holder, command.reference) in known for command in group]
        assert len(set(landed)) == 1, group
        whole += len(group) > 1 and landed[0]
    assert whole > 0


@pytest.mark.slow
async def test_two_processes_open_the_same_wallets_at_once(ledger: Ledger, database: Any) -> None:
    """In opposite orders, under names that nobody has heard of."""
    other = Database(database.url)
    await other.open()
    async with Ledger(other) as second:
        for number in range(20):
            names = [f"new {number} {i}" for i in range(12)]
            batch = [
                c.Credit(holder=name, asset="coins", reference="signup", amount=50)
                for name in names
            ]
            one, two = await asyncio.gather(post(ledger, *batch), post(second, *batch[::-1]))
            for mine, yours in zip(one, two[::-1], strict=True):
                assert {mine.status, yours.status} == {Status.APPLIED, Status.REPLAYED}
                assert mine.entry == yours.entry
    assert damage(database.owner_url) == []


async def test_a_transaction_that_rolls_back_leaves_nothing(ledger: Ledger, database: Any) -> None:
    await post(ledger, c.Credit(**ADA, reference="start", amount=10))
    before = everything(database.owner_url)
    spend = c.Debit(**ADA, reference="r", amount=5)
    async with ledger.database.transaction() as tx:
        results = await ledger.post([spend], actor="test", reason="undone", tx=tx)
        assert results[0].status is Status.APPLIED
        raise psycopg.Rollback
    assert everything(database.owner_url) == before
    (again,) = await post(ledger, spend)
    assert again.status is Status.APPLIED


async def test_a_transaction_that_posts_twice_sees_its_own_entries(ledger: Ledger) -> None:
    async with ledger.database.transaction() as tx:
        for command, status in (
            (c.Credit(**ADA, reference="a", amount=10), Status.APPLIED),
            (c.Debit(**ADA, reference="b", amount=10), Status.APPLIED),
            (c.Debit(**ADA, reference="c", amount=1), Status.INSUFFICIENT_FUNDS),
            (c.Credit(**ADA, reference="a", amount=10), Status.REPLAYED),
        ):
            (result,) = await ledger.post([command], actor="test", reason="tx", tx=tx)
            assert result.status is status


async def test_a_caller_that_is_cancelled_does_not_take_its_order_back(
    ledger: Ledger, database: Any
) -> None:
    commands = [c.Credit(**ADA, reference=f"r{i}", amount=1) for i in range(20)]
    tasks = [asyncio.create_task(submit(ledger, command)) for command in commands]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert {result.status for result in results[1::2] if isinstance(result, Result)} == {
        Status.APPLIED
    }
    after = [await submit(ledger, command) for command in commands]
    assert {result.status for result in after} <= {Status.APPLIED, Status.REPLAYED}
    assert table(database.owner_url, "select balance from bursar.wallets") == [(20,)]


@pytest.mark.parametrize("way", ["post", "submit", "transaction"])
async def test_a_connection_that_is_cut_is_told_and_the_same_reference_lands_once(
    way: str, ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut in the middle, after the reading and before the writing."""
    await post(ledger, c.Credit(**ADA, reference="start", amount=10))
    spend = c.Debit(**ADA, reference="r", amount=5)

    async def cut() -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    between(monkeypatch, "write_batch", cut)
    ways = {"post": post, "submit": submit, "transaction": post_inside}
    with pytest.raises(Unavailable):
        await ways[way](ledger, spend)
    assert [(await submit(ledger, spend)).status for _ in range(2)] == [
        Status.APPLIED,
        Status.REPLAYED,
    ]
    assert table(database.owner_url, "select balance from bursar.wallets") == [(5,)]
    assert damage(database.owner_url) == []


READS = (
    "open_batch",
    "read_positions",
    "find_references",
    "read_lots",
    "read_holds",
    "write_batch",
)


@pytest.mark.parametrize("moment", [*READS, "read_reversals"])
@pytest.mark.parametrize("case", ["capture", "release", "spend", "reverse", "undo", "group"])
async def test_whoever_comes_in_between_is_seen(
    moment: str, case: str, ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read may be older and newer at once; then it is read again, under locks."""
    await post(
        ledger,
        c.Credit(**ADA, reference="plain", amount=10),
        c.Credit(**ADA, reference="old lot", amount=10, lot=LotTerms()),
        c.Debit(**ADA, reference="spent", amount=10),
        c.Transfer(**ADA, reference="gift", to="ben", amount=5),
        c.Reverse(**ADA, reference="back", target="spent", amount=2),
    )
    meanwhile = [
        c.Credit(**ADA, reference="new lot", amount=10, lot=LotTerms(priority=-1)),
        c.PlaceHold(**ADA, reference="hold", amount=12),
        c.Reverse(**ADA, reference="more back", target="spent", amount=2),
        c.Debit(**BEN, reference="spent", amount=1),
    ]
    asked: dict[str, list[c.AnyCommand]] = {
        "capture": [c.Capture(**ADA, reference="r", hold="hold", amount=11)],
        "release": [c.Release(**ADA, reference="r", hold="hold")],
        "spend": [c.Debit(**ADA, reference="r", amount=3)],
        "reverse": [c.Reverse(**ADA, reference="r", target="spent")],
        "undo": [c.Reverse(**ADA, reference="r", target="gift", policy="debt")],
        "group": [
            c.Debit(**BEN, reference="r", amount=4, group="g"),
            c.Credit(**ADA, reference="r", amount=4, group="g"),
        ],
    }

    other = Database(database.url)
    await other.open()
    async with Ledger(other) as second:

        async def intrude() -> None:
            for result in await post(second, *meanwhile):
                result.unwrap()

        intruded = between(monkeypatch, moment, intrude)
        results = await post(ledger, *asked[case])
    early = {Status.HOLD_UNKNOWN} if case in {"capture", "release"} else set()
    assert {result.status for result in results} <= {Status.APPLIED, *early}
    ((balance,),) = table(
        database.owner_url,
        "select balance from bursar.wallets join bursar.holder_ids using (holder_id)"
        " where external_id = 'ada'",
    )
    change = sum(r.entry.amount for r in results if r.entry and r.entry.holder_id == 1)
    assert balance == 10 + 10 - 10 - 5 + 2 + (12 if intruded else 0) + change
    assert damage(database.owner_url) == []


@pytest.mark.parametrize("way", ["the same again", "others", "a hold"])
@pytest.mark.parametrize("inside", [False, True], ids=["on its own", "in a transaction"])
@pytest.mark.parametrize("moment", ["read_plain_wallets", "holders_without_wallet", "write_grants"])
async def test_whoever_comes_between_a_distribution_is_seen(
    moment: str,
    inside: bool,
    way: str,
    ledger: Ledger,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some have a wallet, some have none, one has lots; each gets the credit once."""
    names = ["ada", "ben", "cyd", "dee", "eli", "fay"]
    await post(
        ledger,
        *[c.Credit(holder=name, asset="gems", reference="known", amount=1) for name in names],
        *[c.Credit(holder=name, asset="coins", reference="start", amount=9) for name in names[:3]],
        c.Credit(**ADA, reference="lot", amount=1, lot=LotTerms()),
    )
    ids = [row[0] for row in table(database.owner_url, "select holder_id from bursar.holder_ids")]
    given = Distribution(asset="coins", reference="pay", holder_ids=ids, amounts=[5] * len(ids))
    other = Database(database.url)
    await other.open()
    async with Ledger(other) as second:

        async def intrude() -> None:
            if way == "the same again":
                half = msgspec.structs.replace(given, holder_ids=ids[::2], amounts=[5, 5, 5])
                await second.distribute(half, actor="test", reason="meanwhile")
            elif way == "others":
                for name in ("fay", "ben"):
                    await post(
                        second,
                        c.Credit(holder=name, asset="coins", reference=f"{name} x", amount=1),
                    )
            else:
                await post(second, c.PlaceHold(**BEN, reference="hold", amount=2))

        intruded = between(monkeypatch, moment, intrude)
        if inside:
            async with ledger.database.transaction() as tx:
                done = await ledger.distribute(given, actor="test", reason="pay", tx=tx)
        else:
            done = await ledger.distribute(given, actor="test", reason="pay")
    replayed = 3 if intruded and way == "the same again" else 0
    assert (done.applied, done.replayed, done.refused) == (6 - replayed, replayed, {})
    paid = table(database.owner_url, "select count(*) from bursar.entries where reference = 'pay'")
    assert paid == [(6,)]
    assert damage(database.owner_url) == []


@pytest.mark.parametrize("moment", ["read_positions", "read_lots", "read_holds"])
async def test_a_wallet_is_shown_as_of_one_moment(
    moment: str, ledger: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(
        ledger,
        c.Credit(**ADA, reference="lot", amount=10, lot=LotTerms()),
        c.PlaceHold(**ADA, reference="first hold", amount=1),
    )
    other = Database(database.url)
    await other.open()
    async with Ledger(other) as second:

        async def intrude() -> None:
            await post(second, c.PlaceHold(**ADA, reference="second hold", amount=7))

        between(monkeypatch, moment, intrude)
        wallet = await ledger.wallet("ada", "coins")
    assert wallet.held == sum(hold.remaining for hold in wallet.holds)
    assert wallet.held == sum(lot.held for lot in wallet.lots)
    assert wallet.available == sum(lot.remaining for lot in wallet.lots)


async def test_strangers_who_enrol_the_same_people_in_another_order_wait_in_line(
    ledger: Ledger, database: Any
) -> None:
    """Holders are enrolled in one order by everybody, so that none waits for the other."""
    batch = [c.Credit(holder=n, asset="coins", reference="r", amount=1) for n in ("zoe", "abe")]
    add = "insert into bursar.holder_ids (external_id) values (%s)"
    waits = "select exists (select from pg_locks where not granted)"
    async with await psycopg.AsyncConnection.connect(database.owner_url) as first:
        await first.execute(add, ("abe",))
        posting = asyncio.create_task(post(ledger, *batch))
        while (await (await first.execute(waits)).fetchone()) != (True,):
            pass
        await first.execute(add, ("zoe",))
        await first.commit()
        assert [result.status for result in await posting] == [Status.APPLIED] * 2


def between(
    monkeypatch: pytest.MonkeyPatch, moment: str, act: Callable[[], Awaitable[None]]
) -> list[str]:
    """Let something happen once, just before the ledger's next step ``moment``."""
    original = getattr(store, moment)
    happened: list[str] = []

    async def step(*args: Any, **kwargs: Any) -> Any:
        if not happened:
            happened.append(moment)
            await act()
        return await original(*args, **kwargs)

    monkeypatch.setattr(store, moment, step)
    return happened


async def post(ledger: Ledger, *commands: c.AnyCommand) -> list[Result]:
    return await ledger.post(commands, actor="test", reason="concurrency")


async def post_inside(ledger: Ledger, *commands: c.AnyCommand) -> list[Result]:
    async with ledger.database.transaction() as tx:
        return await ledger.post(commands, actor="test", reason="concurrency", tx=tx)


async def submit(ledger: Ledger, command: c.AnyCommand) -> Result:
    return await ledger.submit(command, actor="test", reason="concurrency")

"""Single commands share transactions in a crowd, and go at once when there is none (L2)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.model import Result, Status
from bursar.ledger.posting.batch import Order
from bursar.ledger.service import Ledger
from bursar.platform.database import Database
from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.gathered import Gathered
from tests.ledger.books import damage, table

ADA: dict[str, Any] = {"holder": "ada", "asset": "coins"}


class Gate:
    """Stands for `Poster.post`: keeps each batch until it is let go, or refused with an error."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self._arrived = asyncio.Condition()
        self._answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def __call__(self, orders: Sequence[Order]) -> list[Result]:
        async with self._arrived:
            self.batches.append([order.command.reference for order in orders])
            self._arrived.notify_all()
        error = await self._answers.get()
        if error is not None:
            raise error
        return [Result(Status.INVALID, refusal=order.command.reference) for order in orders]

    async def batch(self, number: int) -> list[str]:
        """Wait until so many batches have come."""
        async with self._arrived, asyncio.timeout(60):
            await self._arrived.wait_for(lambda: len(self.batches) >= number)
        return self.batches[number - 1]

    def answer(self, error: Exception | None = None) -> None:
        """Let the batch in flight, or the next one, go."""
        self._answers.put_nowait(error)


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
async def queue(gate: Gate) -> Gathered[Order, Result]:
    return Gathered(gate, most=1_000)


def order(reference: str) -> Order:
    return Order(c.Credit(**ADA, reference=reference, amount=1), "test", "group commit")


def submit(queue: Gathered[Order, Result], *references: str) -> list[asyncio.Task[Result]]:
    return [asyncio.create_task(queue.ask(order(reference))) for reference in references]


def told(results: Sequence[Result]) -> list[object]:
    return [result.refusal for result in results]


# --- the queue ------------------------------------------------------------------------------


async def test_a_lone_order_goes_at_once(queue: Gathered[Order, Result], gate: Gate) -> None:
    for number, reference in enumerate("abc", 1):
        (task,) = submit(queue, reference)
        assert await gate.batch(number) == [reference]
        gate.answer()
        assert told([await task]) == [reference]


async def test_who_comes_while_a_batch_is_in_flight_goes_with_the_next_all_together(
    queue: Gathered[Order, Result], gate: Gate
) -> None:
    first = submit(queue, "a")
    await gate.batch(1)
    rest = submit(queue, *"bcdef")
    await asyncio.sleep(0)
    gate.answer()
    assert await gate.batch(2) == [*"bcdef"]
    gate.answer()
    assert told(await asyncio.gather(*first, *rest)) == [*"abcdef"]
    assert len(gate.batches) == 2


async def test_a_batch_is_bounded_and_the_rest_waits_in_line(
    queue: Gathered[Order, Result], gate: Gate
) -> None:
    references = [str(number) for number in range(2_500)]
    tasks = submit(queue, *references)
    for _ in range(3):
        gate.answer()
    assert told(await asyncio.gather(*tasks)) == references
    assert [len(batch) for batch in gate.batches] == [1_000, 1_000, 500]
    assert [reference for batch in gate.batches for reference in batch] == references


async def test_an_error_reaches_everyone_of_that_batch_and_nobody_else(
    queue: Gathered[Order, Result], gate: Gate
) -> None:
    before = submit(queue, "a")
    await gate.batch(1)
    within = submit(queue, "b", "c")
    await asyncio.sleep(0)
    gate.answer()
    await gate.batch(2)
    after = submit(queue, "d")
    await asyncio.sleep(0)
    gate.answer(Unavailable("database_unavailable", "gone"))
    gate.answer()
    results = await asyncio.gather(*before, *within, *after, return_exceptions=True)
    assert [isinstance(result, Unavailable) for result in results] == [False, True, True, False]


async def test_a_caller_that_is_cancelled_leaves_the_others_theirs(
    queue: Gathered[Order, Result], gate: Gate
) -> None:
    """Those who wait in the batch in flight as those who wait in line."""
    flying = submit(queue, "a", "b")
    await gate.batch(1)
    waiting = submit(queue, "c", "d")
    await asyncio.sleep(0)
    flying[0].cancel()
    waiting[0].cancel()
    gate.answer()
    gate.answer()
    results = await asyncio.gather(*flying, *waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert isinstance(results[2], asyncio.CancelledError)
    assert told([r for r in results if isinstance(r, Result)]) == ["b", "d"]
    assert gate.batches == [["a", "b"], ["c", "d"]], "an order once given is not taken back"


async def test_closing_finishes_what_was_taken_and_refuses_more(
    queue: Gathered[Order, Result], gate: Gate
) -> None:
    flying = submit(queue, "a")
    await gate.batch(1)
    waiting = submit(queue, "b", "c")
    await asyncio.sleep(0)
    closing = asyncio.create_task(queue.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await queue.ask(order("late"))
    assert caught.value.code == "ledger_closed"
    assert not closing.done()
    gate.answer()
    gate.answer()
    await closing
    assert all(task.done() for task in (*flying, *waiting))
    assert told([task.result() for task in (*flying, *waiting)]) == ["a", "b", "c"]
    await queue.close()


async def test_who_gives_up_waiting_for_the_close_takes_no_answer_from_the_others(
    queue: Gathered[Order, Result], gate: Gate
) -> None:
    flying = submit(queue, "a")
    await gate.batch(1)
    waiting = submit(queue, "b")
    await asyncio.sleep(0)
    closing = asyncio.create_task(queue.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    gate.answer()
    gate.answer()
    async with asyncio.timeout(60):
        assert told(await asyncio.gather(*flying, *waiting)) == ["a", "b"]
        await queue.close()


# --- on a database --------------------------------------------------------------------------


async def ask(ledger: Ledger, command: c.AnyCommand) -> Result:
    return await ledger.submit(command, actor="test", reason="group commit")


async def test_a_crowd_shares_transactions_and_everyone_gets_the_own_answer(
    ledger: Ledger, database: Any
) -> None:
    commands = [
        c.Credit(holder=f"h{n % 50}", asset="coins", reference=f"r{n}", amount=n + 1)
        for n in range(500)
    ]
    results = await asyncio.gather(*(ask(ledger, command) for command in commands))
    for command, result in zip(commands, results, strict=True):
        entry = result.unwrap()
        assert (entry.reference, entry.amount) == (command.reference, command.amount)
    (counted,) = table(
        database.owner_url, "select count(*), count(distinct xid::text) from bursar.postings"
    )
    assert counted == (1, 1)
    assert damage(database.owner_url) == []


async def test_clients_that_ask_one_after_another_share_transactions_too(
    ledger: Ledger, database: Any
) -> None:
    """Sixty-four, each waiting for its answer before it asks again."""

    async def client(number: int) -> None:
        for i in range(10):
            command = c.Credit(holder=f"h{number}", asset="coins", reference=f"r{i}", amount=1)
            (await ask(ledger, command)).unwrap()

    await asyncio.gather(*(client(number) for number in range(64)))
    ((transactions,),) = table(
        database.owner_url, "select count(distinct xid::text) from bursar.postings"
    )
    assert transactions <= 64, "for 640 commands"
    assert table(database.owner_url, "select distinct balance from bursar.wallets") == [(10,)]


async def test_who_asks_with_another_reason_has_a_posting_of_its_own_in_the_same_transaction(
    ledger: Ledger, database: Any
) -> None:
    commands = [c.Credit(**ADA, reference=f"r{n}", amount=1) for n in range(6)]
    await asyncio.gather(
        *(
            ledger.submit(command, actor=f"actor {n % 2}", reason=f"reason {n % 3}")
            for n, command in enumerate(commands)
        )
    )
    postings = table(
        database.owner_url, "select actor, reason, entries, xid::text from bursar.postings"
    )
    assert {row[:3] for row in postings} == {
        (f"actor {n % 2}", f"reason {n % 3}", 1) for n in range(6)
    }
    assert len({row[3] for row in postings}) == 1


async def test_a_bad_command_hurts_nobody_else(ledger: Ledger, database: Any) -> None:
    """Malformed, refused by a rule, or refused by the database itself."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("alter table bursar.entries add constraint no_666 check (amount <> 666)")
    good = [c.Credit(**ADA, reference=f"r{n}", amount=1) for n in range(20)]
    bad = [
        c.Credit(**ADA, reference="malformed", amount=1.5),
        c.Credit(**ADA, reference=["x"], amount=1),
        c.Debit(**ADA, reference="poor", amount=10**6),
        c.Credit(**ADA, reference="cursed", amount=666),
        c.Credit(holder="eve", asset="coins", reference="cursed", amount=666),
        None,
    ]
    mixed: list[Any] = [*good[:7], *bad[:3], *good[7:15], *bad[3:], *good[15:]]
    results = await asyncio.gather(*(ask(ledger, command) for command in mixed))
    statuses = [str(result.status) for result in results]
    by_command = dict(zip(map(id, mixed), statuses, strict=True))
    assert [by_command[id(command)] for command in good] == ["applied"] * 20
    assert [by_command[id(command)] for command in bad] == [
        "invalid",
        "invalid",
        "insufficient_funds",
        "database_refused",
        "database_refused",
        "invalid",
    ]
    assert (await ledger.wallet(**ADA)).balance == 20
    assert damage(database.owner_url) == []


async def test_the_same_reference_from_many_at_once_lands_once(
    ledger: Ledger, database: Any
) -> None:
    command = c.Credit(**ADA, reference="r", amount=5)
    results = await asyncio.gather(*(ask(ledger, command) for _ in range(40)))
    statuses = [result.status for result in results]
    assert statuses == [Status.APPLIED, *[Status.REPLAYED] * 39]
    assert len({result.unwrap().checksum for result in results}) == 1
    assert (await ledger.wallet(**ADA)).balance == 5


async def test_a_group_does_not_tie_strangers_together(ledger: Ledger) -> None:
    good = c.Credit(**ADA, reference="good", amount=1, group="g")
    poor = c.Debit(**ADA, reference="poor", amount=9, group="g")
    results = await asyncio.gather(ask(ledger, good), ask(ledger, poor))
    assert [r.status for r in results] == [Status.APPLIED, Status.INSUFFICIENT_FUNDS]


async def test_a_voice_that_is_none_is_refused_before_it_joins_anybody(ledger: Ledger) -> None:
    for actor, reason in (("", "r"), ("a", ""), ("a\n", "r"), (None, "r"), ("a", 5)):
        with pytest.raises(Invalid) as caught:
            await ledger.submit(
                c.Credit(**ADA, reference="r", amount=1), actor=actor, reason=reason
            )
        assert caught.value.code == "posting_voice"


async def test_closing_a_ledger_answers_everyone_who_asked_in_time(database: Any) -> None:
    opened = Database(database.url)
    await opened.open()
    ledger = Ledger(opened)
    await ledger.add_asset("coins", actor="test", reason="test")
    commands = [c.Credit(**ADA, reference=f"r{n}", amount=1) for n in range(200)]
    tasks = [asyncio.create_task(ask(ledger, command)) for command in commands]
    await asyncio.sleep(0)
    await ledger.close()
    assert {(await task).status for task in tasks} == {Status.APPLIED}
    with pytest.raises(BursarError) as caught:
        await ask(ledger, commands[0])
    assert caught.value.code == "ledger_closed"
    assert table(database.owner_url, "select balance from bursar.wallets") == [(200,)]

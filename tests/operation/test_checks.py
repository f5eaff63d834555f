"""Checks of the books: on record, once a day by one of many, taken up when broken off (L10, O2)."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from bursar.ledger import Checkpoint, Ledger
from bursar.operation import Operation
from bursar.platform.errors import Invalid, Rejected, Unavailable
from bursar.programs.duty import Duty
from bursar.programs.service import Programs
from bursar.programs.worker import Worker

WHO = {"actor": "cli:ann", "reason": "audit"}
Damage = Callable[[], None]


async def test_a_sound_check_is_kept_with_who_and_why(operation: Operation) -> None:
    assert (await operation.verify(**WHO)).ok
    [kept] = await operation.verifications()
    assert (kept.sound, kept.entries, kept.wallets, kept.part) == (True, 2, 2, False)
    assert (kept.actor, kept.reason) == ("cli:ann", "audit")


async def test_damage_is_kept_and_raises_one_alert(
    operation: Operation, ledger: Ledger, damage: Damage
) -> None:
    damage()
    assert not (await operation.verify(**WHO)).ok
    await operation.verify(**WHO)
    assert [kept.sound for kept in await operation.verifications()] == [False, False]
    [alert] = await Programs(ledger).alerts()
    assert (alert.kind, alert.subject, alert.times) == ("verify_failed", "books", 2)
    assert "wallet_balance" in alert.message


async def test_a_check_without_a_voice_is_refused_and_leaves_nothing(operation: Operation) -> None:
    with pytest.raises(Invalid):
        await operation.verify(actor="", reason="x")
    assert await operation.verifications() == []


async def test_of_many_workers_one_checks_and_not_again_the_same_day(operation: Operation) -> None:
    done = await asyncio.gather(*(operation.verify_if_due() for _ in range(5)))
    assert sum(report is not None for report in done) == 1
    assert await operation.verify_if_due() is None
    assert len(await operation.verifications()) == 1


async def test_a_check_is_due_again_after_its_hours(
    operation: Operation, owner: psycopg.Connection
) -> None:
    await operation.verify(**WHO)
    assert await operation.verify_if_due() is None
    owner.execute("update bursar.verifications set began_at = began_at - interval '25 hours'")
    assert await operation.verify_if_due() is not None


async def test_a_part_does_not_count_as_the_days_check(operation: Operation) -> None:
    await operation.verify(**WHO, first_holder=1, last_holder=1)
    assert await operation.verify_if_due() is not None


async def test_zero_hours_is_never(ledger: Ledger) -> None:
    assert await Operation(ledger, verify_hours=0).verify_if_due() is None


async def test_a_check_under_way_is_left_to_who_does_it(
    operation: Operation, owner: psycopg.Connection
) -> None:
    await operation.verify(**WHO)
    owner.execute("update bursar.verifications set ended_at = null")
    assert await operation.verify_if_due() is None


async def test_a_check_broken_off_goes_on_where_it_was(
    operation: Operation, owner: psycopg.Connection
) -> None:
    await operation.verify(**WHO)
    owner.execute(
        "update bursar.verifications set ended_at = null, began_at = began_at - interval '1 hour',"
        " seen_at = seen_at - interval '11 minutes',"
        """ checkpoint = '{"stage":"postings","entries":40,"wallets":3}'"""
    )
    report = await operation.verify_if_due()
    assert report is not None
    assert (report.entries, report.wallets) == (40, 3)
    [kept] = await operation.verifications()
    assert (kept.sound, kept.entries) == (True, 40)


async def test_what_breaks_a_check_leaves_it_unended(operation: Operation) -> None:
    def fail(_: Checkpoint) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await operation.verify(**WHO, progress=fail)
    [kept] = await operation.verifications()
    assert kept.ended_at is None
    assert not kept.sound


async def test_a_worker_does_its_duties_and_one_that_fails_stops_nothing(ledger: Ledger) -> None:
    done: list[str] = []
    worker: Worker

    async def fail() -> None:
        done.append("fail")
        raise Invalid("test", "no") if len(done) == 1 else KeyError("a bug")

    async def count() -> None:
        if done.count("fail") >= 3:
            worker.stop()

    duties = [Duty("fail", 0.01, fail), Duty("count", 0.01, count)]
    worker = Worker(Programs(ledger), duties=duties)
    await worker.run()
    assert done.count("fail") >= 3


async def test_a_duty_that_keeps_failing_alerts_the_operators(ledger: Ledger) -> None:
    programs = Programs(ledger)
    worker: Worker
    seen: list[int] = []

    async def fail() -> None:
        seen.append(len(await programs.alerts()))
        if len(seen) == 5:
            worker.stop()
        raise (
            Rejected("no_key", "nobody has it") if len(seen) < 4 else KeyError("a bug of private@x")
        )

    worker = Worker(programs, duties=[Duty("seal", 0.01, fail)])
    await worker.run()
    assert seen == [0, 0, 0, 1, 1]
    [alert] = await programs.alerts()
    assert (alert.kind, alert.subject, alert.times) == ("duty_failing", "seal", 3)
    assert alert.message == "seal has failed 5 times in a row: KeyError: see the log of the worker"


_PLAIN = "aname ? of a file"


@pytest.mark.parametrize("away", [False, True])
async def test_a_duty_goes_on_whatever_becomes_of_its_alert(
    ledger: Ledger, away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("a bug")

    if away:
        monkeypatch.setattr("bursar.programs.duty.raise_alert", broken)
    seen = 0

    async def fail() -> None:
        nonlocal seen
        seen += 1
        if seen == 5:
            worker.stop()
        raise Rejected("no_key", "a\x00name \ud800 of a file")

    worker = Worker(Programs(ledger), duties=[Duty("seal", 0.01, fail)])
    async with asyncio.timeout(60):
        await worker.run()
    assert seen == 5
    told = [alert.message for alert in await Programs(ledger).alerts()]
    assert told == ([] if away else [f"seal has failed 5 times in a row: no_key: {_PLAIN}"])


async def test_failures_count_in_a_row_and_not_while_the_database_is_away(ledger: Ledger) -> None:
    programs = Programs(ledger)
    worker: Worker
    outcomes = iter("xx.xx.xx--x-")
    alerts: list[int] = []

    async def sometimes() -> None:
        alerts.append(len(await programs.alerts()))
        match next(outcomes, None):
            case "x":
                raise Rejected("no_key", "nobody has it")
            case "-":
                raise Unavailable("database_unavailable", "it is away")
            case None:
                worker.stop()

    worker = Worker(programs, duties=[Duty("seal", 0.001, sometimes)])
    await worker.run()
    assert alerts == [0] * 11 + [1, 1]


async def test_a_duty_under_way_is_broken_off_when_the_worker_stops(ledger: Ledger) -> None:
    worker: Worker
    ended: list[str] = []

    async def never() -> None:
        worker.stop()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("broken off")
            raise

    worker = Worker(Programs(ledger), duties=[Duty("never", 1, never)])
    await worker.run()
    assert ended == ["broken off"]

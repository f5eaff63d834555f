"""Sound books are clean, in whole, in part, resumed, and while they grow (L10)."""

import asyncio
import random

import msgspec
import pytest

from bursar.ledger.audit import verify_slices
from bursar.ledger.audit.findings import Checkpoint, Report
from bursar.ledger.audit.verify import verify
from bursar.ledger.commands import Credit
from bursar.ledger.service import Ledger
from bursar.platform.errors import Invalid
from tests.ledger.busy import Urls, damage, holder, make_busy, named, random_commands

COINS = "asset coins"


async def test_an_empty_ledger_is_clean(ledger: Ledger) -> None:
    report = await verify(ledger.database, ledger.seal)
    assert report.ok
    assert (report.wallets, report.entries) == (0, 0)


async def test_a_busy_ledger_is_clean(ledger: Ledger) -> None:
    results = await make_busy(ledger)
    assert [result.refusal for result in results if not result.ok] == []
    report = await verify(ledger.database, ledger.seal)
    assert report.findings == ()
    assert report.ok
    assert report.wallets == 10
    async with ledger.database.connection() as connection:
        row = await (await connection.execute("select count(*) from bursar.entries")).fetchone()
    assert row == (report.entries,)


async def test_a_random_ledger_is_clean(ledger: Ledger) -> None:
    await ledger.add_asset("coins", actor="test", reason="test")
    chance = random.Random(7)
    for n in range(5):
        commands = random_commands(chance, f"run{n}", 600, 40)
        await ledger.post(commands, actor="chance", reason="a random day")
    report = await verify(ledger.database, ledger.seal)
    assert report.findings == ()
    assert report.entries > 1_000


async def test_only_the_part_asked_for_is_checked(ledger: Ledger, database: Urls) -> None:
    await make_busy(ledger)
    a, b, c = [await holder(ledger, h) for h in "abc"]
    damage(
        database,
        f"update bursar.wallets set balance = 1 where holder_id in ({a}, {c})",
        "update bursar.house_totals set amount = 1",
    )
    assert (await verify(ledger.database, ledger.seal, first_holder=b, last_holder=b)).ok
    report = await verify(ledger.database, ledger.seal, first_holder=b)
    assert {key for _, key in named(report)} == {
        f"holder {c}, {COINS}",
        f"holder {c}, asset gem_stones_2",
    }


async def test_a_check_resumes_from_any_checkpoint(
    ledger: Ledger, database: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_slices, "ENTRIES_A_SLICE", 5)
    monkeypatch.setattr(verify_slices, "ENTRIES_A_PASS", 5)
    await make_busy(ledger)
    damage(
        database,
        "update bursar.wallets set held = held + 1 where asset_id > 2",
        "update bursar.postings set entries = entries + 1 where posting_id = 2",
        "update bursar.house_totals set amount = amount + 1 where account = 'sales'",
    )
    points: list[Checkpoint] = []
    whole = await verify(ledger.database, ledger.seal, progress=points.append)
    assert points[-1].stage == "done"
    assert {point.stage for point in points} == {
        "wallets",
        "house_totals",
        "postings",
        "trial_balance",
        "done",
    }
    assert len(points) > 8
    for point in points:
        kept = msgspec.json.decode(msgspec.json.encode(point), type=Checkpoint)
        resumed = await verify(ledger.database, ledger.seal, resume=kept)
        assert msgspec.structs.replace(resumed, seconds=0) == msgspec.structs.replace(
            whole, seconds=0
        )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
async def test_totals_of_each_day_are_checked_alone_or_together(
    ledger: Ledger, database: Urls, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(verify_slices, "ENTRIES_A_PASS", size)
    await ledger.add_asset("coins", actor="test", reason="test")
    for number in range(9):
        credit = Credit(holder="a", asset="coins", amount=9, reference=f"r{number}")
        await ledger.post([credit], actor="t", reason="t")
    # Each lies in the first or the last microsecond of a day.
    damage(
        database,
        "update bursar.entries set effective_at = '1999-01-01Z', "
        "recorded_at = timestamptz '1999-12-29 00:00Z'"
        " + (seq / 2) * interval '1 day' - (seq % 2) * interval '1 microsecond'",
        "delete from bursar.house_totals",
        "insert into bursar.house_totals"
        " select asset_id, house_account, kind, (recorded_at at time zone 'UTC')::date, 0,"
        "        -sum(amount), count(*) from bursar.entries group by 1, 2, 3, 4",
    )
    report = await verify(ledger.database, ledger.seal)
    assert [finding for finding in report.findings if finding.kind == "house_total"] == []
    damage(database, "update bursar.house_totals set amount = amount + 1")
    report = await verify(ledger.database, ledger.seal)
    days = [finding.key[-10:] for finding in report.findings if finding.kind == "house_total"]
    assert days == [*(f"1999-12-{n}" for n in (28, 29, 30, 31)), "2000-01-01", "2000-01-02"]


async def test_a_checkpoint_of_another_part_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Invalid, match="another range"):
        await verify(ledger.database, ledger.seal, first_holder=2, resume=Checkpoint())


async def test_a_check_that_is_broken_off_leaves_nothing_running(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_slices, "ENTRIES_A_SLICE", 3)
    await make_busy(ledger)

    def break_off(_: Checkpoint) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        await verify(ledger.database, ledger.seal, progress=break_off, workers=4)
    assert not [task for task in asyncio.all_tasks() if "_side_by_side" in repr(task)]
    assert (await verify(ledger.database, ledger.seal)).ok


@pytest.mark.slow
async def test_books_are_clean_while_they_are_written(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks post, and slow transactions stay open across slices, while checks go round."""
    monkeypatch.setattr(verify_slices, "ENTRIES_A_SLICE", 200)
    monkeypatch.setattr(verify_slices, "ENTRIES_A_PASS", 500)
    await ledger.add_asset("coins", actor="test", reason="test")
    over = asyncio.Event()
    slice_done = asyncio.Event()
    reports: list[Report] = []
    slow_commits: list[int] = []

    async def write(task: int) -> None:
        chance = random.Random(task)
        n = 0
        while not over.is_set():
            commands = random_commands(chance, f"{task}:{n}", 20, 60)
            await ledger.post(commands, actor="crowd", reason="meanwhile")
            n += 1

    async def write_slowly() -> None:
        n = 0
        while not over.is_set():
            async with ledger.database.transaction() as tx:
                for holder_id in ("slow first", "slow last"):
                    slow = Credit(holder=holder_id, asset="coins", amount=1, reference=f"slow{n}")
                    results = await ledger.post([slow], actor="slow", reason="slow", tx=tx)
                    assert results[0].ok
                    for _ in range(4):
                        slice_done.clear()
                        await slice_done.wait()
            n += 1
            slow_commits.append(len(reports))

    async def check() -> None:
        while len(reports) < 12 or len(slow_commits) < 3:
            report = await verify(ledger.database, ledger.seal, progress=lambda _: slice_done.set())
            reports.append(report)
        over.set()
        slice_done.set()

    async with asyncio.TaskGroup() as group:
        for task in range(3):
            group.create_task(write(task))
        slow = group.create_task(write_slowly())
        await check()
        while not slow.done():
            slice_done.set()
            await asyncio.sleep(0)
    assert {report.findings for report in reports} == {()}
    assert slow_commits[0] < len(reports)
    assert reports[-1].entries > reports[0].entries
    assert (await verify(ledger.database, ledger.seal)).ok

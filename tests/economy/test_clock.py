"""A sandbox's clock goes on, never back, and stops wherever something falls due."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bursar.economy.clock import TestClock
from bursar.ledger import Credit, Ledger, LotTerms, PlaceHold
from bursar.platform.errors import Invalid, Rejected
from tests.conftest import Database

_A_DAY = timedelta(days=1)


class Daily:
    """Something to do at each midnight, remembered with the hour at which it was done."""

    def __init__(self, ledger: Ledger, *, fails: bool = False) -> None:
        self.done: list[datetime] = []
        self.times = 0
        self._ledger = ledger
        self._fails = fails
        self._next: datetime | None = None

    async def _now(self) -> datetime:
        async with self._ledger.database.connection() as connection:
            cursor = await connection.execute("select bursar.now()")
            [(now,)] = await cursor.fetchall()
            return now  # type: ignore[no-any-return]

    async def do_all_due(self) -> None:
        self.times += 1
        now = await self._now()
        if self._next is None:
            self._next = _midnight(now)
        while self._next <= now and not self._fails:
            self.done.append(now)
            self._next += _A_DAY

    async def next_due(self) -> datetime | None:
        return self._next


class Nothing:
    """Nothing ever falls due."""

    async def do_all_due(self) -> None:
        return

    async def next_due(self) -> datetime | None:
        return None


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + _A_DAY


@pytest.fixture
async def sandbox(database: Database, ledger: Ledger) -> Ledger:
    """A ledger whose clock may be moved."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("update bursar.economy set sandbox = true")
    await ledger.add_asset("coins", actor="test", reason="test")
    return ledger


async def test_a_clock_that_is_no_sandboxs_is_only_read(ledger: Ledger) -> None:
    clock = TestClock(ledger, Nothing())
    read = await clock.read()
    assert (read.sandbox, read.offset) == (False, timedelta(0))
    with pytest.raises(Rejected) as caught:
        await clock.move_to(read.now + _A_DAY, actor="test", reason="test")
    assert caught.value.code == "clock_not_sandbox"


async def test_the_clock_shows_at_least_the_target_and_goes_on_from_there(sandbox: Ledger) -> None:
    clock = TestClock(sandbox, Nothing())
    target = (await clock.read()).now + 30 * _A_DAY
    moved = await clock.move_to(target, actor="test", reason="test")
    assert target <= moved.now < target + timedelta(hours=1)
    assert 29 * _A_DAY < moved.offset <= 30 * _A_DAY
    assert (await clock.read()).now >= moved.now


async def test_it_never_goes_back(sandbox: Ledger) -> None:
    clock = TestClock(sandbox, Nothing())
    start = (await clock.read()).now
    await clock.move_to(start + 2 * _A_DAY, actor="test", reason="test")
    with pytest.raises(Rejected) as caught:
        await clock.move_to(start + _A_DAY, actor="test", reason="test")
    assert caught.value.code == "clock_backwards"


async def test_it_stops_wherever_something_falls_due(sandbox: Ledger) -> None:
    work, stops = Daily(sandbox), []
    clock = TestClock(sandbox, work)
    start = (await clock.read()).now
    await clock.move_to(start + 365 * _A_DAY, actor="test", reason="test", progress=stops.append)
    assert len(work.done) == 365
    assert stops == sorted(stops)
    late = [at - at.replace(hour=0, minute=0, second=0, microsecond=0) for at in work.done]
    assert max(late) < timedelta(hours=1)
    assert [at.date() for at in work.done] == [(start + n * _A_DAY).date() for n in range(1, 366)]


async def test_what_cannot_be_done_is_met_again_a_step_later_and_the_walk_ends(
    sandbox: Ledger,
) -> None:
    work = Daily(sandbox, fails=True)
    clock = TestClock(sandbox, work)
    target = _midnight((await clock.read()).now) + _A_DAY
    moved = await clock.move_to(target, actor="test", reason="test")
    assert moved.now >= target
    assert work.times == 26


async def test_lots_expire_and_holds_lapse_on_the_way(sandbox: Ledger) -> None:
    clock = TestClock(sandbox, Nothing())
    now = (await clock.read()).now
    lot = LotTerms(expires_at=now + 3 * _A_DAY)
    await sandbox.post(
        [
            Credit(holder="m", asset="coins", reference="a", amount=50, lot=lot),
            Credit(holder="m", asset="coins", reference="b", amount=10),
            Credit(holder="n", asset="coins", reference="d", amount=9),
        ],
        actor="a",
        reason="r",
    )
    await sandbox.post(
        [
            PlaceHold(
                holder="n", asset="coins", reference="e", amount=5, deadline=now + 5 * _A_DAY
            ),
        ],
        actor="a",
        reason="r",
    )
    await clock.move_to(now + 10 * _A_DAY, actor="test", reason="test")
    kinds = {e.kind: e.recorded_at - now for e in (await sandbox.journal()).items}
    assert 3 * _A_DAY <= kinds["expire"] < 3 * _A_DAY + timedelta(hours=1, minutes=5)
    assert 5 * _A_DAY <= kinds["lapse"] < 5 * _A_DAY + timedelta(hours=1, minutes=5)
    assert (await sandbox.wallet("m", "coins")).balance == 10
    assert (await sandbox.wallet("n", "coins")).held == 0
    assert (await sandbox.verify()).ok


@pytest.mark.parametrize(
    "target",
    [datetime(2100, 1, 1), datetime(2201, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],  # noqa: DTZ001
)
async def test_no_instant_to_move_to(sandbox: Ledger, target: datetime) -> None:
    with pytest.raises(Invalid) as caught:
        await TestClock(sandbox, Nothing()).move_to(target, actor="test", reason="test")
    assert caught.value.code == "clock_target"


async def test_a_step_is_a_minute_or_more(sandbox: Ledger) -> None:
    clock = TestClock(sandbox, Nothing())
    with pytest.raises(Invalid):
        await clock.move_to(
            (await clock.read()).now + _A_DAY, actor="test", reason="test", step=timedelta(0)
        )

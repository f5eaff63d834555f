"""The sandbox's own clock moves a year on, and what is due on the way is done then (O4)."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from bursar.economy.clock import TestClock
from bursar.economy.service import EconomyService
from bursar.holders.model import HolderChange
from bursar.ledger import Ledger
from bursar.platform.database import Database
from bursar.programs.service import Programs
from tests.acceptance.naive_sportsclub import AMOUNT, london_date, london_midnight
from tests.acceptance.world import example

YEAR = timedelta(days=365)


@pytest.fixture
async def programs(database: Any) -> AsyncIterator[Programs]:
    opened = Database(database.url, max_connections=8)
    await opened.open()
    async with Ledger(opened) as ledger:
        yield Programs(ledger)


async def begin(programs: Programs, name: str, *changes: HolderChange) -> TestClock:
    """Put an example in force on the real clock, and let these sign up."""
    economy = EconomyService(programs.ledger, programs)
    await economy.apply(example(name), actor="test:owner", reason="play")
    await programs.holders.upsert(changes, actor="app", reason="play")
    await programs.do_all_due()
    return TestClock(programs.ledger, programs)


async def amounts(programs: Programs, holder: str) -> list[tuple[datetime, int]]:
    """What a holder was given and when, the oldest first."""
    return [(award.at, award.added) for award in await programs.history(holder, limit=100)][::-1]


async def test_a_year_of_the_club(programs: Programs) -> None:
    clock = await begin(programs, "sportsclub", HolderChange("ada", verified=True))
    joined = (await programs.holders.get("ada")).created_at
    end = (await clock.move_to(joined + YEAR, actor="test", reason="test")).now
    assert end >= joined + YEAR

    day = london_date(joined).replace(day=1)
    firsts = []
    while london_midnight(day) <= end:
        firsts.append(london_midnight(day))
        day = (day + timedelta(days=31)).replace(day=1)
    days = (london_date(firsts[1]) - london_date(firsts[0])).days
    share = AMOUNT * (days - london_date(joined).day + 1) // days
    given = await amounts(programs, "ada")
    assert [amount for _, amount in given] == [share, *[AMOUNT] * (len(firsts) - 1)]
    for (paid, _), first in zip(given[1:], firsts[1:], strict=True):
        assert first <= paid < first + timedelta(hours=2)
    assert (await programs.ledger.verify()).ok


async def test_a_year_of_the_refresh(programs: Programs) -> None:
    clock = await begin(programs, "refresh", HolderChange("ada", tier="pro"))
    [first] = await programs.next_grants("ada")
    assert first.at is not None
    joined = (await programs.holders.get("ada")).created_at
    assert joined < first.at <= joined + timedelta(days=30)
    end = first.at + 11 * timedelta(days=30) + timedelta(hours=3)
    await clock.move_to(end, actor="test", reason="test")
    given = await amounts(programs, "ada")
    assert [amount for _, amount in given] == [20_000] * 12
    for n, (paid, _) in enumerate(given):
        due = first.at + n * timedelta(days=30)
        assert due <= paid < due + timedelta(hours=2)
    assert (await programs.ledger.verify()).ok

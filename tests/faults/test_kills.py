"""Exactly once, whatever is killed (P5, P7).

BURSAR_FAULT_SEED repeats the choices of a run; what they hit is up to the machine.
"""

import asyncio
import os
import secrets
import time
from random import Random
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.platform.database import Database
from tests.faults import economy
from tests.faults.chaos import Chaos, say
from tests.faults.crew import Crew

PEOPLE = 20_000
NEWCOMERS = 200
KILLS = 112


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_everybody_is_paid_exactly_once_through_a_hundred_kills(own_server: Any) -> None:
    seed = int(os.environ.get("BURSAR_FAULT_SEED") or secrets.randbelow(2**32))
    say(f"BURSAR_FAULT_SEED={seed}")
    told = economy.History(people=PEOPLE)
    with Crew(own_server.url, chunk=250) as crew:
        chaos = Chaos(own_server, crew, Random(seed), told)
        economy.found(chaos.owner(), own_server.url, PEOPLE)
        again: int | None = None
        for number in range(1, KILLS + 1):
            chaos.busy()
            match number:
                case 40:
                    chaos.revert()
                case 50:
                    again = chaos.revert()
                case 60:
                    chaos.mend()
                case 65:
                    chaos.join(NEWCOMERS)
                case 75 if again is not None:
                    chaos.run_again(again)
                case _ if number % 5 == 0:
                    chaos.pause_or_resume()
            if number % 8 == 0:
                chaos.kill_postgres(number)
            else:
                chaos.kill_worker(number)
        chaos.let_them_finish()
        crew.stop_all()
        assert economy.differences(chaos.owner(), told) == {}
        chaos.close()
    assert chaos.killed["worker"] >= 98
    assert chaos.killed["postgres"] == 14
    assert chaos.at_work >= 100, "most kills must hit somebody at work"
    began = time.monotonic()
    report = asyncio.run(_verify(own_server.url))
    say(f"verified {report.entries} entries in {time.monotonic() - began:.1f} s")
    assert report.findings == ()


async def _verify(url: str) -> Any:
    database = Database(url)
    await database.open()
    async with Ledger(database) as ledger:
        return await ledger.verify()

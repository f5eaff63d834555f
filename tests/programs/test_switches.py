"""What settings say of all programs (O5), and cycles that count from the last grant (H3)."""

from datetime import date

import pytest

from bursar.platform.errors import Rejected
from bursar.programs.model import Amount, Rolling
from bursar.programs.service import Programs
from bursar.programs.switches import Switches
from tests.programs.people import at, balance, enrol


async def test_one_setting_stops_every_program(programs, ledger, put, clock) -> None:
    clock(2026, 2, 20)
    await enrol(programs, "ann", created_at=at(2025, 1, 1))
    await put(starts=date(2026, 3, 1))
    clock(2026, 3, 1)
    off = Programs(ledger, switches=Switches(enabled=False))
    assert (await off.do_all_due()).begun == ()
    with pytest.raises(Rejected, match="switched off"):
        await off.runs.start("monthly", actor="ann", reason="test")
    assert await balance(programs, "ann") == 0
    await programs.do_all_due()
    assert await balance(programs, "ann") == 50_000


async def test_one_setting_makes_every_run_a_dry_one(programs, ledger, put, clock) -> None:
    clock(2026, 2, 20)
    await enrol(programs, "ann", created_at=at(2025, 1, 1))
    await put(starts=date(2026, 3, 1))
    clock(2026, 3, 1)
    [run_id] = (await Programs(ledger, switches=Switches(dry_run=True)).do_all_due()).begun
    report = await programs.runs.report(run_id)
    assert (report.run.dry_run, report.progress.amount) == (True, 50_000)
    assert await balance(programs, "ann") == 0


async def test_a_cycle_counted_from_the_last_grant_begins_anew_with_it(
    programs, put, clock
) -> None:
    clock(2026, 1, 1)
    await enrol(programs, "ann", created_at=at(2026, 1, 1))
    await put(
        "refresh",
        schedule=Rolling(days=30, anchor="last_grant"),
        amount=Amount(fixed=10),
        starts=date(2026, 1, 1),
    )
    await programs.do_all_due()
    clock(2026, 1, 21)
    await programs.runs.grant(program="refresh", holders=["ann"], actor="ops", reason="lost some")
    await programs.runs.work()
    assert await balance(programs, "ann") == 10
    clock(2026, 1, 31)
    await programs.do_all_due()
    assert await balance(programs, "ann") == 10
    clock(2026, 2, 20)
    await programs.do_all_due()
    assert await balance(programs, "ann") == 20
    assert (await programs.ledger.verify()).ok

"""Checking the books on record: by hand, and once a day by whichever worker claims it (L10, O2)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import structlog

from bursar.ledger import Checkpoint, Ledger, Report
from bursar.operation import store
from bursar.platform.ending import end
from bursar.platform.errors import Unavailable
from bursar.programs.store import raise_alert

_KEPT_EVERY_S: Final = 15.0
_log: Final = structlog.get_logger("bursar.operation")

Progress = Callable[[Checkpoint], None]


async def check(
    ledger: Ledger,
    number: int,
    *,
    first_holder: int | None = None,
    last_holder: int | None = None,
    keyed_since: datetime | None = None,
    resume: Checkpoint | None = None,
    progress: Progress | None = None,
    workers: int = 2,
) -> Report:
    """Check the books under a number, and write down what came of it; damage raises an alert.

    What breaks off stays on record at its checkpoint, and `store.claim_check` takes it up.
    """
    async with _kept(ledger, number, resume, progress) as tell:
        report = await ledger.verify(
            first_holder=first_holder,
            last_holder=last_holder,
            keyed_since=keyed_since,
            resume=resume,
            progress=tell,
            workers=workers,
        )
    async with ledger.database.transaction() as connection:
        await store.end_check(connection, number, report)
        if not report.ok:
            await raise_alert(connection, "verify_failed", "books", alert_of(report))
    return report


def alert_of(report: Report) -> str:
    """Spell what an operator must know of a check that found damage."""
    first = report.findings[0]
    return (
        f"{report.found} findings in {report.entries} entries; the first: {first.kind} at "
        f"{first.key}, the entries say {first.expected}, there is {first.found}. "
        "Run `bursar verify` to see them all"
    )[:1_000]


@asynccontextmanager
async def _kept(
    ledger: Ledger, number: int, begun: Checkpoint | None, progress: Progress | None
) -> AsyncIterator[Progress]:
    """Keep a check's checkpoint in the database while it lasts, every so many seconds."""
    at = begun

    def tell(now: Checkpoint) -> None:
        nonlocal at
        at = now
        if progress is not None:
            progress(now)

    async def keep() -> None:
        while True:
            try:
                async with ledger.database.connection() as connection:
                    await store.keep_check(connection, number, at)
            except Unavailable as error:  # the check itself will say so, if it lasts
                _log.warning("check_not_kept", code=error.code, message=error.message)
            await asyncio.sleep(_KEPT_EVERY_S)

    keeping = asyncio.create_task(keep())
    try:
        yield tell
    finally:
        await end([keeping])

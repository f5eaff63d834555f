"""What a worker does from time to time beside the runs, and what it does about what fails (P8)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from bursar.platform.database import Database
from bursar.platform.errors import BursarError, Unavailable
from bursar.programs.store import raise_alert

ALERT_AFTER: Final = 3
_LONGEST_WAIT_S: Final = 30.0
_LONGEST: Final = 500

_log: Final = structlog.get_logger("bursar.worker")


class Duty(NamedTuple):
    """Something to do again and again, ``every_s`` seconds after it was last done."""

    name: str
    every_s: float
    do: Callable[[], Awaitable[object]]


async def keep(duty: Duty, database: Database, stop: asyncio.Event) -> None:
    """Do a duty until stopped; one that fails keeps nobody from being paid, and comes again.

    Each time it fails it waits twice as long, half a minute at most or as long as it always does.
    From the third failure in a row on there is an alert, which counts on while it is open. A
    database that is away is no failure of the duty's, and could not be told of.
    """
    pauses = failures = 0
    while not stop.is_set():
        why = None
        try:
            await duty.do()
            pauses = failures = 0
        except Unavailable as error:
            pauses += 1
            _log.warning("duty", duty=duty.name, code=error.code, message=error.message)
        except BursarError as error:
            pauses, failures = pauses + 1, failures + 1
            why = f"{error.code}: {error.message}"
            _log.warning("duty", duty=duty.name, code=error.code, message=error.message)
        except Exception as error:
            pauses, failures = pauses + 1, failures + 1
            why = f"{type(error).__name__}: see the log of the worker"
            _log.exception("duty", duty=duty.name)
        if why is not None and failures >= ALERT_AFTER:
            await _tell(database, duty, f"{duty.name} has failed {failures} times in a row: {why}")
        wait_s = max(duty.every_s, min(duty.every_s * 2.0 ** min(pauses, 20), _LONGEST_WAIT_S))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)


async def _tell(database: Database, duty: Duty, message: str) -> None:
    """Alert the operators, if the database can be told; the duty is done again in any case."""
    plain = message.replace("\x00", "").encode("utf-8", "replace").decode()
    try:
        async with database.connection() as connection:
            await raise_alert(connection, "duty_failing", duty.name, plain[:_LONGEST])
    except BursarError as error:
        _log.warning("untold", duty=duty.name, code=error.code, message=error.message)
    except Exception:
        _log.exception("untold", duty=duty.name)

"""The figures that operators watch, as they stand at one instant. Pure (O2).

Amounts are minor units. *Today* is the UTC day of the economy's clock.
"""

from datetime import datetime
from typing import Final

import msgspec

from bursar.notices.sending.model import Queue as DeliveryQueue

COUNTED_TO: Final = 10_000
"""What may be very many is counted so far; this number means so many or more."""


class Movement(msgspec.Struct, frozen=True):
    """What one kind of entry has moved: positive is what wallets gained."""

    asset: str
    account: str
    kind: str
    amount: int
    entries: int
    amount_today: int
    entries_today: int


class RunCount(msgspec.Struct, frozen=True):
    """Runs begun today of one program, kind and state; grants by hand may have no program."""

    program: str
    kind: str
    state: str
    runs: int


class AwardCount(msgspec.Struct, frozen=True):
    """What today's runs of one program have given, and how many holders they set aside."""

    program: str
    asset: str
    awards: int
    amount: int
    failed: int


class ProgramFigures(msgspec.Struct, frozen=True):
    """One program in force, and its latest scheduled run that came to its end.

    ``paused`` is counted to `COUNTED_TO`.
    """

    program: str
    on: bool
    paused: int
    run_s: float | None
    finished_at: datetime | None


class Queue(msgspec.Struct, frozen=True):
    """What is yet to be done; the last three are counted to `COUNTED_TO`."""

    chunks: int
    runs_waiting: int
    runs_paused: int
    holds_open: int
    lapses_due: int
    expiries_due: int


class CheckFigures(msgspec.Struct, frozen=True):
    """The last whole check of the books; None while there was none."""

    ended_at: datetime | None
    sound: bool | None
    found: int | None
    entries: int | None
    seconds: float | None
    running: bool


class FollowerFigures(msgspec.Struct, frozen=True):
    """How far a follower of the journal is behind: the oldest posting that it has not seen.

    ``entries`` are those of the next `COUNTED_TO` postings.
    """

    follower: str
    seconds: float
    entries: int


class NoticeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How telling people and machines stands; ``blocked`` addresses are counted to `COUNTED_TO`."""

    queues: tuple[DeliveryQueue, ...]
    dispatches_running: int
    dispatches_paused: int
    webhooks_on: int
    webhooks_off: int
    blocked: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of them. ``failures`` are holders set aside now, by program: of all the newest
    `COUNTED_TO`."""

    at: datetime
    schema: int
    database_bytes: int
    alerts: int
    workers: int
    movements: tuple[Movement, ...]
    runs: tuple[RunCount, ...]
    awards: tuple[AwardCount, ...]
    programs: tuple[ProgramFigures, ...]
    failures: dict[str, int]
    queue: Queue
    followers: tuple[FollowerFigures, ...]
    notices: NoticeFigures
    check: CheckFigures

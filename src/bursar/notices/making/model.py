"""The words of dispatches: the making of many notices, of one run or one period."""

from datetime import datetime
from enum import StrEnum

import msgspec


class DispatchState(StrEnum):
    """How a dispatch stands; while it is paused, what it has made waits too."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELED = "canceled"
    """ended for good: what has been sent is sent, the rest is dropped"""
    FINISHED = "finished"


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent of a run, or ahead of a period, and how far that has come (N5).

    ``looked`` of ``holders`` have been looked at; ahead of a period both count the numbers of
    holders, some of which may be nobody's. Of them ``made`` deliveries came, which are
    ``sent`` or still ``waiting``. Mind that a webhook's holds up to 500 notices.
    """

    dispatch_id: int
    run: str | None
    program: str | None
    period: str | None
    state: DispatchState
    holders: int
    looked: int
    made: int
    sent: int
    waiting: int
    started_at: datetime
    ended_at: datetime | None

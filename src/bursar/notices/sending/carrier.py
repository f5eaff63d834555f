"""What carries deliveries to the other side: one carrier for each channel."""

from typing import Protocol

from bursar.notices.model import Channel, Delivery, Outcome


class NotNow(Exception):
    """It is not to go now: nothing was tried, and its turn comes again after ``wait_s``."""

    def __init__(self, wait_s: float = 0.0) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class Carrier(Protocol):
    """Carries one delivery at a time; several of its calls are under way at once.

    What the other side does, and does not do, is an `Outcome` and never raises. A carrier may be
    broken off, and then has to let go of what it holds. The same delivery may come again after it
    was carried: at least once, with the same notice id (N5).
    """

    @property
    def channel(self) -> Channel:
        """The channel whose deliveries it carries."""
        ...

    async def carry(self, delivery: Delivery) -> Outcome:
        """Carry a delivery, and tell what came of it; raises `NotNow` for what has to wait."""
        ...

    async def close(self) -> None:
        """Give connections back; nothing is carried any more."""
        ...

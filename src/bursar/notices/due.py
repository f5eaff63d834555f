"""What time makes due: what programs give, and what holders are told of it and ahead of it."""

from datetime import datetime

from bursar.notices.making.service import Maker
from bursar.programs.service import Programs


class DueWork:
    """The programs and the notices of one economy, for a clock that is moved (O4)."""

    def __init__(self, programs: Programs, maker: Maker) -> None:
        self._programs = programs
        self._maker = maker

    async def do_all_due(self) -> None:
        """Give what is due, then tell of it; what is sent for that waits in the queue."""
        await self._programs.do_all_due()
        await self._maker.make_all_due()

    async def next_due(self) -> datetime | None:
        """Tell when there is next something to give, to remind of or to warn of."""
        dues = (await self._programs.next_due(), await self._maker.next_due())
        return min((due for due in dues if due is not None), default=None)

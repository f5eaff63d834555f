"""What the economy needs of programs, and of notices, to make so what its file says."""

from datetime import datetime
from typing import Protocol

from bursar.notices.model import NoticeSettings
from bursar.platform.database import Connection
from bursar.programs.model import Program


class Forecast(Protocol):
    """What a period would cost with the holders of today."""

    @property
    def awards(self) -> int:
        """How many would be given something."""

    @property
    def amount(self) -> int:
        """How much in all, in minor units."""

    @property
    def failed(self) -> int:
        """For how many it could not be told."""

    @property
    def excluded(self) -> dict[str, int]:
        """How many would be left out, by reason."""


class ProgramBook(Protocol):
    """The programs in force, changed within the caller's transaction."""

    async def put(
        self, connection: Connection, program: Program, *, actor: str, reason: str
    ) -> int:
        """Put a program in force; its version, which stays if nothing changes."""

    async def retire(self, connection: Connection, name: str, *, actor: str, reason: str) -> object:
        """End a program."""

    async def forecast(self, program: Program) -> Forecast:
        """Tell what the next period of a program, in force or not, would cost today."""


class NoticeBook(Protocol):
    """What the file says of notices, kept within the caller's transaction."""

    async def put(self, connection: Connection, settings: NoticeSettings) -> None:
        """Put these settings in force."""


class DueWork(Protocol):
    """What time makes due besides the books' own lapses and expiries."""

    async def do_all_due(self) -> object:
        """Do everything that is due now."""

    async def next_due(self) -> datetime | None:
        """Tell when there is next something to do."""

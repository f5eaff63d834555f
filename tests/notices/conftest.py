"""Notices on an open ledger: programs, people, and what the economy says of notices."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bursar.ledger import Ledger
from bursar.notices.inbox.service import Inboxes
from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.preferences import NoticePreferences
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.store import put_settings
from bursar.platform.database import Database
from bursar.programs.service import Programs
from tests.programs.conftest import clock, put  # noqa: F401 - fixtures

TELL_ALL = NoticeSettings(
    send=(Kind.DEPOSIT, Kind.CORRECTED, Kind.EXPIRING_SOON, Kind.LOW_BALANCE, Kind.HOLD_LAPSED),
    below={"coins": 100},
)
Tell = Callable[..., Awaitable[None]]


@pytest.fixture
async def ledger(database: Any) -> AsyncIterator[Ledger]:
    opened = Database(database.url, max_connections=8)
    await opened.open()
    async with Ledger(opened) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        yield ledger


@pytest.fixture
def programs(ledger: Ledger) -> Programs:
    return Programs(ledger)


@pytest.fixture
def inboxes(ledger: Ledger) -> Inboxes:
    return Inboxes(ledger, ProgramKinds())


@pytest.fixture
def preferences(ledger: Ledger) -> NoticePreferences:
    return NoticePreferences(ledger)


@pytest.fixture
def tell(ledger: Ledger) -> Tell:
    """Put settings in force; by default everything that no program does is told."""

    async def tell(settings: NoticeSettings = TELL_ALL) -> None:
        async with ledger.database.transaction() as connection:
            await put_settings(connection, settings)

    return tell

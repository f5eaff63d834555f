"""Notices on an open ledger: programs, people, and what the economy says of notices."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Ledger
from bursar.notices.inbox.service import Inboxes
from bursar.notices.making.service import Dispatches, Maker
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
Queue = Callable[..., list[dict[str, Any]]]
WHO = {"actor": "test", "reason": "play"}


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


@pytest.fixture
def maker(ledger: Ledger) -> Maker:
    return Maker(ledger, ProgramKinds(), mail=True)


@pytest.fixture
def dispatches(ledger: Ledger) -> Dispatches:
    return Dispatches(ledger.database)


@pytest.fixture
def queue(database: Any) -> Queue:
    """What is in the queue, in order, as dictionaries; of one channel if it is named."""

    def queue(channel: str | None = None) -> list[dict[str, Any]]:
        with psycopg.connect(database.owner_url) as owner:
            rows = owner.execute(
                "select to_json(d) from bursar.deliveries d"
                " where channel = %s or %s::text is null order by delivery_id",
                (channel, channel),
            )
            return [row[0] for row in rows]

    return queue


@pytest.fixture
def endpoint(database: Any) -> Callable[..., int]:
    """Make an endpoint for some kinds; it is never sent anything here."""

    def endpoint(*kinds: str) -> int:
        with psycopg.connect(database.owner_url) as owner:
            row = owner.execute(
                "insert into bursar.webhook_endpoints"
                " (url, description, kinds, secret, made_at, changed_at, state)"
                " values ('https://example.com', '', %s, '', now(), now(), 'on')"
                " returning endpoint_id",
                (list(kinds),),
            ).fetchone()
        assert row is not None
        return int(row[0])

    return endpoint


@pytest.fixture
def mailed(programs: Programs) -> Callable[..., Awaitable[None]]:
    """Enrol people who have an address."""

    async def mailed(*names: str, **said: Any) -> None:
        changes = [HolderChange(n, email=f"{n}@club.example", **said) for n in names]
        await programs.holders.upsert(changes, **WHO)

    return mailed

"""An economy on a real database; programs are rows of a table, so that a rollback is one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import psycopg
import pytest

from bursar.economy.service import EconomyService
from bursar.ledger import Ledger
from bursar.platform.database import Connection
from bursar.platform.database import Database as Pool
from bursar.platform.errors import Rejected
from bursar.programs.model import Program
from tests.conftest import Database


class Forecast(msgspec.Struct, frozen=True):
    """What a program would cost."""

    awards: int
    amount: int
    failed: int
    excluded: dict[str, int]


@dataclass
class Book:
    """Programs as the real ones are: versioned, within the caller's transaction."""

    forecasts: dict[str, Forecast] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    async def put(
        self, connection: Connection, program: Program, *, actor: str, reason: str
    ) -> int:
        if program.name in self.refused:
            raise Rejected("refused_by_test", "no")
        text = msgspec.json.encode(program).decode()
        cursor = await connection.execute(
            "insert into test_programs values (%s, 1, %s, %s, %s) on conflict (name) do update"
            " set version = test_programs.version + (test_programs.program <> excluded.program"
            "     or test_programs.retired)::integer, program = excluded.program, retired = false"
            " returning version",
            (program.name, text, actor, reason),
        )
        [(version,)] = await cursor.fetchall()
        return int(version)

    async def retire(self, connection: Connection, name: str, *, actor: str, reason: str) -> bool:
        await connection.execute("update test_programs set retired = true where name = %s", (name,))
        return True

    async def forecast(self, program: Program) -> Forecast:
        return self.forecasts.get(program.name, Forecast(0, 0, 0, {}))


@dataclass
class Books:
    """What a test looks at: the service, the ledger below, the programs beside, the owner."""

    service: EconomyService
    ledger: Ledger
    book: Book
    owner: psycopg.Connection

    def programs(self) -> dict[str, tuple[int, bool]]:
        """Version of each program, and whether it is retired."""
        rows = self.owner.execute("select name, version, retired from test_programs order by 1")
        return {name: (version, retired) for name, version, retired in rows}

    async def apply(self, text: str, actor: str = "ann", **more: str | bool) -> tuple[int, str]:
        """Apply a text; its version and how that stands."""
        applied = await self.service.apply(text, actor=actor, reason="r", **more)  # type: ignore[arg-type]
        return applied.version.version, applied.version.state.value


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """A ledger without assets."""
    opened = Pool(database.url, max_connections=4)
    await opened.open()
    async with Ledger(opened) as ledger:
        yield ledger


@pytest.fixture
async def books(database: Database, ledger: Ledger) -> AsyncIterator[Books]:
    """An economy before its first file."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "create table public.test_programs (name text primary key, version integer,"
            " program text, actor text, reason text, retired boolean default false)"
        )
        owner.execute("grant usage on schema public to public")
        owner.execute("grant all on public.test_programs to public")
        book = Book()
        yield Books(EconomyService(ledger, book), ledger, book, owner)

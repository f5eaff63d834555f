"""An operation on an open ledger, and the owner's own connection for damage and age."""

from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

from bursar.ledger import Credit, Ledger
from bursar.operation import Operation
from bursar.platform.database import Database as Pool
from tests.conftest import Database


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    pool = Pool(database.url, max_connections=8)
    await pool.open()
    async with Ledger(pool) as ledger:
        await ledger.add_asset("coins", actor="test", reason="because")
        grants = [
            Credit(holder=name, asset="coins", amount=100, reference="welcome")
            for name in ("ada", "bob")
        ]
        await ledger.post(grants, actor="test", reason="test")
        yield ledger


@pytest.fixture
def operation(ledger: Ledger) -> Operation:
    return Operation(ledger)


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def damage(owner: psycopg.Connection) -> Callable[[], None]:
    """Let a wallet say more than its entries."""

    def damage() -> None:
        owner.execute("update bursar.wallets set balance = 700 where holder_id = 2")

    return damage

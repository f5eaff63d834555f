"""An open ledger with people in its directory, and a mail server."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bursar.holders import HolderChange, Holders
from bursar.ledger import Ledger
from bursar.platform.database import Database
from tests.notices.mail.servers import Office, office


@pytest.fixture
async def ledger(database: Any) -> AsyncIterator[Ledger]:
    """A ledger with ``coins`` and ``cents`` (of scale 2), and ada, bob and eve."""
    opened = Database(database.url, max_connections=6)
    await opened.open()
    async with Ledger(opened) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        await ledger.add_asset("cents", scale=2, actor="test", reason="test")
        people = [
            HolderChange("ada", email="ada@example.org", username="Ada", locale="de-DE",
                         time_zone="Europe/Berlin"),
            HolderChange("bob", email="bob@example.org"),
            HolderChange("eve", username="eve"),
        ]  # fmt: skip
        await Holders(ledger).upsert(people, actor="test", reason="test")
        yield ledger


@pytest.fixture
def post() -> Iterator[tuple[Office, int]]:
    """A mail server and its port."""
    with office() as opened:
        yield opened

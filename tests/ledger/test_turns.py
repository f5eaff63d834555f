"""A batch that takes long to decide does not hold up the others of its process (L2)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bursar.ledger import Credit, Ledger
from bursar.ledger.posting import batch
from bursar.platform.settings import Settings
from tests.conftest import Database
from tests.support.assets import put_asset

SETTINGS = Settings(data_dir=Path("/nowhere/data"))


async def test_others_have_their_turns_while_a_long_batch_is_decided(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    seen = []
    decide = batch.decide

    def noting(*given: Any) -> Any:
        seen.append(turns)
        return decide(*given)

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(batch, "_TURN_S", -1.0)
    monkeypatch.setattr(batch, "decide", noting)
    put_asset(database.owner_url)
    commands = [
        Credit(holder="ada", asset="coins", amount=1, reference=f"r{i}") for i in range(100)
    ]
    async with await Ledger.open(database.url, settings=SETTINGS) as ledger:
        task = asyncio.create_task(other())
        done = await ledger.post(commands, actor="a", reason="r")
        task.cancel()
        assert [one.unwrap().balance for one in done] == list(range(1, 101))
        assert (await ledger.verify()).ok
    assert len(seen) > 5
    assert len(set(seen)) == len(seen)

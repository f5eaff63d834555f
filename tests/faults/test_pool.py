"""A pool whose database is away for long (O1)."""

import asyncio
from typing import Any

import pytest

from bursar.platform import database
from bursar.platform.database import Database
from bursar.platform.errors import Unavailable


@pytest.mark.slow
async def test_who_waits_in_a_pool_that_has_given_up_is_served_when_the_database_is_back(
    own_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_RECONNECT_S", 0.05)
    gave_up = asyncio.Semaphore(0)
    try_again = Database._try_again

    async def noted(self: Database, pool: Any) -> None:
        gave_up.release()
        await try_again(self, pool)

    monkeypatch.setattr(Database, "_try_again", noted)

    opened = Database(own_server.url, max_connections=2)
    await opened.open()
    try:
        await asyncio.to_thread(own_server.crash)
        asking = [asyncio.create_task(ask(opened)) for _ in range(3)]
        for _ in range(4):
            await gave_up.acquire()
        await asyncio.to_thread(own_server.restart)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        # whoever was lent the connection that there was may have been told that it is lost
        lost = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert len(lost) <= 1
        assert [answer for answer in answers if answer not in lost] == [(1,)] * (3 - len(lost))
    finally:
        await opened.close()


async def ask(opened: Database) -> Any:
    async with opened.connection() as connection:
        return await (await connection.execute("select 1")).fetchone()

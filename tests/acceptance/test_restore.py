"""Restore, verify, and nothing is sent twice: a club's books move to another server (O3, A)."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bursar.holders.model import HolderChange
from bursar.ledger import Ledger, Posted
from bursar.ledger.commands import Debit
from bursar.platform.backup import back_up, restore
from bursar.platform.database import Connection
from bursar.platform.database import Database as Pool
from bursar.platform.errors import Conflict
from bursar.platform.postgres import Server
from tests.acceptance.world import World, at, example
from tests.conftest import Database
from tests.support import postgres

AMOUNT = 50_000

# The first server has seen more transactions than the second will: its numbers must not count.
AGE = """
do $$ begin
    for number in 1..20000 loop perform pg_current_xact_id(); commit; end loop;
end $$
"""

MEMBERS = [f"member-{number}" for number in range(40)]

Fact = tuple[str, str]
"""Whom a message is for, and the reference that it is about: the message's own id."""


@pytest.fixture
def other_server() -> Iterator[Server]:
    """A server on which transaction numbers begin anew."""
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as server:
        yield server


class Mail:
    """A follower that sends: what has left the house does not come back with a restore."""

    def __init__(self) -> None:
        self.sent: list[Fact] = []

    async def follow(self, ledger: Ledger) -> list[Fact]:
        """Send all that is new; returns it."""
        before = len(self.sent)

        async def send(found: list[Posted], _: Connection) -> None:
            entries = [entry for posted in found for entry in posted.entries]
            names = await ledger.holders({entry.holder_id for entry in entries})
            self.sent += [(names[entry.holder_id], entry.reference) for entry in entries]

        while await ledger.follow("mail", send, postings=1):
            pass
        return self.sent[before:]


async def _spend(world: World, name: str) -> None:
    order = Debit(holder=name, asset="coins", amount=120, reference=f"order:{name}")
    [result] = await world.post([order])
    result.unwrap()


async def test_a_restore_verifies_sends_nothing_twice_and_pays_nobody_twice(
    world: World, database: Database, other_server: Server, tmp_path: Path
) -> None:
    mail = Mail()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(AGE)
    world.to(at(2026, 3, 1, 9))
    await world.apply(example("sportsclub", ("starts = 2026-01-01", "starts = 2026-03-01")))
    await world.enrol(
        HolderChange(name, verified=True, subscription_start=at(2026, 2, 1)) for name in MEMBERS
    )
    await world.work()
    march = {(name, "monthly:2026-03") for name in MEMBERS}
    assert set(await mail.follow(world.ledger)) == march
    await _spend(world, MEMBERS[0])  # in the backup, and not sent yet when it is made

    file = tmp_path / "books"
    back_up(database.owner_url, file)
    kept, sent_by_then = world.balances(), set(mail.sent)
    await _spend(world, MEMBERS[1])  # lost with the first server

    restore(file, other_server.owner_url)
    pool = Pool(other_server.service_url)
    await pool.open()
    with psycopg.connect(other_server.owner_url, autocommit=True) as owner:
        async with Ledger(pool) as ledger:
            again = World(ledger, owner)
            again.to(world.now)
            assert again.balances() == kept
            assert (await ledger.verify()).ok

            with pytest.raises(Conflict) as caught:
                await again.programs.runs.start("monthly", actor="ann", reason="once more")
            assert caught.value.code == "period_run"
            await again.work()
            assert again.balances() == kept
            assert await mail.follow(ledger) == [(MEMBERS[0], f"order:{MEMBERS[0]}")]

            await again.run_until(at(2026, 4, 1, 9))
            assert set(await mail.follow(ledger)) == {(name, "monthly:2026-04") for name in MEMBERS}
            await again.assert_sound(given=2 * AMOUNT * len(MEMBERS), spent=120)
    assert sent_by_then == march
    assert len(mail.sent) == len(set(mail.sent)), "something was sent twice"

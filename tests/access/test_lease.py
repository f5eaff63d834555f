"""The lease: how old what a process believes can be, and who waits for which read (I2)."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from bursar.access.credential import digest
from bursar.access.lease import Lease
from bursar.access.live import Live
from bursar.platform.database import Database
from bursar.platform.errors import Denied, Unavailable
from tests.access.conftest import WHO, Clock, make

LEASE_S = 0.25
AT = datetime(2026, 3, 1, tzinfo=UTC)


class Source:
    """What is read, when the test lets it be: each read sees what was there as it began."""

    def __init__(self) -> None:
        self.now = 0
        self.reads: list[asyncio.Future[None]] = []

    async def read(self, known: Live | None) -> tuple[Live, datetime]:
        live = Live(UUID(int=self.now), {}, ())
        gate = asyncio.get_running_loop().create_future()
        self.reads.append(gate)
        await gate
        return live, AT


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def lease(source: Source, clock: Clock) -> Lease:
    return Lease(source.read, LEASE_S, clock)


async def ask(lease: Lease) -> "asyncio.Task[int]":
    """Begin to ask for what opens doors; the answer is the number that the source had."""

    async def answer() -> int:
        return (await lease.current()).live.revision.int

    task = asyncio.create_task(answer())
    await settle()
    return task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_within_a_lease_nothing_is_read_again(lease, source, clock):
    first = await ask(lease)
    source.reads[0].set_result(None)
    assert await first == 0
    source.now = 1
    clock.at += LEASE_S - 0.01
    assert await (await ask(lease)) == 0
    assert len(source.reads) == 1
    clock.at += 0.01
    again = await ask(lease)
    source.reads[1].set_result(None)
    assert await again == 1


async def test_a_lease_lasts_from_the_beginning_of_its_read(lease, source, clock):
    first = await ask(lease)
    clock.at += LEASE_S - 0.01
    source.reads[0].set_result(None)
    assert await first == 0
    clock.at += 0.01
    await ask(lease)
    assert len(source.reads) == 2
    source.reads[1].set_result(None)


async def test_one_read_serves_everybody_who_waits(lease, source, clock):
    crowd = [await ask(lease) for _ in range(200)]
    clock.at += 0.1
    crowd += [await ask(lease) for _ in range(200)]
    source.reads[0].set_result(None)
    assert set(await asyncio.gather(*crowd)) == {0}
    assert len(source.reads) == 1


async def test_who_came_during_a_read_that_took_too_long_waits_for_the_next(lease, source, clock):
    early = await ask(lease)
    source.now = 1  # a key is revoked, and the answer given before the late one comes
    clock.at += LEASE_S + 0.05
    late = await ask(lease)
    source.reads[0].set_result(None)
    assert await early == 0  # asked before: it is not kept waiting for ever
    await settle()
    assert not late.done()
    clock.at += LEASE_S + 0.05  # the second is slow as well, and it began after the late one came
    source.reads[1].set_result(None)
    assert await late == 1
    assert len(source.reads) == 2


async def test_a_slow_read_is_not_held_for_who_comes_after_it(lease, source, clock):
    early = await ask(lease)
    clock.at += 10
    source.reads[0].set_result(None)
    assert await early == 0
    source.now = 1
    late = await ask(lease)
    source.reads[1].set_result(None)
    assert await late == 1


async def test_a_read_that_fails_fails_who_waits_and_nobody_after(lease, source, clock):
    first, second = await ask(lease), await ask(lease)
    source.reads[0].set_exception(Unavailable("database_unavailable", "away"))
    for one in (first, second):
        with pytest.raises(Unavailable):
            await one
    third = await ask(lease)
    source.reads[1].set_result(None)
    assert await third == 0


async def test_what_is_over_age_is_never_served_because_nothing_newer_can_be_had(
    lease, source, clock
):
    first = await ask(lease)
    source.reads[0].set_result(None)
    await first
    clock.at += LEASE_S
    later = await ask(lease)
    source.reads[1].set_exception(Unavailable("database_unavailable", "away"))
    with pytest.raises(Unavailable):
        await later


async def test_who_goes_away_takes_nobodys_read_along(lease, source):
    first, second = await ask(lease), await ask(lease)
    first.cancel()
    await settle()
    source.reads[0].set_result(None)
    assert await second == 0
    assert len(source.reads) == 1


async def test_the_databases_instant_goes_on_from_the_beginning_of_the_read(lease, source, clock):
    first = asyncio.create_task(lease.current())
    await settle()
    clock.at += 0.1
    source.reads[0].set_result(None)
    held = await first
    assert (held.now(clock.at) - AT).total_seconds() == pytest.approx(0.1)


# --- on the database -------------------------------------------------------------------------


async def test_a_renewal_reads_the_keys_only_if_they_moved(access, clock):
    made = await access.add_key("n", "ada", ["viewer"], **WHO)
    await access.authenticate(made.secret)
    before = (await access._lease.current()).live
    clock.at += 1
    await access.authenticate(made.secret)
    assert (await access._lease.current()).live is before
    await access.add_key("m", "bob", ["viewer"], **WHO)
    assert (await access._lease.current()).live is not before


async def test_a_database_restored_from_a_backup_is_read_anew(access, clock, database):
    """Keys that a process remembers may not be there any more, and a counter might say the same."""
    made = await access.add_key("n", "ada", ["viewer"], **WHO)
    await access.authenticate(made.secret)
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("delete from bursar.api_key_secrets")
        owner.execute("update bursar.access_state set revision = gen_random_uuid()")
    clock.at += 1
    with pytest.raises(Denied):
        await access.authenticate(made.secret)


async def test_no_process_honours_a_secret_after_its_revocation_was_answered(pool):
    """On the real clock, with requests going on all the time in three processes."""
    crowd = [make(pool, time.monotonic, lease_s=0.05, sleep=asyncio.sleep) for _ in range(3)]
    made = await crowd[0].add_key("n", "ada", ["viewer"], **WHO)
    honoured, answered = asyncio.Event(), asyncio.Event()
    honoured_late = []

    async def knock(process) -> None:
        while True:
            late = answered.is_set()
            try:
                await process.authenticate(made.secret)
            except Denied:
                if late:
                    return
            else:
                honoured.set()
                if late:
                    honoured_late.append(process)
            await asyncio.sleep(0)

    knocking = [asyncio.create_task(knock(one)) for one in crowd for _ in range(4)]
    await honoured.wait()
    await crowd[0].revoke_key(made.key.key_id, **WHO)
    answered.set()
    await asyncio.gather(*knocking)
    assert honoured_late == []
    for one in crowd:
        await one.close()


async def test_two_hundred_at_once_need_one_connection(database, clock):
    narrow = Database(database.url, max_connections=1)
    await narrow.open()
    access = make(narrow, clock)
    made = await access.add_key("n", "ada", ["viewer"], **WHO)
    token = await access.issue_token("ada", actor="api:app")
    clock.at += 1
    asked = [access.authenticate(one) for one in (made.secret, token.text) for _ in range(100)]
    callers = await asyncio.gather(*asked)
    assert {caller.actor for caller in callers} == {"api:ada", "api:holder"}
    await access.close()
    await narrow.close()


async def test_concurrent_rotations_leave_one_secret_that_does_not_end(access, other):
    made = await access.add_key("n", "ada", ["viewer"], **WHO)
    turned = await asyncio.gather(
        *(
            one.rotate_key(made.key.key_id, overlap_s=60, **WHO)
            for one in (access, other)
            for _ in range(5)
        )
    )
    live = (await access._lease.current()).live
    ends = [live.keys[digest(one.secret)].ends_at for one in [made, *turned]]
    assert ends.count(None) == 1
    for one in [made, *turned]:
        await other.authenticate(one.secret)


async def test_a_rotation_that_races_a_revocation_leaves_no_door_open(access, other):
    for _ in range(5):
        made = await access.add_key("n", "ada", ["viewer"], **WHO)
        turned, _ = await asyncio.gather(
            access.rotate_key(made.key.key_id, overlap_s=60, **WHO),
            other.revoke_key(made.key.key_id, **WHO),
            return_exceptions=True,
        )
        secrets = [made.secret] + ([] if isinstance(turned, Exception) else [turned.secret])
        for secret in secrets:
            with pytest.raises(Denied):
                await access.authenticate(secret)


@pytest.mark.slow
async def test_when_the_database_dies_old_keys_are_not_served(own_server, clock):
    pool = Database(own_server.url, max_connections=4)
    await pool.open()
    access = make(pool, clock)
    made = await access.add_key("n", "ada", ["viewer"], **WHO)
    await access.authenticate(made.secret)
    await asyncio.to_thread(own_server.crash)
    await access.authenticate(made.secret)  # within the lease
    clock.at += LEASE_S
    with pytest.raises(Unavailable):
        await access.authenticate(made.secret)
    await asyncio.to_thread(own_server.restart)
    assert (await access.authenticate(made.secret)).key_id == made.key.key_id
    await access.close()
    [key] = await access.keys()
    assert key.last_used_at is not None
    await pool.close()

"""Followers see every posting, in an order that no late commit disturbs (L9, N5)."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.model import Result
from bursar.ledger.reading import follow
from bursar.ledger.reading.follow import Cursor, Handler, Posted, read_after
from bursar.ledger.service import Ledger
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Invalid, Unavailable
from tests.ledger.books import table


class Notebook:
    """A handler that writes down what it sees, also through the connection it is given."""

    def __init__(self) -> None:
        self.seen: list[Posted] = []

    async def __call__(self, postings: list[Posted], connection: Connection) -> None:
        await connection.execute(
            "insert into seen select unnest(%s::bigint[])",
            ([p.posting.posting_id for p in postings],),
        )
        self.seen += postings

    @property
    def references(self) -> list[str]:
        return [entry.reference for posted in self.seen for entry in posted.entries]


@pytest.fixture
def seen(database: Any) -> Any:
    """A table of a handler's own; without a key, so that it would show a second time."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("create table public.seen (posting_id bigint)")
        owner.execute("grant select, insert on public.seen to bursar_service")
    return lambda: sorted(n for (n,) in table(database.owner_url, "select * from public.seen"))


@asynccontextmanager
async def another(database: Any) -> AsyncIterator[Ledger]:
    """A ledger of another process."""
    opened = Database(database.url, max_connections=4)
    await opened.open()
    async with Ledger(opened) as ledger:
        yield ledger


async def post(
    ledger: Ledger, *references: str, holder: str = "ada", tx: Connection | None = None
) -> list[Result]:
    commands = [c.Credit(holder=holder, asset="coins", reference=r, amount=1) for r in references]
    return await ledger.post(commands, actor="test", reason="following", tx=tx)


async def follow_all(ledger: Ledger, handler: Handler, postings: int = 100) -> int:
    """Follow until there is nothing more; returns how many postings there were."""
    count = 0
    while done := await ledger.follow("f", handler, postings=postings):
        count += done
    return count


def all_postings(database: Any) -> list[int]:
    return [
        n for (n,) in table(database.owner_url, "select posting_id from bursar.postings order by 1")
    ]


async def test_a_follower_sees_every_posting_once_with_all_its_entries(
    ledger: Ledger, database: Any, seen: Any
) -> None:
    for number in range(25):
        holder = f"h{number % 3}"
        await post(ledger, *(f"{number}.{i}" for i in range(number % 4 + 1)), holder=holder)
    for postings in (1, 2, 7, 100):
        notebook = Notebook()
        name = f"by {postings}"
        while await ledger.follow(name, notebook, postings=postings):
            pass
        assert [p.posting.posting_id for p in notebook.seen] == all_postings(database)
        seqs = defaultdict(list)
        for posted in notebook.seen:
            assert len(posted.entries) == posted.posting.entries
            for entry in posted.entries:
                seqs[entry.holder_id].append(entry.seq)
        assert all(found == list(range(1, len(found) + 1)) for found in seqs.values())
        assert await ledger.follow(name, notebook) == 0


async def test_a_follower_waits_for_a_transaction_that_is_still_open(
    ledger: Ledger, seen: Any
) -> None:
    """What commits later is not passed, though others that began later have committed."""
    notebook = Notebook()
    await post(ledger, "first")
    async with ledger.database.transaction() as tx:
        await post(ledger, "slow", holder="ben", tx=tx)
        await post(ledger, "quick")
        assert await follow_all(ledger, notebook) == 1
        assert notebook.references == ["first"]
        await post(ledger, "quicker")
        assert await follow_all(ledger, notebook) == 0
    assert await follow_all(ledger, notebook, postings=1) == 3
    assert notebook.references == ["first", "slow", "quick", "quicker"]
    assert len(seen()) == 4


async def test_a_transaction_that_is_rolled_back_holds_nobody_up(ledger: Ledger, seen: Any) -> None:
    notebook = Notebook()
    async with ledger.database.transaction() as tx:
        await post(ledger, "undone", holder="ben", tx=tx)
        await post(ledger, "quick")
        assert await follow_all(ledger, notebook) == 0
        raise psycopg.Rollback
    assert await follow_all(ledger, notebook) == 1
    assert notebook.references == ["quick"]


async def test_who_began_to_write_early_and_posted_late_comes_first_and_seq_tells(
    ledger: Ledger, seen: Any
) -> None:
    """Transactions are numbered at their first write; so a handler orders entries by `seq`."""
    notebook = Notebook()
    async with ledger.database.transaction() as tx:
        await tx.execute("select pg_current_xact_id()")
        await post(ledger, "second")
        await post(ledger, "third", tx=tx)
    assert await follow_all(ledger, notebook) == 2
    assert notebook.references == ["third", "second"]
    assert [p.entries[0].seq for p in notebook.seen] == [2, 1]


async def test_nothing_is_missed_or_seen_twice_while_many_post(
    ledger: Ledger, database: Any, seen: Any
) -> None:
    """Slow transactions, quick ones, some undone; two follow under one name meanwhile."""
    random = Random(3)
    posting = True

    async def writer(name: str) -> None:
        for number in range(15):
            if random.randrange(3):
                await post(ledger, f"{name}.{number}", holder=f"h{random.randrange(4)}")
                continue
            try:
                async with ledger.database.transaction() as tx:
                    await post(ledger, f"{name}.{number}", holder=name, tx=tx)
                    for _ in range(random.randrange(9)):
                        await tx.execute("select 1")
                    if random.randrange(3) == 0:
                        raise psycopg.Rollback
            except psycopg.errors.DeadlockDetected:
                pass

    async def follower(following: Ledger, notebook: Notebook) -> None:
        while posting or await following.follow("f", notebook, postings=3):
            await following.follow("f", notebook, postings=random.choice((1, 3, 50)))

    async with another(database) as one, another(database) as two:
        notebooks = (Notebook(), Notebook())
        following = asyncio.gather(follower(one, notebooks[0]), follower(two, notebooks[1]))
        await asyncio.gather(*(writer(f"w{i}") for i in range(4)))
        posting = False
        await following
    assert seen() == all_postings(database)
    handled = [p.posting.posting_id for notebook in notebooks for p in notebook.seen]
    assert sorted(handled) == all_postings(database)


async def test_who_comes_while_another_of_its_name_is_at_work_finds_nothing_to_do(
    ledger: Ledger, database: Any, seen: Any
) -> None:
    """Also the first time, when there is no cursor yet: nobody waits, nothing is done twice."""
    for references in (("a", "b"), ("c",)):
        for reference in references:
            await post(ledger, reference)

        async def slow(postings: list[Posted], connection: Connection) -> None:
            await Notebook()(postings, connection)
            async with another(database) as second:
                assert await second.follow("f", Notebook()) == 0

        assert await ledger.follow("f", slow) == len(references)
    assert seen() == all_postings(database)


async def test_a_handler_that_raises_leaves_the_cursor_and_what_it_wrote_is_undone(
    ledger: Ledger, database: Any, seen: Any
) -> None:
    await post(ledger, "a")
    await post(ledger, "b")
    notebook = Notebook()
    assert await ledger.follow("f", notebook, postings=1) == 1

    async def clumsy(postings: list[Posted], connection: Connection) -> None:
        await Notebook()(postings, connection)
        raise LookupError("the template is missing")

    for _ in range(2):
        with pytest.raises(LookupError):
            await ledger.follow("f", clumsy)
    assert seen() == all_postings(database)[:1]
    assert await follow_all(ledger, notebook) == 1
    assert notebook.references == ["a", "b"]
    assert seen() == all_postings(database)


async def test_a_follower_that_dies_at_work_leaves_it_to_the_next(
    ledger: Ledger, database: Any, seen: Any
) -> None:
    await post(ledger, "a")
    await post(ledger, "b")

    async def dying(postings: list[Posted], connection: Connection) -> None:
        await Notebook()(postings, connection)
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))

    with pytest.raises(Unavailable):
        await ledger.follow("f", dying)
    assert (seen(), (await ledger.lag("f")).entries) == ([], 2)
    async with another(database) as second:
        assert await second.follow("f", Notebook()) == 2
    assert seen() == all_postings(database)


async def test_followers_of_other_names_each_see_everything(ledger: Ledger, seen: Any) -> None:
    await post(ledger, "a")
    one, two = Notebook(), Notebook()
    assert await ledger.follow("one", one) == 1
    await post(ledger, "b")
    assert await ledger.follow("two", two) == 2
    assert await ledger.follow("one", one) == 1
    assert one.references == two.references == ["a", "b"]


async def test_a_handler_at_work_outside_the_database_holds_up_no_other_follower(
    ledger: Ledger, seen: Any
) -> None:
    """A slow mail server must not stop the rankings."""
    await post(ledger, "a")
    other = Notebook()

    async def mailing(_: list[Posted], __: Connection) -> None:
        await post(ledger, "b")
        assert await ledger.follow("other", other) == 2

    assert await ledger.follow("mail", mailing) == 1
    assert other.references == ["a", "b"]


async def test_a_follower_has_no_transaction_number_before_its_handler_writes(
    ledger: Ledger, seen: Any
) -> None:
    """So one that finds nothing, or sends what it finds elsewhere, is in nobody's way."""
    await post(ledger, "a")
    numbers: list[Any] = []

    async def handler(postings: list[Posted], connection: Connection) -> None:
        for _ in range(2):
            query = await connection.execute("select pg_current_xact_id_if_assigned() is null")
            numbers.append(await query.fetchone())
            await Notebook()(postings, connection)

    assert await ledger.follow("f", handler) == 1
    assert numbers == [(True,), (False,)]


async def test_a_handler_may_post_in_its_own_transaction_and_meets_it_the_next_time(
    ledger: Ledger, seen: Any
) -> None:
    await post(ledger, "a")
    notebook = Notebook()

    async def rewarding(postings: list[Posted], connection: Connection) -> None:
        await notebook(postings, connection)
        for posted in postings:
            for entry in posted.entries:
                if len(entry.reference) < 4:
                    await post(ledger, f"{entry.reference}+", holder="ben", tx=connection)

    assert [await ledger.follow("f", rewarding) for _ in range(5)] == [1, 1, 1, 1, 0]
    assert notebook.references == ["a", "a+", "a++", "a+++"]


async def test_a_restored_database_is_followed_on_in_a_new_epoch(
    ledger: Ledger, database: Any, seen: Any
) -> None:
    """After a restore transaction numbers begin again, below those in the books."""
    await post(ledger, "a")
    notebook = Notebook()
    assert await follow_all(ledger, notebook) == 1
    far = 2**40
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            "insert into bursar.postings"
            " (posting_id, epoch, xid, recorded_at, entries, actor, reason)"
            " select nextval('bursar.posting_ids'), 1, (%s + n)::text::xid8, now(), 0, 'old', 'old'"
            " from generate_series(0, 3) n",
            (far,),
        )
    assert await follow_all(ledger, notebook) == 0, "in its own epoch that is the future"
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("update bursar.economy set epoch = 2")
    await post(ledger, "b")
    assert (await ledger.lag("f")).entries == 1
    assert await follow_all(ledger, notebook, postings=2) == 5
    await post(ledger, "c")
    assert await follow_all(ledger, notebook) == 1
    assert [p.posting.posting_id for p in notebook.seen] == all_postings(database)
    assert notebook.references == ["a", "b", "c"]
    assert table(
        database.owner_url, "select epoch, xid::text::bigint < %s from bursar.cursors", far
    ) == [(2, True)]


async def test_lag_counts_the_entries_to_come_and_tells_since_when(
    ledger: Ledger, seen: Any
) -> None:
    assert await ledger.lag("f") == follow.Lag(0, None)
    first = (await post(ledger, "a", "b"))[0].unwrap()
    await post(ledger, "c")
    assert await ledger.lag("f") == follow.Lag(3, first.recorded_at)
    assert await ledger.follow("f", Notebook(), postings=1) == 1
    assert (await ledger.lag("f")).entries == 1
    assert await ledger.follow("f", Notebook()) == 1
    assert await ledger.lag("f") == follow.Lag(0, None)


async def test_lag_is_told_while_a_handler_is_at_work(ledger: Ledger, seen: Any) -> None:
    """A metric that waited for the handler would be silent just when it matters."""
    await post(ledger, "a")
    assert await ledger.follow("f", Notebook()) == 1
    await post(ledger, "b")
    told: list[int] = []

    async def handler(_: list[Posted], __: Connection) -> None:
        async with asyncio.timeout(60):
            told.append((await ledger.lag("f")).entries)

    assert await ledger.follow("f", handler) == 1
    assert told == [1]


@pytest.mark.parametrize("bad", [0, -1, 1_001, True, "x", None])
async def test_a_follower_takes_1_to_1000_postings_at_a_time(bad: Any, ledger: Ledger) -> None:
    await post(ledger, "a")
    with pytest.raises(Invalid) as caught:
        await ledger.follow("f", Notebook(), postings=bad)
    assert caught.value.code == "page_limit"


async def test_a_large_posting_is_handed_over_whole_and_alone(
    ledger: Ledger, seen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_LARGEST", 5)
    for number, size in enumerate((2, 3, 1, 9, 1)):
        await post(ledger, *(f"{number}.{i}" for i in range(size)))
    sizes = []

    async def handler(postings: list[Posted], _: Connection) -> None:
        sizes.append([len(posted.entries) for posted in postings])

    assert await follow_all(ledger, handler) == 5
    assert sizes == [[2, 3], [1], [9], [1]]


async def test_the_next_postings_are_found_by_an_index_however_many_went_before(
    ledger: Ledger, database: Any
) -> None:
    """The plan is made once for all cursors; it must walk the index from the cursor on."""
    await post(ledger, "a")
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into bursar.postings"
            " (posting_id, epoch, xid, recorded_at, entries, actor, reason)"
            " select nextval('bursar.posting_ids'), 0, n::text::xid8, now(), 0, 'old', 'old'"
            " from generate_series(1, 50000) n"
        )
        owner.execute("vacuum analyze bursar.postings")
    for cursor, count in ((Cursor(0, 49_990), 12), (Cursor(), 100), (Cursor(0, 25_000, 2), 100)):
        async with ledger.database.transaction() as tx:
            before = await rows_read(tx)
            found, _ = await read_after(tx, cursor, 100)
            scans, rows = (a - b for a, b in zip(await rows_read(tx), before, strict=True))
        assert len(found) == count
        assert (scans, rows) == (0, count)


async def rows_read(tx: Connection) -> tuple[int, int]:
    cursor = await tx.execute(
        "select seq_scan, coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
        " where schemaname = 'bursar' and relname = 'postings'"
    )
    row = await cursor.fetchone()
    return (0, 0) if row is None else (row[0], row[1])

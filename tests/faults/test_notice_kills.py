"""Exactly once in the inbox, at least once elsewhere, whoever is killed (N5).

BURSAR_FAULT_SEED repeats the choices of a run; what they hit is up to the machine.
"""

import asyncio
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
import pytest

from bursar.notices.model import InboxNotice
from bursar.platform.sealing import new_key
from bursar.platform.settings import Settings
from tests.faults import told
from tests.faults.commands import Commands
from tests.faults.crew import Crew, wait_for
from tests.faults.economy import name_of, set_clock
from tests.faults.strangers import NOBODY, Machine, Machines, PostOffice
from tests.notices.mail.servers import office

PEOPLE = 2_000
KILLS = 24
DAYS = {1: 1, 9: 2, 17: 3}
"""Before which kills a day begins, and which."""

_WORKERS = 2
_UNDER_WAY = """
select d.delivery_id from bursar.deliveries d
 where d.state = 'waiting' and d.leased_until > clock_timestamp()
 order by 1
"""
_NOW = """
update bursar.deliveries
   set due_at = now(), leased_until = case when leased_until is not null then now() end
 where state = 'waiting'
"""
_SOON = """
update bursar.deliveries set due_at = now()
 where state = 'waiting' and due_at > now() and (leased_until is null or leased_until <= now())
"""
_DONE = """
select not exists (select from bursar.runs where state in ('waiting', 'running', 'paused'))
   and not exists (select from bursar.runs where not told)
   and not exists (select from bursar.dispatches where state = 'running')
   and not exists (select from bursar.deliveries where state = 'waiting')
   and not exists (select from bursar.postings p, bursar.cursors c
                    where c.follower = 'notices'
                      and (p.epoch, p.xid, p.posting_id) > (c.epoch, c.xid, c.posting_id))
   and (select paid_until > bursar.now() from bursar.programs)
"""
_PARKED = "select delivery_id from bursar.deliveries where state = 'parked'"
DELIVERIES = """
select d.delivery_id, d.channel, d.endpoint_id, d.notice_id::text, d.state, d.address,
       coalesce(substr(i.external_id, 2)::int, 0)
  from bursar.deliveries d
  left join bursar.holder_ids i using (holder_id)
"""

say: Final = partial(print, flush=True)


class Kills:
    """Kills all workers at once, again and again, and knows what they had under way."""

    def __init__(self, owner: psycopg.Connection, crew: Crew | Commands, random: Random) -> None:
        self.cut_off: Counter[int] = Counter()
        """how often each delivery was under way when its worker was killed"""
        self._owner = owner
        self._crew = crew
        self._random = random

    def ask(self, query: str) -> list[Any]:
        """Ask the database as its owner."""
        return self._owner.execute(query).fetchall()  # type: ignore[arg-type]

    def one(self, number: int) -> None:
        """Let them work for a while and kill them; what they had under way is due at once."""
        self._start()
        wait_for(lambda: self.ask(_UNDER_WAY), "something under way")
        self.after(number, self._random.uniform(0, 1.5))

    def after(self, number: int, seconds: float) -> None:
        """Kill them some time from now, whatever they are at."""
        self._start()
        time.sleep(seconds)
        for hand in list(self._crew.hands):
            self._crew.kill(hand)  # type: ignore[arg-type]  # a crew's own
        under_way = self._settled()
        self.cut_off.update(under_way)
        self._owner.execute(_NOW)
        say(f"kill {number}: {len(under_way)} deliveries under way")

    def let_them_finish(self) -> None:
        """Have workers do the rest, and nothing wait long for its next try."""
        self._start()

        def done() -> bool:
            self._owner.execute(_SOON)
            time.sleep(0.1)
            return bool(self.ask(_DONE)[0][0])

        wait_for(done, "an end of all work", 300)

    def replay_parked(self, url: str, settings: Settings) -> int:
        """Send again what was given up; how many deliveries that were."""
        parked = [row[0] for row in self.ask(_PARKED)]
        asyncio.run(told.replay(url, settings, parked))
        return len(parked)

    def _start(self) -> None:
        while len(self._crew.hands) < _WORKERS:
            self._crew.start()

    def _settled(self) -> list[int]:
        """Wait until the server has done what the dead had asked for; what is leased then."""
        before = None
        while (found := self.ask(_UNDER_WAY)) != before:
            before = found
            time.sleep(0.05)
        return [row[0] for row in found]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_fact_is_in_the_inbox_once_and_arrives_elsewhere_through_all_kills(
    database: Any, tmp_path: Path
) -> None:
    seed = int(os.environ.get("BURSAR_FAULT_SEED") or secrets.randbelow(2**32))
    say(f"BURSAR_FAULT_SEED={seed}")
    post = PostOffice(seed)
    with office(handler=post) as (_, port), Machines(seed) as machines:
        settings = settings_for(port, tmp_path)
        hooks = [machines.add("first"), machines.add("second")]
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            told.found(owner, database.url, PEOPLE)
            asyncio.run(told.listen(database.url, settings, *hooks))
            with Crew(database.url, chunk=250, settings=settings) as crew:
                kills = Kills(owner, crew, Random(seed))
                with told.App(database.url, settings, seed, PEOPLE) as app:
                    for number in range(1, KILLS + 1):
                        if number in DAYS:
                            set_clock(owner, DAYS[number])
                        kills.one(number)
                kills.let_them_finish()
                # not of every refusal: some were killed before they heard of it
                assert kills.replay_parked(database.url, settings) > 0
                kills.let_them_finish()
                crew.stop_all()
            shown, sound = asyncio.run(told.read_inboxes(database.url, settings, PEOPLE))
            expected = told.must_be_told(owner, PEOPLE, [*DAYS.values()], app.arrived)
            rows = kills.ask(DELIVERIES)
    say(f"mail: {dict(post.did)}; machines: {[dict(hook.did) for hook in hooks]}")
    assert {name: Counter(map(told.told, found)) for name, found in shown.items()} == expected
    check_letters(post, shown)
    for hook in hooks:
        check_machine(hook, shown)
    check_repeats(rows, kills.cut_off, post, hooks)
    assert sound
    check_that_it_was_hard(kills, post, hooks, app)


def settings_for(port: int, folder: Path) -> Settings:
    return Settings(
        data_dir=folder,
        smtp_url=f"smtp://127.0.0.1:{port}",
        mail_from="Club <coins@club.example>",
        mail_per_second=2_000,
        public_url="https://coins.club.example",
        secrets_key=(new_key(),),
        webhook_networks=("127.0.0.0/8",),
    )


def check_letters(post: PostOffice, shown: dict[str, list[InboxNotice]]) -> None:
    """Whoever has an address was written what the inbox says, under the same ids."""
    for number in range(1, PEOPLE + 1):
        address = told.address(number)
        if address is not None:
            ids = {str(notice.notice_id) for notice in shown[name_of(number)]}
            arrived = set(post.taken[address])
            assert arrived == (set() if address.startswith(NOBODY) else ids), address


def check_machine(hook: Machine, shown: dict[str, list[InboxNotice]]) -> None:
    """A machine was told everything that inboxes hold, each in one delivery that stays the same."""
    assert hook.changed == []
    arrived = Counter((notice["holder"], notice["id"]) for notice in notices_of(hook))
    in_inboxes = {(name, str(one.notice_id)) for name, found in shown.items() for one in found}
    assert {key for key in arrived if key[0] is not None} == in_inboxes
    assert set(arrived.values()) == {1}


def notices_of(hook: Machine) -> Iterator[dict[str, Any]]:
    for said in hook.told.values():
        yield from said["data"]["notices"]


def check_repeats(
    rows: list[Any], cut_off: Counter[int], post: PostOffice, hooks: list[Machine]
) -> None:
    """What was taken more than once was under way at a kill, and only so often."""
    again = 0
    for delivery_id, channel, endpoint_id, notice_id, state, address, number in rows:
        if channel == "webhook":
            times = hooks[endpoint_id - 1].taken[notice_id]
        else:
            times = post.taken[address or told.address(number) or ""][notice_id]
        if state == "dropped":
            assert (times, (told.address(number) or "").startswith(NOBODY)) == (0, True)
        else:
            assert state == "sent"
            assert 1 <= times <= 1 + cut_off[delivery_id], f"delivery {delivery_id}"
            again += times - 1
    say(f"{len(rows)} deliveries, {sum(cut_off.values())} cut off, {again} taken again")


def check_that_it_was_hard(
    kills: Kills, post: PostOffice, hooks: list[Machine], app: told.App
) -> None:
    assert sum(kills.cut_off.values()) >= KILLS
    assert set(post.did) == {"greylisted", "dropped", "refused", "no such address"}
    for hook in hooks:
        assert {"500 Oh", "302 Elsewhere", "hangs up", "is silent"} <= set(hook.did)
    assert app.looks > 10
    assert app.spent > 10

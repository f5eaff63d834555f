"""Kills at random moments, with work under way at each; and an operator who steers meanwhile."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, Final

import psycopg

from bursar.ledger import Ledger
from bursar.platform.database import Database
from bursar.platform.errors import Conflict, Rejected
from bursar.platform.postgres import process
from bursar.programs.service import Programs
from tests.faults import economy
from tests.faults.crew import PATIENCE_S, Crew, Hand, wait_for

_WORKERS = 3
_BUSY = 40
"""With so many chunks open, whoever is killed is killed at work."""

_OPEN = """
select count(*)
  from bursar.run_chunks c
  join bursar.runs r using (run_id)
 where c.done_at is null and r.state = 'running'
"""

_TAKEN_UP = """
select coalesce(p.paid_until > bursar.now(), false) from bursar.programs p where p.name = 'daily'
"""

_QUIET = """
select not exists (select from bursar.runs r
                    where r.state in ('waiting', 'running', 'paused', 'reverting'))
   and not exists (select from bursar.programs p
                    where p.name in ('daily', 'streak')
                      and (p.paid_until is null
                           or p.paid_until + case when p.name = 'streak' then interval '1 day'
                                                  else interval '0' end <= bursar.now()))
   and not exists (select from bursar.program_cycles c where c.look_at <= bursar.now())
   and not exists (select from bursar.run_failures f
                     join bursar.runs r using (run_id)
                    where r.state = 'finished' and f.resolved_at is null
                      and f.retry_at <= bursar.now())
"""

_FINISHED = """
select r.run_id, r.period_key
  from bursar.runs r
  join bursar.programs p using (program_id)
 where p.name = 'daily' and r.kind = 'scheduled' and r.state = 'finished' and r.generation = 0
   and r.period_key = any (%s)
 order by r.run_id
"""

_BACKEND = """
select a.pid from pg_stat_activity a
 where a.application_name = 'bursar' and a.state in ('active', 'idle in transaction')
 order by a.pid
"""


say: Final = partial(print, flush=True)


class Chaos:
    """Drives one test: the clock, the workers and their ends, the server and its ends."""

    def __init__(self, server: Any, crew: Crew, random: Random, told: economy.History) -> None:
        self.told = told
        self.killed: dict[str, int] = {}
        self.at_work = 0
        self._server = server
        self._crew = crew
        self._random = random
        self._owner: psycopg.Connection | None = None
        self._paused: int | None = None
        self._began = time.monotonic()

    def ask(self, query: str, values: Any = None) -> list[Any]:
        """Ask the database as its owner, patiently while it recovers."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.owner().execute(query, values).fetchall()  # type: ignore[arg-type]
            except psycopg.OperationalError:
                self._owner = None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def owner(self) -> psycopg.Connection:
        """Connect, if need be."""
        if self._owner is None or self._owner.closed:
            self._owner = psycopg.connect(self._server.owner_url, autocommit=True)
        return self._owner

    def close(self) -> None:
        """Give the connection back."""
        if self._owner is not None:
            self._owner.close()

    # --- work, so that there is something to kill -----------------------------------------------

    def busy(self) -> int:
        """Have all workers there and chunks open; tell how many."""
        while len(self._crew.hands) < _WORKERS:
            self._crew.start()
        opened = self._open()
        if opened < _BUSY and self._may_move_on():
            self.told.last += self._random.randint(1, 3)
            self.ask("select 1")
            economy.set_clock(self.owner(), self.told.last)
            opened = wait_for(self._open, f"work on day {self.told.last}")
        return opened

    def _open(self) -> int:
        return int(self.ask(_OPEN)[0][0])

    def _may_move_on(self) -> bool:
        """The clock waits for the day to be taken up, and for who joined to be paid for it."""
        if self.told.last and not self.ask(_TAKEN_UP)[0][0]:
            return False
        if self.told.joined != self.told.last:
            return True
        reference = f"daily:{economy.date_of(self.told.joined)}"
        [(paid, due)] = self.ask(
            "select (select count(*) from bursar.entries e"
            "         where e.reference = %s and e.holder_id in (select holder_id"
            "           from bursar.holder_ids where substr(external_id, 2)::int > %s)),"
            " (select count(*) from bursar.holder_ids i, substr(i.external_id, 2) as n"
            "   where n::int > %s and n::int %% 7 <> 0"
            "     and not (n::int %% 61 = 0 and n::int %% 3 <> 2))",
            (reference, self.told.people, self.told.people),
        )
        return bool(paid == due)

    # --- kills --------------------------------------------------------------------------------

    def kill_worker(self, number: int) -> None:
        """Kill a worker: at work, or before it has come to any."""
        hand = self._random.choice(self._crew.hands)
        late = self._random.random() < 0.7
        if late:
            wait_for(lambda: hand.chunks() or not self.busy(), "a first chunk")
        delay_s = self._random.uniform(0.005, 0.15)
        time.sleep(delay_s)
        opened = self._open()
        self._crew.kill(hand)
        self._note(number, f"worker {hand.pid} after {hand.chunks()} chunks", "worker", opened)

    def kill_postgres(self, number: int) -> None:
        """Kill a backend, the server's first process alone, or all there is of it."""
        way = self._random.choice(("backend", "postmaster", "crash"))
        time.sleep(self._random.uniform(0.005, 0.15))
        opened = self._open()
        match way:
            case "backend":
                pid = self._random.choice(
                    wait_for(lambda: self.ask(_BACKEND), "a backend at work")
                )[0]
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: not process.is_alive(pid), "the end of a backend")
            case "postmaster":
                pid = process.running_pid(self._server.data_dir / "pgdata")
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: not process.is_alive(pid), "the end of the server")
                self._server.restart()
            case "crash":
                self._server.crash()
                self._server.restart()
        self.ask("select 1")
        self._note(number, f"postgres: {way}", "postgres", opened)

    def _note(self, number: int, what: str, kind: str, opened: int) -> None:
        self.killed[kind] = self.killed.get(kind, 0) + 1
        self.at_work += opened > 0
        after = time.monotonic() - self._began
        say(f"{after:6.2f} s  kill {number}: {what}; day {self.told.last}, {opened} chunks open")

    # --- an operator ---------------------------------------------------------------------------

    def pause_or_resume(self) -> None:
        """Pause a run that is under way, or let the one that is paused go on."""
        if self._paused is not None:
            run = self._paused
            self._paused = None
            self._steer(
                lambda programs: programs.runs.resume(run, actor="test", reason="test"),
                f"resume run_{run}",
            )
            return
        running = self.ask("select run_id from bursar.runs where state = 'running' order by run_id")
        if running:
            run = self._random.choice(running)[0]
            done = self._steer(
                lambda programs: programs.runs.pause(run, actor="test", reason="test"),
                f"pause run_{run}",
            )
            self._paused = run if done else None

    def resume(self) -> None:
        """Leave nothing paused."""
        if self._paused is not None:
            self.pause_or_resume()

    def revert(self) -> int:
        """Take a day of ``daily`` back that is paid; the day.

        A run whose holders set aside are being tried again may not be taken back just then.
        """
        return int(wait_for(lambda: self.busy() and self._try_to_revert(), "a day to take back"))

    def _try_to_revert(self) -> int | None:
        days = {economy.date_of(day).isoformat(): day for day in range(1, self.told.last)}
        finished = self.ask(_FINISHED, (list(days),))
        if not finished:
            return None
        run, key = self._random.choice(finished)

        async def take_back(programs: Programs) -> None:
            made = await programs.runs.revert(run, "debt", actor="test", reason="test")
            self.told.reverted[days[key]] = made

        return days[key] if self._steer(take_back, f"revert run_{run}") else None

    def run_again(self, day: int) -> None:
        """Run a day anew, once it is taken back."""
        run = self.told.reverted[day]
        state = "select 1 from bursar.runs where run_id = %s and state = 'finished'"
        wait_for(lambda: self.busy() and self.ask(state, (run,)), "the end of a reversal")
        key = economy.date_of(day).isoformat()

        async def start(programs: Programs) -> None:
            await programs.runs.start("daily", key, actor="test", reason="again")

        def started() -> bool:
            try:
                return self._steer(start, f"run {key} again")
            except Conflict as error:  # a worker plans just now: an operator tries again, too
                if error.code != "program_moved":
                    raise
                return False

        wait_for(started, "a moment in which nobody plans")
        self.told.again.append(day)

    def mend(self) -> None:
        """Give half of those for whom the formula fails what it asks for."""
        numbers = range(122, self.told.people + 1, 122)
        changes = [economy.mended(number) for number in numbers if economy.fails(number)]
        assert changes
        self._steer(lambda programs: economy.enrol(programs.ledger, changes), "mend")
        self.told.mended = True

    def join(self, count: int) -> None:
        """Let people join today."""
        now = economy.noon(self.told.last)
        numbers = range(self.told.people + 1, self.told.people + count + 1)
        changes = [economy.person(number, now) for number in numbers]
        self._steer(lambda programs: economy.enrol(programs.ledger, changes), f"{count} join")
        self.told.joined = self.told.last

    def _steer(self, action: Callable[[Programs], Awaitable[None]], what: str) -> bool:
        """Do what an operator does; tell whether it was allowed."""
        try:
            asyncio.run(self._with_programs(action))
        except Rejected as refused:
            say(f"          {what}: {refused.message}")
            return False
        say(f"          {what}")
        return True

    async def _with_programs(self, action: Callable[[Programs], Awaitable[None]]) -> None:
        database = Database(self._server.url, max_connections=2)
        await database.open()
        async with Ledger(database) as ledger:
            await action(Programs(ledger, chunk=250))

    # --- the end -------------------------------------------------------------------------------

    def let_them_finish(self) -> None:
        """Do nothing but wait: the workers come to the end by themselves."""
        self.resume()
        while len(self._crew.hands) < _WORKERS:
            self._crew.start()
        wait_for(self._quiet, "an end by itself", 90)

    def _quiet(self) -> bool:
        lost: list[Hand] = [hand for hand in self._crew.hands if not hand.alive]
        assert not lost, "a worker ended by itself"
        assert self.ask("select run_id, note from bursar.runs where state = 'paused'") == []
        return bool(self.ask(_QUIET)[0][0])

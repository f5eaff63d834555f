"""An economy in motion: an example put in force, people, a clock that only goes forward."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bursar.economy.model import VersionState
from bursar.economy.service import EconomyService
from bursar.holders.model import HolderChange
from bursar.ledger import Ledger
from bursar.ledger.commands import AnyCommand
from bursar.ledger.model import Result
from bursar.notices.due import DueWork
from bursar.notices.service import Notices
from bursar.platform.settings import Settings
from bursar.programs.service import Programs

ROOT = Path(__file__).parents[2]
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BATCH = 10_000
_STEPS = 10_000
_MINUTE = timedelta(minutes=1)
_NO_POST = Settings(data_dir=Path("nowhere"))


def at(*when: int) -> datetime:
    """An instant in UTC."""
    return datetime(*when, tzinfo=UTC)


def example(name: str, *changes: tuple[str, str]) -> str:
    """Read the file of an example economy; each change replaces text that must be there."""
    text = (ROOT / "examples" / name / "economy.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


class World:
    """One ledger with its programs, people and notices; the clock stands still but for `to`.

    The ``settings`` say where notices are sent; without them they are told in inboxes alone.
    """

    def __init__(
        self, ledger: Ledger, owner: psycopg.Connection, settings: Settings = _NO_POST
    ) -> None:
        self.ledger = ledger
        self.programs = Programs(ledger)
        self.notices = Notices(ledger, settings)
        self._due = DueWork(self.programs, self.notices.maker)
        self._economy = EconomyService(ledger, self.programs)
        self.now = _EPOCH
        self._owner = owner
        owner.execute(
            "create or replace function bursar.now() returns timestamptz language sql stable as"
            " $$ select '2000-01-01 00:00:00+00'::timestamptz + clock_offset from bursar.economy $$"
        )

    def to(self, instant: datetime) -> None:
        """Move the clock forward; what waits to be sent has waited for so long."""
        assert instant >= self.now, f"the clock does not go back from {self.now} to {instant}"
        self._owner.execute(
            "update bursar.deliveries set due_at = due_at - %s where state = 'waiting'",
            (instant - self.now,),
        )
        self.now = instant
        self._owner.execute(
            "update bursar.economy set sandbox = true, clock_offset = %s", (instant - _EPOCH,)
        )

    async def apply(self, text: str) -> None:
        """Put an economy file in force."""
        applied = await self._economy.apply(text, actor="test:owner", reason="play")
        assert applied.version.state is VersionState.APPLIED

    async def enrol(self, changes: Iterable[HolderChange]) -> None:
        """Enrol or change people; none may be refused."""
        listed = list(changes)
        for first in range(0, len(listed), _BATCH):
            answers = await self.programs.holders.upsert(
                listed[first : first + _BATCH], actor="app", reason="play"
            )
            refused = [answer for answer in answers if answer.outcome == "refused"]
            assert not refused, refused[:3]

    async def work(self) -> None:
        """Do what is due, as a worker that looks in just now: give, tell of it, and send."""
        await self._due.do_all_due()
        await self.notices.send_mail()
        await self.notices.send_webhooks()

    async def run_until(self, end: datetime, *, late: timedelta = timedelta()) -> None:
        """Let time pass as a running system has it: it wakes when something is due, and works.

        With ``late`` it always comes that much too late.
        """
        for _ in range(_STEPS):
            due = await self._due.next_due()
            dues = (None if due is None else due + late, self._next_post())
            following = min((one for one in dues if one is not None), default=None)
            if following is None or following > end:
                break
            self.to(max(self.now, following))
            await self.work()
        else:
            raise AssertionError(f"there is always something due at {self.now}")
        self.to(end)

    def _next_post(self) -> datetime | None:
        """When something that waits is to be sent: by this clock, and to the minute.

        It is due in the time of the world, of which some has passed while this clock stood.
        """
        [(wait,)] = self.rows(
            "select min(d.due_at) - clock_timestamp() from bursar.deliveries d"
            " where d.state = 'waiting' and d.due_at > clock_timestamp()"
        )
        return None if wait is None else self.now + -(-wait // _MINUTE) * _MINUTE

    async def post(self, commands: Sequence[AnyCommand]) -> list[Result]:
        """Post what the app does on its own."""
        return await self.ledger.post(commands, actor="app", reason="play")

    def rows(self, query: str, *values: object) -> list[tuple]:
        """Look into the database itself."""
        return self._owner.execute(query, values).fetchall()

    def balances(self) -> dict[str, int]:
        """What everybody has, by external id; who has no wallet is not there."""
        return dict(
            self.rows(
                "select i.external_id, w.balance from bursar.wallets w"
                " join bursar.holder_ids i using (holder_id)"
            )
        )

    def entries(self, holder: str) -> list[tuple[str, int]]:
        """A holder's entries, the oldest first: reference and amount."""
        return self.rows(
            "select e.reference, e.amount from bursar.entries e"
            " join bursar.holder_ids i using (holder_id) where i.external_id = %s"
            " order by e.asset_id, e.seq",
            holder,
        )

    def periods(self, program: str, *states: str) -> list[tuple[datetime, datetime, str]]:
        """The periods taken up by a program, the oldest first: start, end, state of the run."""
        rows = self.rows(
            "select (r.period ->> 'start')::timestamptz, (r.period ->> 'end')::timestamptz, r.state"
            " from bursar.runs r join bursar.programs p using (program_id)"
            " where p.name = %s and r.kind = 'scheduled' order by 1",
            program,
        )
        return [
            (start.astimezone(UTC), end.astimezone(UTC), state)
            for start, end, state in rows
            if not states or state in states
        ]

    async def assert_sound(self, *, given: int, spent: int = 0) -> None:
        """The books prove themselves, and hold what was given and not spent; all work is done."""
        assert (await self.ledger.verify()).ok
        assert sum(self.balances().values()) == given - spent
        open_runs = "select run_id, state from bursar.runs where state in ('running', 'paused')"
        assert self.rows(open_runs) == []
        assert self.rows("select * from bursar.run_failures where resolved_at is null") == []
        assert self.rows("select kind, message from bursar.operator_alerts") == []

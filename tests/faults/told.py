"""An economy that tells of all it gives, and an app that posts meanwhile; what must have been told.

A thousand coins a day for everybody, on days that the test begins; and single movements of the
app's. Who is told what follows from numbers, or from what the app was answered.
"""

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from random import Random
from types import TracebackType

import psycopg

from bursar.holders import HolderChange
from bursar.ledger import Credit, Debit, Ledger, Status
from bursar.notices.model import InboxNotice, Kind, NoticeSettings
from bursar.notices.service import Notices
from bursar.notices.store import put_settings
from bursar.platform.database import Database
from bursar.platform.settings import Settings
from bursar.programs.model import Amount, Calendar, Program, Terms
from bursar.programs.service import Programs
from tests.faults import economy
from tests.faults.strangers import NOBODY, PICKY, Machine

BELOW = 500
OPERATOR = "ops@club.example"
SAYS = NoticeSettings(
    product="Club",
    send=(Kind.DEPOSIT, Kind.LOW_BALANCE),
    below={"coins": BELOW},
    operators=(OPERATOR,),
)
DAILY = Program(
    name="daily",
    asset="coins",
    schedule=Calendar(every="day"),
    amount=Amount(fixed=1_000),
    catch_up="all",
    terms=Terms(notices=("deposit",)),
)
_MAILED = 4
_PAUSE_S = 0.02
_AT_ONCE = 16


def address(number: int) -> str | None:
    """Every fourth has an address; some are nobody's, some take no letter at first."""
    if number % _MAILED:
        return None
    kind = NOBODY if number % 97 == 0 else PICKY if number % 41 == 0 else "p"
    return f"{kind}{number}@club.example"


def found(owner: psycopg.Connection, url: str, people: int) -> None:
    """Stop the clock, enrol people 1 to ``people``, put in force what is given and told."""
    owner.execute(
        "create or replace function bursar.now() returns timestamptz language sql stable as"
        " $$ select '2000-01-01 00:00:00+00'::timestamptz + clock_offset from bursar.economy $$"
    )
    economy.set_clock(owner, 0)
    asyncio.run(_found(url, people))


async def _found(url: str, people: int) -> None:
    database = Database(url)
    await database.open()
    async with Ledger(database) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        numbers = range(1, people + 1)
        changes = [HolderChange(economy.name_of(n), email=address(n)) for n in numbers]
        await economy.enrol(ledger, changes)
        async with database.transaction() as connection:
            await put_settings(connection, SAYS)
            await Programs(ledger).put(connection, DAILY, actor="test", reason="test")


async def listen(url: str, settings: Settings, *machines: Machine) -> None:
    """Have machines told everything."""
    database = Database(url)
    await database.open()
    async with Ledger(database) as ledger:
        endpoints = Notices(ledger, settings).endpoints
        for machine in machines:
            made = await endpoints.add(machine.url, actor="test", reason="test")
            machine.secret = made.secret


class App:
    """Posts single movements, and now and then opens somebody's inbox; ``with`` it.

    ``arrived`` is what it was told is in the books: (holder, reference).
    """

    def __init__(self, url: str, settings: Settings, seed: int, people: int) -> None:
        self.arrived: set[tuple[str, str]] = set()
        self.spent = 0
        self.looks = 0
        self._url = url
        self._settings = settings
        self._random = Random(seed)
        self._people = people
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="app", daemon=True)

    def __enter__(self) -> "App":
        self._thread.start()
        return self

    def __exit__(
        self, _type: object, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(60)
        if error is None and self._errors:
            raise self._errors[0]

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # told to the test, which runs elsewhere
            self._errors.append(error)

    async def _work(self) -> None:
        database = Database(self._url, max_connections=4)
        await database.open()
        async with Ledger(database) as ledger:
            notices = Notices(ledger, self._settings)
            number = 0
            while not self._stopping.is_set():
                number += 1
                await self._move(ledger, number)
                if number % 5 == 0:
                    self.looks += 1
                    someone = economy.name_of(self._random.randint(1, self._people))
                    await notices.inboxes.page(someone)
                await asyncio.sleep(_PAUSE_S)

    async def _move(self, ledger: Ledger, number: int) -> None:
        holder = economy.name_of(self._random.randint(1, self._people))
        reference = f"app:{number}"
        amount = self._random.randint(1, 900)
        command: Credit | Debit
        if number % 3:
            command = Credit(holder=holder, asset="coins", amount=amount, reference=reference)
        else:
            command = Debit(holder=holder, asset="coins", amount=amount, reference=reference)
        [result] = await ledger.post([command], actor="app", reason="play")
        if result.status is Status.APPLIED and number % 3:
            self.arrived.add((holder, reference))
        self.spent += result.status is Status.APPLIED and not number % 3


async def read_inboxes(
    url: str, settings: Settings, people: int
) -> tuple[dict[str, list[InboxNotice]], bool]:
    """Read everybody's inbox; and tell whether the books are sound."""
    database = Database(url, max_connections=_AT_ONCE)
    await database.open()
    async with Ledger(database) as ledger:
        notices = Notices(ledger, settings)
        names = [economy.name_of(number) for number in range(1, people + 1)]
        shown: dict[str, list[InboxNotice]] = {}
        waiting = iter(names)

        async def some() -> None:
            for name in waiting:
                shown[name] = [*(await notices.inboxes.page(name, limit=1_000)).items]

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
        return shown, (await ledger.verify()).ok


async def replay(url: str, settings: Settings, delivery_ids: list[int]) -> None:
    """Send again what was given up, as an operator who has seen to it."""
    database = Database(url)
    await database.open()
    async with Ledger(database) as ledger:
        deliveries = Notices(ledger, settings).deliveries
        for delivery_id in delivery_ids:
            await deliveries.replay(delivery_id, actor="ann", reason="it is mended")


def must_be_told(
    owner: psycopg.Connection, people: int, days: list[int], arrived: set[tuple[str, str]]
) -> dict[str, Counter[tuple[str, str]]]:
    """Say what each inbox must hold: by kind, and by reference, or by balance if it is low."""
    daily = [f"daily:{economy.date_of(day)}" for day in days]
    expected = {
        economy.name_of(number): Counter(("deposit", reference) for reference in daily)
        for number in range(1, people + 1)
    }
    for holder, reference in arrived:
        expected[holder]["deposit", reference] += 1
    low = owner.execute(
        "select i.external_id, e.balance from bursar.entries e"
        " join bursar.holder_ids i using (holder_id)"
        " where e.balance < %s and e.balance - e.amount >= %s",
        (BELOW, BELOW),
    )
    for holder, balance in low:
        expected[holder]["low_balance", str(balance)] += 1
    return expected


def told(notice: InboxNotice) -> tuple[str, str]:
    """Say what a notice tells, as `must_be_told` does."""
    with suppress(KeyError):
        return notice.kind.value, str(notice.data["reference"])
    return notice.kind.value, str(notice.data["balance"])

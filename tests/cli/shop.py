"""An app with programs and people, set up behind the command line's back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bursar.holders.model import HolderChange
from bursar.ledger import Ledger
from bursar.programs.model import Amount, Calendar, Program
from bursar.programs.service import Programs
from tests.cli.conftest import Done, Run

LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
THIS_MONTH: Final = datetime.now(UTC).strftime("%Y-%m")


@dataclass(frozen=True, slots=True)
class Shop:
    """A database with people and programs; call it to run a command."""

    url: str
    run: Run

    def __call__(self, *arguments: object, stdin: bytes | str = b"") -> Done:
        return self.run(*arguments, stdin=stdin)

    def use(self, what: Callable[[Programs], Awaitable[Any]]) -> Any:
        """Use the programs themselves."""

        async def go() -> Any:
            async with await Ledger.open(self.url, max_connections=4) as ledger:
                return await what(Programs(ledger))

        return asyncio.run(go())

    def put(self, *programs: Program, actor: str = "author") -> None:
        """Put programs in force."""

        async def put(service: Programs) -> None:
            async with service.ledger.database.transaction() as connection:
                for program in programs:
                    await service.put(connection, program, actor=actor, reason="as agreed")

        self.use(put)

    def enrol(self, *names: str, **more: Any) -> None:
        """Enrol people who have been as they are for long."""
        changes = [
            HolderChange(external_id=name, created_at=LONG_AGO, at=LONG_AGO, **more)
            for name in names
        ]

        async def upsert(service: Programs) -> None:
            done = await service.holders.upsert(changes, actor="app", reason="signed up")
            assert all(one.refusal is None for one in done), done

        self.use(upsert)

    def balance(self, holder: str) -> int:
        """Look into a wallet; nothing in it if there is none."""
        shown = self.run("wallet", "show", holder, "coins", "--json")
        return int(shown.json["balance"]) if shown.code == 0 else 0


def monthly(name: str = "monthly", fixed: int = 5_000, **more: Any) -> Program:
    """Make a program that gives 50.00 coins from the first of this month on."""
    first = datetime.now(UTC).date().replace(day=1)
    shape: dict[str, Any] = {
        "schedule": Calendar(every="month"),
        "amount": Amount(fixed=fixed),
        "starts": first,
    }
    return Program(name=name, asset="coins", **shape | more)

"""The one path by which credit moves: read, decide, compare-and-set (L2–L5).

A round reads the wallets of its commands, decides in memory, and writes each wallet only if it
has not moved since. What lost the race is done again under locks taken in order, so that a hot
wallet always makes progress. Contention never reaches the caller.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import psycopg

from bursar.ledger.commands import (
    OPENING,
    AnyCommand,
    Transfer,
    canonical,
)
from bursar.ledger.decision.book import Ask, Book, Voice
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.decide import decide
from bursar.ledger.decision.distribution import (
    Distributed,
    Distribution,
    examine_distribution,
    own_copy,
)
from bursar.ledger.decision.examine import examine, invalid
from bursar.ledger.decision.refusals import unknown_asset, unknown_wallet
from bursar.ledger.model import Asset, Refusal, Result, Status, WalletKey, as_error
from bursar.ledger.posting import store
from bursar.ledger.posting.distributing import distribute
from bursar.ledger.posting.gather import Reading
from bursar.platform.collector import paused_collector
from bursar.platform.database import CONTENTION, REFUSED_DATA, Connection, Database
from bursar.platform.errors import Unavailable

_FEW: Final = 1_000
"""Up to so many commands their references are looked up before; beyond, only on suspicion."""

_MAX_ATTEMPTS: Final = 100

_SLICE: Final = 16
_TURN_S: Final = 0.02
"""Whoever decides for longer lets the others of the process have a turn."""

_REFERENCE_KEY: Final = "entries_reference_key"


class Order(msgspec.Struct, frozen=True, gc=False):
    """A command, and who gives it and why."""

    command: AnyCommand
    actor: str
    reason: str


_Unit = Sequence[int]
"""Positions in the batch of commands that belong together."""


class Poster:
    """Posts batches on one database."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._assets: dict[str, Asset] = {}

    async def post(self, orders: Sequence[Order], tx: Connection | None = None) -> list[Result]:
        """Apply or refuse each order; the answer is in their order (L2).

        Without ``tx`` what is applied is committed on return, and commands that met contention
        may have been committed in a later transaction than their neighbours. With ``tx`` all
        belongs to the caller's transaction. Raises `Unavailable` when the database is away.
        """
        if tx is not None:
            asks, voices = await self._address(tx, orders)
            return await _Batch(tx, self._seal, asks, voices, in_tx=True).run()
        async with self._database.connection() as connection:
            asks, voices = await self._address(connection, orders)
            return await _Batch(connection, self._seal, asks, voices, in_tx=False).run()

    async def distribute(
        self, given: Distribution, voice: Voice, tx: Connection | None = None
    ) -> Distributed:
        """Give one credit to many; raises what is malformed in the whole, see `Ledger`."""
        refusal = examine_distribution(given)
        if refusal is not None:
            raise as_error(refusal)
        given = own_copy(given)
        if tx is not None:
            return await self._distribute(tx, given, voice, in_tx=True)
        async with self._database.connection() as connection:
            return await self._distribute(connection, given, voice, in_tx=False)

    async def _distribute(
        self, connection: Connection, given: Distribution, voice: Voice, *, in_tx: bool
    ) -> Distributed:
        asset = await self.asset(connection, given.asset)
        if asset is None:
            raise as_error(unknown_asset(given.asset))

        async def post_rest(commands: Sequence[AnyCommand]) -> list[Result]:
            asks, voices = await self._address(connection, [Order(c, *voice) for c in commands])
            return await _Batch(connection, self._seal, asks, voices, in_tx=in_tx).run()

        return await distribute(connection, self._seal, asset, given, voice, post_rest, in_tx=in_tx)

    async def asset(self, connection: Connection, code: str) -> Asset | None:
        """Find an asset by its code; assets that were added meanwhile are found too."""
        return (await self.assets(connection, {code})).get(code)

    async def assets(self, connection: Connection, codes: set[str]) -> Mapping[str, Asset]:
        """Know the assets by code; ``codes`` that were added meanwhile are among them."""
        await self._find_assets(connection, codes)
        return self._assets

    async def _address(
        self, connection: Connection, orders: Sequence[Order]
    ) -> tuple[list[Ask], list[Voice]]:
        """Examine each command and find its wallets; openers give new holders a number."""
        with paused_collector():
            refusals = [examine(order.command) for order in orders]
            texts = [
                None if refusal or o.command.metadata is None else canonical(o.command.metadata)
                for o, refusal in zip(orders, refusals, strict=True)
            ]
        sound = [o.command for o, refusal in zip(orders, refusals, strict=True) if not refusal]
        await self._find_assets(connection, {command.asset for command in sound})
        numbers = await self._numbers(connection, sound)
        voices: dict[Voice, int] = {}
        asks: list[Ask] = []
        for order, refusal, text in zip(orders, refusals, texts, strict=True):
            posting = voices.setdefault((order.actor, order.reason), len(voices))
            if refusal is not None:
                asks.append(Ask(order.command, posting, refusal=refusal))
            else:
                asks.append(self._ask(order.command, posting, text, numbers))
        return asks, list(voices)

    def _ask(
        self, command: AnyCommand, posting: int, text: str | None, numbers: dict[str, int]
    ) -> Ask:
        asset = self._assets.get(command.asset)
        if asset is None:
            return Ask(command, posting, refusal=unknown_asset(command.asset))
        holder_id = command.holder_id or numbers.get(command.holder or "")
        if holder_id is None:
            return Ask(command, posting, refusal=unknown_wallet())
        key = WalletKey(holder_id, asset.asset_id)
        if type(command) is not Transfer:
            return Ask(command, posting, key, metadata=text)
        other = WalletKey(command.to_id or numbers[command.to or ""], asset.asset_id)
        if other == key:
            return Ask(command, posting, refusal=invalid("to", "must be another holder"))
        return Ask(command, posting, key, other, metadata=text)

    async def _find_assets(self, connection: Connection, codes: set[str]) -> None:
        """Read the assets again if one of ``codes`` is not among those known."""
        if not codes <= self._assets.keys():
            self._assets = await store.read_assets(connection)

    async def _numbers(
        self, connection: Connection, commands: Iterable[AnyCommand]
    ) -> dict[str, int]:
        """Number the holders that are named by the app's own ids."""
        named: dict[str, None] = {}
        enrol: dict[str, None] = {}
        for command in commands:
            if command.holder is not None:
                named[command.holder] = None
                if isinstance(command, OPENING):
                    enrol[command.holder] = None
            if type(command) is Transfer and command.to is not None:
                named[command.to] = None
                enrol[command.to] = None
        if not named:
            return {}
        return await store.resolve_holders(connection, list(named), enrol=list(enrol))


class _Batch:
    """One call of `Poster.post`: its rounds, on one connection."""

    def __init__(
        self,
        connection: Connection,
        seal: Seal,
        asks: Sequence[Ask],
        voices: Sequence[Voice],
        *,
        in_tx: bool,
    ) -> None:
        self._connection = connection
        self._seal = seal
        self._asks = asks
        self._voices = voices
        self._in_tx = in_tx
        self._results: dict[int, Result] = {}

    async def run(self) -> list[Result]:
        """Answer every command, in order."""
        asks = self._asks
        await self._finish(_units(asks), probe=self._in_tx or len(asks) <= _FEW)
        return [self._results[i] for i in range(len(asks))]

    async def _finish(self, units: Sequence[_Unit], *, probe: bool) -> None:
        """Do rounds until every unit is answered."""
        locked = False
        for _ in range(_MAX_ATTEMPTS):
            try:
                units = await self._round(units, locked=locked, probe=probe)
            except CONTENTION:
                if self._in_tx:
                    raise
            except REFUSED_DATA as error:
                if error.diag.constraint_name == _REFERENCE_KEY and not probe:
                    probe = True
                    continue
                await self._bisect(units, error)
                return
            if not units:
                return
            locked = True
        raise Unavailable("contention", f"no success in {_MAX_ATTEMPTS} attempts; try again")

    async def _bisect(self, units: Sequence[_Unit], error: psycopg.Error) -> None:
        """Find the one unit that the database refuses; the others go on."""
        if len(units) == 1:
            constraint = error.diag.constraint_name
            refusal = Refusal(
                Status.DATABASE_REFUSED,
                "the database refused the entry: " + str(error).strip().split("\n", maxsplit=1)[0],
                {"sqlstate": error.sqlstate, "constraint": constraint},
            )
            for i in units[0]:
                self._results[i] = Result(refusal.status, refusal=refusal)
            return
        middle = len(units) // 2
        await self._finish(units[:middle], probe=True)
        await self._finish(units[middle:], probe=True)

    async def _round(self, units: Sequence[_Unit], *, locked: bool, probe: bool) -> Sequence[_Unit]:
        """Decide and write ``units``; return those that lost a race."""
        if not locked:
            return await self._try(units, locked=False, probe=probe)
        async with self._connection.transaction():
            return await self._try(units, locked=True, probe=True)

    async def _try(self, units: Sequence[_Unit], *, locked: bool, probe: bool) -> Sequence[_Unit]:
        reading = Reading(self._connection, [[self._asks[i] for i in unit] for unit in units])
        book = await reading.open(self._seal, len(self._voices), locked=locked, probe=probe)
        answers = await _decide(book, reading.units)
        if not probe and not all(result.ok for answer in answers for result in answer):
            return await self._try(units, locked=locked, probe=True)
        lost = await self._write(book, reading) if book.entries else set()
        again: list[_Unit] = []
        for unit, asks, answer in zip(units, reading.units, answers, strict=True):
            if lost and any(key in lost for ask in asks for key in reading.keys_of(ask)):
                again.append(unit)
            else:
                for i, result in zip(unit, answer, strict=True):
                    self._results[i] = result
        return again

    async def _write(self, book: Book, reading: Reading) -> set[WalletKey]:
        """Write the book; if a wallet of a unit that spans several has moved, write nothing."""
        spanning = reading.spanning()
        if not spanning and not self._in_tx:
            return await store.write_batch(self._connection, book, self._voices)
        async with self._connection.transaction() as savepoint:
            lost = await store.write_batch(self._connection, book, self._voices)
            if not lost.isdisjoint(spanning):
                lost = {WalletKey(*key) for key in book.positions}
                raise psycopg.Rollback(savepoint)
        return lost


async def _decide(book: Book, units: Sequence[Sequence[Ask]]) -> list[list[Result]]:
    """Decide in order, in slices: in a wallet of many lots each command takes milliseconds."""
    answers: list[list[Result]] = []
    while True:
        until = time.monotonic() + _TURN_S
        with paused_collector():
            while len(answers) < len(units):
                answers += decide(book, units[len(answers) : len(answers) + _SLICE])
                if time.monotonic() > until:
                    break
        if len(answers) == len(units):
            return answers
        await asyncio.sleep(0)


def _units(asks: Sequence[Ask]) -> list[_Unit]:
    """Put the commands of a group together, where its first member stands."""
    groups: dict[object, list[int]] = {}
    for i, ask in enumerate(asks):
        group = getattr(ask.command, "group", None)
        groups.setdefault(group if type(group) is str else i, []).append(i)
    return list(groups.values())

"""The one path by which credit moves: read, decide, compare-and-set (L2–L5).

A round reads the wallets of its commands, decides in memory, and writes each wallet only if it
has not moved since. What lost the race is done again under locks taken in order, so that a hot
wallet always makes progress. Contention never reaches the caller.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import psycopg

from bursar.ledger import store
from bursar.ledger.book import Ask, Book, Positions, Reference
from bursar.ledger.catalogue import Kind
from bursar.ledger.checksum import Seal
from bursar.ledger.commands import (
    OPENING,
    AnyCommand,
    Capture,
    Release,
    Reverse,
    Transfer,
)
from bursar.ledger.decide import decide
from bursar.ledger.examine import examine
from bursar.ledger.model import Asset, Entry, Refusal, Result, Status, WalletKey
from bursar.ledger.refusals import unknown_asset, unknown_wallet
from bursar.platform.collector import paused_collector
from bursar.platform.database import CONTENTION, REFUSED_DATA, Connection, Database
from bursar.platform.errors import Unavailable

_FEW: Final = 1_000
"""Up to so many commands their references are looked up before; beyond, only on suspicion."""

_MAX_ATTEMPTS: Final = 100

_REFERENCE_KEY: Final = "entries_reference_key"


class Order(msgspec.Struct, frozen=True, gc=False):
    """A command, and who gives it and why."""

    command: AnyCommand
    actor: str
    reason: str


Voice = tuple[str, str]
"""The actor and the reason of a posting."""

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

    async def asset(self, connection: Connection, code: str) -> Asset | None:
        """Find an asset by its code; assets that were added meanwhile are found too."""
        await self._find_assets(connection, {code})
        return self._assets.get(code)

    async def _address(
        self, connection: Connection, orders: Sequence[Order]
    ) -> tuple[list[Ask], list[Voice]]:
        """Examine each command and find its wallets; openers give new holders a number."""
        with paused_collector():
            refusals = [examine(order.command) for order in orders]
        sound = [o.command for o, refusal in zip(orders, refusals, strict=True) if not refusal]
        await self._find_assets(connection, {command.asset for command in sound})
        numbers = await self._numbers(connection, sound)
        voices: dict[Voice, int] = {}
        asks: list[Ask] = []
        for order, refusal in zip(orders, refusals, strict=True):
            posting = voices.setdefault((order.actor, order.reason), len(voices))
            if refusal is not None:
                asks.append(Ask(order.command, posting, refusal=refusal))
            else:
                asks.append(self._ask(order.command, posting, numbers))
        return asks, list(voices)

    def _ask(self, command: AnyCommand, posting: int, numbers: dict[str, int]) -> Ask:
        asset = self._assets.get(command.asset)
        if asset is None:
            return Ask(command, posting, refusal=unknown_asset(command.asset))
        holder_id = command.holder_id or numbers.get(command.holder or "")
        if holder_id is None:
            return Ask(command, posting, refusal=unknown_wallet())
        key = WalletKey(holder_id, asset.asset_id)
        if type(command) is not Transfer:
            return Ask(command, posting, key)
        to_id = command.to_id or numbers[command.to or ""]
        return Ask(command, posting, key, WalletKey(to_id, asset.asset_id))

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
                if isinstance(command, OPENING) and type(command) is not Transfer:
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
        reading = _Reading(self._connection, [[self._asks[i] for i in unit] for unit in units])
        book = await reading.open(self._seal, len(self._voices), locked=locked, probe=probe)
        with paused_collector():
            answers = decide(book, reading.units)
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

    async def _write(self, book: Book, reading: "_Reading") -> set[WalletKey]:
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


class _Reading:
    """What a round reads before it decides: more only for the wallets that have more."""

    def __init__(self, connection: Connection, units: list[list[Ask]]) -> None:
        self._connection = connection
        self._undone: dict[Reference, WalletKey] = {}
        self.units = units

    async def open(self, seal: Seal, postings: int, *, locked: bool, probe: bool) -> Book:
        """Read everything that the decision needs, wallets first.

        What is read later may be newer than its wallet; then the wallet has moved, and the write
        leaves it out.
        """
        connection = self._connection
        asks = [ask for unit in self.units for ask in unit if ask.refusal is None]
        keys = {ask.key for ask in asks} | {ask.other for ask in asks if ask.other is not None}
        if locked:
            await self._lock(keys, asks)
        now, posting_ids = await store.open_batch(connection, postings)
        book = Book(now, seal, await store.read_positions(connection, keys), posting_ids)
        strangers = await self._strangers(book.positions, asks)
        if strangers:
            self.units = [[_refuse(ask, strangers) for ask in unit] for unit in self.units]
        references = _references(asks, book.positions, probe=probe)
        if references:
            book.known.update(await store.find_references(connection, references))
        await self._read_parts(book, asks)
        return book

    def keys_of(self, ask: Ask) -> tuple[WalletKey, ...]:
        """Name the wallets that a command concerns, the far side of what it undoes included."""
        if ask.other is not None:
            return ask.key, ask.other
        if self._undone and type(ask.command) is Reverse:
            far = self._undone.get((*ask.key, ask.command.target))
            if far is not None:
                return ask.key, far
        return (ask.key,)

    def spanning(self) -> set[WalletKey]:
        """Name the wallets of all units that concern more than one wallet."""
        spanning: set[WalletKey] = set()
        for unit in self.units:
            if len(unit) > 1 or unit[0].other is not None or self._undone:
                keys = {key for ask in unit for key in self.keys_of(ask)}
                if len(keys) > 1:
                    spanning |= keys
        return spanning

    async def _lock(self, keys: set[WalletKey], asks: Sequence[Ask]) -> None:
        """Lock all wallets at once, in order; those of the far sides must be known for it."""
        targets = [_target(ask) for ask in asks if type(ask.command) is Reverse]
        known = await store.find_references(self._connection, targets) if targets else {}
        far = {key for entry in known.values() if (key := _far_side(entry)) is not None}
        await store.lock_wallets(self._connection, keys | far)

    async def _strangers(self, positions: Positions, asks: Sequence[Ask]) -> set[int]:
        """Find the numbers that were given for holders and are none."""
        new = {p.holder_id for p in positions.values() if not p.seq}
        if not new:
            return set()
        given: set[int] = set()
        for ask in asks:
            command = ask.command
            if command.holder_id in new:
                given.add(ask.key.holder_id)
            if type(command) is Transfer and command.to_id in new:
                given.add(command.to_id or 0)
        return given - await store.known_holders(self._connection, list(given)) if given else given

    async def _read_parts(self, book: Book, asks: Sequence[Ask]) -> None:
        """Read open lots, holds that are due, and what captures, releases and reversals name."""
        lots: list[tuple[WalletKey, int]] = []
        holds: list[Reference] = []
        undone: list[Entry] = []
        for ask in asks:
            match ask.command:
                case Capture(hold=hold) | Release(hold=hold):
                    holds.append((*ask.key, hold))
                case Reverse(target=target):
                    entry = book.known.get((*ask.key, target))
                    if entry is not None:
                        undone.append(entry)
                case _:
                    pass
        if undone:
            lots = await self._read_undone(book, undone)
        with_lots = [WalletKey(*key) for key, p in book.positions.items() if p.open_lots]
        with_holds = [WalletKey(*key) for key, p in book.positions.items() if p.open_holds]
        if with_lots or lots:
            await store.read_lots(self._connection, book.positions, with_lots, lots)
        if with_holds or holds:
            await store.read_holds(self._connection, book.positions, with_holds, holds, book.now)

    async def _read_undone(
        self, book: Book, undone: Sequence[Entry]
    ) -> list[tuple[WalletKey, int]]:
        """Read the far sides of transfers and what was reversed before; name the lots needed."""
        far: dict[WalletKey, None] = {}
        lots: list[tuple[WalletKey, int]] = []
        for entry in undone:
            key = WalletKey(entry.holder_id, entry.asset_id)
            detail = entry.detail
            if detail is not None:
                lots += [(key, seq) for seq, _ in (*detail.lots, *detail.drawn)]
                lots += [(key, entry.seq)] if detail.lot is not None else []
            other = _far_side(entry)
            if other is not None:
                self._undone[entry.holder_id, entry.asset_id, entry.reference] = other
                if other not in book.positions:
                    far[other] = None
        if far:
            book.positions.update(await store.read_positions(self._connection, far))
        targets = [(WalletKey(e.holder_id, e.asset_id), e.seq) for e in undone]
        await store.read_reversals(self._connection, book.positions, targets)
        return lots


def _units(asks: Sequence[Ask]) -> list[_Unit]:
    """Put the commands of a group together, where its first member stands."""
    groups: dict[object, list[int]] = {}
    for i, ask in enumerate(asks):
        group = getattr(ask.command, "group", None)
        groups.setdefault(i if group is None else group, []).append(i)
    return list(groups.values())


def _references(asks: Sequence[Ask], positions: Positions, *, probe: bool) -> list[Reference]:
    """List the references to look up: new wallets know none."""
    wanted: dict[Reference, None] = {}
    for ask in asks:
        if probe and positions[ask.key].seq:
            wanted[*ask.key, ask.command.reference] = None
        if type(ask.command) is Reverse:
            wanted[_target(ask)] = None
    return list(wanted)


def _target(ask: Ask) -> Reference:
    command = ask.command
    assert isinstance(command, Reverse)  # noqa: S101 - tells the type checker
    return (*ask.key, command.target)


def _far_side(entry: Entry) -> WalletKey | None:
    if entry.kind is not Kind.TRANSFER_OUT or entry.detail is None:
        return None
    return WalletKey(entry.detail.counterparty or 0, entry.asset_id)


def _refuse(ask: Ask, strangers: set[int]) -> Ask:
    """Refuse a command that names a holder by a number that nobody has."""
    strange = ask.key.holder_id in strangers
    if ask.refusal is None and (strange or (ask.other and ask.other.holder_id in strangers)):
        return msgspec.structs.replace(ask, refusal=unknown_wallet())
    return ask

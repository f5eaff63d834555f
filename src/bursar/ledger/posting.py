"""The one path by which credit moves: read, decide, compare-and-set (L2–L5).

A round reads the wallets of its commands, decides in memory, and writes each wallet only if it
has not moved since. What lost the race is done again under locks taken in order, so that a hot
wallet always makes progress. Contention never reaches the caller.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import psycopg

from bursar.ledger import store
from bursar.ledger.book import Ask, Book, Reference
from bursar.ledger.checksum import Seal
from bursar.ledger.commands import (
    OPENING,
    AnyCommand,
    Capture,
    Release,
    Reverse,
    Transfer,
    canonical,
)
from bursar.ledger.decide import decide
from bursar.ledger.examine import examine, invalid
from bursar.ledger.model import Asset, Entry, Refusal, Result, Status, WalletKey
from bursar.ledger.position import Position
from bursar.ledger.refusals import unknown_wallet
from bursar.ledger.undo import far_side
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


class _Addressed(msgspec.Struct, frozen=True, gc=False):
    """An order with its wallets found, or the refusal that came of looking."""

    order: Order
    key: WalletKey = WalletKey(0, 0)
    other: WalletKey | None = None
    refusal: Refusal | None = None
    metadata: str | None = None


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
            return await _Batch(tx, self._seal, in_tx=True).run(await self._address(tx, orders))
        async with self._database.connection() as connection:
            addressed = await self._address(connection, orders)
            return await _Batch(connection, self._seal, in_tx=False).run(addressed)

    async def asset(self, connection: Connection, code: str) -> Asset | None:
        """Find an asset by its code; assets that were added meanwhile are found too."""
        if code not in self._assets:
            self._assets = await store.read_assets(connection)
        return self._assets.get(code)

    async def _address(self, connection: Connection, orders: Sequence[Order]) -> list[_Addressed]:
        """Examine each command and find its wallets; openers give new holders a number."""
        refusals = [examine(order.command) for order in orders]
        sound = [o.command for o, refusal in zip(orders, refusals, strict=True) if not refusal]
        texts = iter([None if c.metadata is None else canonical(c.metadata) for c in sound])
        numbers = await self._numbers(connection, sound)
        addressed: list[_Addressed] = []
        for order, refusal in zip(orders, refusals, strict=True):
            if refusal is not None:
                addressed.append(_Addressed(order, refusal=refusal))
                continue
            found = await self._find(connection, order, numbers)
            text = next(texts)
            addressed.append(msgspec.structs.replace(found, metadata=text) if text else found)
        return addressed

    async def _find(
        self, connection: Connection, order: Order, numbers: dict[str, int]
    ) -> _Addressed:
        command = order.command
        asset = self._assets.get(command.asset) or await self.asset(connection, command.asset)
        if asset is None:
            refusal = Refusal(
                Status.ASSET_UNKNOWN,
                f"there is no asset {command.asset!r}",
                {"asset": command.asset},
            )
            return _Addressed(order, refusal=refusal)
        holder_id = command.holder_id or numbers.get(command.holder or "")
        if holder_id is None:
            return _Addressed(order, refusal=unknown_wallet())
        key = WalletKey(holder_id, asset.asset_id)
        if type(command) is not Transfer:
            return _Addressed(order, key)
        other = WalletKey(command.to_id or numbers[command.to or ""], asset.asset_id)
        if other == key:
            return _Addressed(order, refusal=invalid("to", "must be another holder"))
        return _Addressed(order, key, other)

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

    def __init__(self, connection: Connection, seal: Seal, *, in_tx: bool) -> None:
        self._connection = connection
        self._seal = seal
        self._in_tx = in_tx
        self._orders: Sequence[_Addressed] = ()
        self._results: dict[int, Result] = {}

    async def run(self, orders: Sequence[_Addressed]) -> list[Result]:
        self._orders = orders
        await self._finish(_units(orders), probe=self._in_tx or len(orders) <= _FEW)
        return [self._results[i] for i in range(len(orders))]

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
        reading = _Reading(self._connection, [[self._orders[i] for i in unit] for unit in units])
        book = await reading.open(self._seal, locked=locked, probe=probe)
        answers = decide(book, reading.units)
        if not probe and not all(result.ok for answer in answers for result in answer):
            return await self._try(units, locked=locked, probe=True)
        lost = await self._write(book, reading) if book.entries else set()
        again: list[_Unit] = []
        for unit, asks, answer in zip(units, reading.units, answers, strict=True):
            if lost and any(key in lost for ask in asks for key in reading.keys_of(ask)):
                again.append(unit)
            else:
                self._results.update(zip(unit, answer, strict=True))
        return again

    async def _write(self, book: Book, reading: "_Reading") -> set[WalletKey]:
        """Write the book; if a wallet of a unit that spans several has moved, write nothing."""
        spanning = reading.spanning()
        if not spanning and not self._in_tx:
            return await store.write_batch(self._connection, book, reading.postings)
        async with self._connection.transaction() as savepoint:
            lost = await store.write_batch(self._connection, book, reading.postings)
            if not lost.isdisjoint(spanning):
                lost = set(book.positions)
                raise psycopg.Rollback(savepoint)
        return lost


class _Reading:
    """What a round reads before it decides: more only for the wallets that have more."""

    def __init__(self, connection: Connection, orders: Sequence[Sequence[_Addressed]]) -> None:
        self._connection = connection
        self._orders = orders
        self._undone: dict[Reference, WalletKey] = {}
        self.units: list[list[Ask]] = []
        self.postings: list[tuple[int, str, str]] = []

    async def open(self, seal: Seal, *, locked: bool, probe: bool) -> Book:
        """Read everything that the decision needs, wallets first.

        What is read later may be newer than its wallet; then the wallet has moved, and the write
        leaves it out.
        """
        connection = self._connection
        addressed = [order for unit in self._orders for order in unit if order.refusal is None]
        keys = {key for a in addressed for key in (a.key, a.other) if key is not None}
        if locked:
            await self._lock(keys, addressed)
        voices = list(dict.fromkeys((a.order.actor, a.order.reason) for a in addressed))
        now, posting_ids = await store.open_batch(connection, len(voices))
        self.postings = [
            (posting_id, *voice) for posting_id, voice in zip(posting_ids, voices, strict=True)
        ]
        by_voice = dict(zip(voices, posting_ids, strict=True))
        positions = await store.read_positions(connection, keys)
        strangers = await self._strangers(positions, addressed)
        self.units = [[_ask(a, by_voice, strangers) for a in unit] for unit in self._orders]
        book = Book(now, seal, positions)
        references = _references(addressed, positions, probe=probe)
        if references:
            book.known.update(await store.find_references(connection, references))
        await self._read_parts(book, addressed)
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

    async def _lock(self, keys: set[WalletKey], addressed: Sequence[_Addressed]) -> None:
        """Lock all wallets at once, in order; those of the far sides must be known for it."""
        targets = [_target(a) for a in addressed if type(a.order.command) is Reverse]
        known = await store.find_references(self._connection, targets) if targets else {}
        far = {key for entry in known.values() if (key := far_side(entry)) is not None}
        await store.lock_wallets(self._connection, keys | far)

    async def _strangers(
        self, positions: Mapping[WalletKey, Position], addressed: Sequence[_Addressed]
    ) -> set[int]:
        """Find the numbers that were given for holders and are none."""
        new = {key.holder_id for key, position in positions.items() if not position.seq}
        if not new:
            return set()
        given: set[int] = set()
        for a in addressed:
            command = a.order.command
            if command.holder_id in new:
                given.add(a.key.holder_id)
            if type(command) is Transfer and command.to_id in new:
                given.add(command.to_id or 0)
        return given - await store.known_holders(self._connection, list(given)) if given else given

    async def _read_parts(self, book: Book, addressed: Sequence[_Addressed]) -> None:
        """Read open lots, holds that are due, and what captures, releases and reversals name.

        Lots come last, so that those which a hold or an entry names are there, however new it is.
        """
        lots: list[tuple[WalletKey, int]] = []
        holds: list[Reference] = []
        undone: list[Entry] = []
        for a in addressed:
            match a.order.command:
                case Capture(hold=hold) | Release(hold=hold):
                    holds.append((*a.key, hold))
                case Reverse(target=target):
                    entry = book.known.get((*a.key, target))
                    if entry is not None:
                        undone.append(entry)
                case _:
                    pass
        if undone:
            lots = await self._read_undone(book, undone)
        with_lots = [key for key, p in book.positions.items() if p.open_lots]
        with_holds = [key for key, p in book.positions.items() if p.open_holds]
        if with_holds or holds:
            await store.read_holds(self._connection, book.positions, with_holds, holds, book.now)
            lots += _drawn(book.positions)
        if with_lots or lots:
            await store.read_lots(self._connection, book.positions, with_lots, lots)

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
            other = far_side(entry)
            if other is not None:
                self._undone[entry.holder_id, entry.asset_id, entry.reference] = other
                if other not in book.positions:
                    far[other] = None
        if far:
            book.positions.update(await store.read_positions(self._connection, far))
        targets = [(WalletKey(e.holder_id, e.asset_id), e.seq) for e in undone]
        await store.read_reversals(self._connection, book.positions, targets)
        return lots


def _units(orders: Sequence[_Addressed]) -> list[_Unit]:
    """Put the commands of a group together, where its first member stands."""
    if all(a.order.command.group is None for a in orders if a.refusal is None):
        return [(i,) for i in range(len(orders))]
    groups: dict[object, list[int]] = {}
    for i, addressed in enumerate(orders):
        group = getattr(addressed.order.command, "group", None)
        groups.setdefault(group if type(group) is str else i, []).append(i)
    return list(groups.values())


def _references(
    addressed: Sequence[_Addressed], positions: Mapping[WalletKey, Position], *, probe: bool
) -> list[Reference]:
    """List the references to look up: new wallets know none."""
    wanted: dict[Reference, None] = {}
    for a in addressed:
        if probe and positions[a.key].seq:
            wanted[(*a.key, a.order.command.reference)] = None
        if type(a.order.command) is Reverse:
            wanted[_target(a)] = None
    return list(wanted)


def _target(addressed: _Addressed) -> Reference:
    command = addressed.order.command
    assert isinstance(command, Reverse)  # noqa: S101 - tells the type checker
    return (*addressed.key, command.target)


def _drawn(positions: Mapping[WalletKey, Position]) -> list[tuple[WalletKey, int]]:
    """Name the lots from which the holds that were read have drawn."""
    return [
        (key, seq)
        for key, position in positions.items()
        if position.parts is not None
        for hold in position.parts.holds.values()
        for seq, _ in hold.draws
    ]


def _ask(addressed: _Addressed, by_voice: dict[tuple[str, str], int], strangers: set[int]) -> Ask:
    order = addressed.order
    refusal = addressed.refusal
    if refusal is None and strangers:
        other = addressed.other
        if addressed.key.holder_id in strangers or (other and other.holder_id in strangers):
            refusal = unknown_wallet()
    posting_id = 0 if refusal is not None else by_voice[order.actor, order.reason]
    return Ask(
        order.command,
        addressed.key,
        addressed.other,
        posting_id,
        refusal,
        addressed.metadata,
    )

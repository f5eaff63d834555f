"""What a round reads before it decides: more only for the wallets that have more."""

from collections.abc import Sequence

import msgspec

from bursar.ledger.commands import Capture, Extend, Release, Reverse, Transfer
from bursar.ledger.decision.book import Ask, Book, Positions, Reference
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.refusals import unknown_wallet
from bursar.ledger.decision.undo import far_side
from bursar.ledger.model import Entry, WalletKey
from bursar.ledger.posting import store
from bursar.platform.database import Connection


class Reading:
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
        far = {key for entry in known.values() if (key := far_side(entry)) is not None}
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
        """Read open lots, holds that are due, and the holds and entries that commands name.

        Lots come last, so that those which a hold or an entry names are there, however new it is.
        """
        lots: list[tuple[WalletKey, int]] = []
        holds: list[Reference] = []
        undone: list[Entry] = []
        for ask in asks:
            match ask.command:
                case Capture(hold=hold) | Release(hold=hold) | Extend(hold=str(hold)):
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


def _drawn(positions: Positions) -> list[tuple[WalletKey, int]]:
    """Name the lots from which the holds that were read have drawn."""
    return [
        (WalletKey(*key), seq)
        for key, position in positions.items()
        if position.parts is not None
        for hold in position.parts.holds.values()
        for seq, _ in hold.draws
    ]


def _refuse(ask: Ask, strangers: set[int]) -> Ask:
    """Refuse a command that names a holder by a number that nobody has."""
    strange = ask.key.holder_id in strangers
    if ask.refusal is None and (strange or (ask.other and ask.other.holder_id in strangers)):
        return msgspec.structs.replace(ask, refusal=unknown_wallet())
    return ask

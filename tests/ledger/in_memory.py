"""Drives the pure decision as a database would, with every wallet in memory."""

import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime

from bursar.ledger.commands import AnyCommand, Transfer, canonical
from bursar.ledger.decision.book import Ask, Book, detail_text
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.decide import decide
from bursar.ledger.decision.position import Position, fold
from bursar.ledger.model import Entry, Refusal, Result, Status, WalletKey

_FIELDS = (
    ("key_id", 21, "!h"),
    ("seq", 20, "!q"),
    ("posting_id", 20, "!q"),
    ("amount", 20, "!q"),
    ("held_change", 20, "!q"),
    ("balance", 20, "!q"),
    ("effective_at", 1184, "!q"),
    ("recorded_at", 1184, "!q"),
)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class InMemory:
    """Positions and entries, carried from one book to the next."""

    def __init__(self, holders: dict[str, int], assets: dict[str, int]) -> None:
        self.holders = holders
        self.assets = assets
        self.positions: dict[WalletKey, Position] = {}
        self.entries: list[Entry] = []

    def post(self, batch: Sequence[AnyCommand], now: datetime) -> list[Result]:
        """Decide a batch in one book."""
        units: dict[object, list[int]] = {}
        for i, command in enumerate(batch):
            units.setdefault(i if command.group is None else command.group, []).append(i)
        answers = self.decide([[self.ask(batch[i]) for i in unit] for unit in units.values()], now)
        results: dict[int, Result] = {}
        for unit, answer in zip(units.values(), answers, strict=True):
            results.update(zip(unit, answer, strict=True))
        return [results[i] for i in range(len(batch))]

    def decide(self, units: Sequence[Sequence[Ask]], now: datetime) -> list[list[Result]]:
        """Decide units in one book, and keep what it says."""
        keys = {key for unit in units for ask in unit for key in (ask.key, ask.other) if key}
        book = Book(
            now,
            Seal(),
            {key: self.positions.get(key, Position(*key)).copy() for key in keys}
            | {key: position.copy() for key, position in self.positions.items()},
            [1],
            {(e.holder_id, e.asset_id, e.reference): e for e in self.entries},
        )
        answers = decide(book, units)
        self.entries += book.entries
        self.positions.update({k: p for k, p in book.positions.items() if p.seq})
        return answers

    def ask(self, command: AnyCommand) -> Ask:
        """Find the wallets of a command."""
        asset_id = self.assets[command.asset]
        key = WalletKey(self.holders[command.holder or ""], asset_id)
        other = None
        refusal = None
        if isinstance(command, Transfer):
            other = WalletKey(self.holders[command.to or ""], asset_id)
            if other == key:
                refusal = Refusal(Status.INVALID, "to must be another holder")
        metadata = None if command.metadata is None else canonical(command.metadata)
        return Ask(command, 0, key, other, refusal, metadata)


def folded(entries: Sequence[Entry], key: WalletKey) -> Position:
    """Fold the entries of one wallet anew."""
    position = Position(*key)
    for entry in entries:
        if (entry.holder_id, entry.asset_id) == key:
            fold(position, entry)
    return position


def chain_breaks(entries: Sequence[Entry]) -> list[Entry]:
    """Recompute the chains as they are documented; list the entries that don't fit."""
    heads: dict[tuple[int, int], bytes] = {}
    broken = []
    for entry in entries:
        wallet = (entry.holder_id, entry.asset_id)
        head = hashlib.sha256(heads.get(wallet, _genesis(*wallet)) + _record(entry)).digest()
        if head != entry.checksum:
            broken.append(entry)
        heads[wallet] = entry.checksum
    return broken


def _genesis(holder_id: int, asset_id: int) -> bytes:
    return struct.pack("!iiiqiii", 2, 20, 8, holder_id, 23, 4, asset_id)


def _record(entry: Entry) -> bytes:
    data = struct.pack("!i", 14)
    for name, oid, code in _FIELDS:
        value = getattr(entry, name)
        if isinstance(value, datetime):
            since = value - _EPOCH
            value = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        field = struct.pack(code, value)
        data += struct.pack("!ii", oid, len(field)) + field
    detail = None if entry.detail is None else detail_text(entry.detail)
    texts = (entry.kind, entry.reference, entry.house_account, entry.source)
    for oid, text in (*((25, text) for text in texts), (114, entry.metadata), (114, detail)):
        if text is None:
            data += struct.pack("!ii", oid, -1)
        else:
            data += struct.pack("!ii", oid, len(text.encode())) + text.encode()
    return data

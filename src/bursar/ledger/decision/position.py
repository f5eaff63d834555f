"""The working copy of a wallet, and the fold: the only way in which an entry changes it (L5). Pure.

`fold` is what makes a wallet the sum of its entries. Deciding, showing a wallet as it will be
settled, and checking the books all use it; nothing else assigns to a `Position`.
"""

from datetime import datetime

import msgspec

from bursar.ledger.catalogue import Kind
from bursar.ledger.decision.draw import Shares, negative, split, total
from bursar.ledger.model import (
    LONG_AGO,
    Detail,
    Entry,
    Hold,
    HoldState,
    Lot,
    LotTerms,
    WalletState,
)


class Parts(msgspec.Struct):
    """What only some wallets have: lots, holds by reference, amounts reversed by target's seq."""

    lots: dict[int, Lot] = {}
    holds: dict[str, Hold] = {}
    reversed: dict[int, int] = {}
    changed_lots: set[int] = set()
    changed_holds: set[str] = set()
    changed_reversals: set[int] = set()


class Position(msgspec.Struct):
    """A wallet while a batch is decided; ``read_seq`` is the version that was read."""

    holder_id: int
    asset_id: int
    open_lots: int = 0
    open_holds: int = 0
    seq: int = 0
    balance: int = 0
    held: int = 0
    credit_limit: int = 0
    owed: int = 0
    recorded_at: datetime = LONG_AGO
    head: bytes = b""
    state: str = WalletState.ACTIVE.value
    read_seq: int = 0
    parts: Parts | None = None

    @property
    def available(self) -> int:
        """What may be spent without a credit line; negative in debt."""
        return self.balance - self.held

    @property
    def room(self) -> int:
        """What may be spent with the credit line (L4)."""
        return self.balance - self.held + self.credit_limit

    @property
    def in_lots(self) -> int:
        """What of `available` lies in lots; never more than there is."""
        parts = self.parts
        return 0 if parts is None else sum(lot.remaining for lot in parts.lots.values())

    @property
    def plain(self) -> int:
        """What of `available` lies in no lot; negative only when the lots are empty."""
        return self.available - self.in_lots

    def lots(self) -> list[Lot]:
        """List the lots that were read or opened, empty ones among them."""
        return [] if self.parts is None else list(self.parts.lots.values())

    def with_parts(self) -> Parts:
        """Return the parts, made on first use."""
        if self.parts is None:
            self.parts = Parts()
        return self.parts

    def into_lots(self, shares: Shares, more_available: int) -> Shares:
        """Cut ``shares`` to what may flow back into lots when `available` grows so much.

        Debt is paid first: lots never hold more than is available.
        """
        space = max(0, self.available + more_available - self.in_lots)
        return split(shares, space)[0]

    def copy(self) -> "Position":
        """Copy deep enough that a fold on either leaves the other alone."""
        twin = msgspec.structs.replace(self)
        if self.parts is not None:
            fields = msgspec.structs.asdict(self.parts)
            twin.parts = Parts(**{name: value.copy() for name, value in fields.items()})
        return twin


def fold(position: Position, entry: Entry) -> None:
    """Make ``entry`` part of the wallet."""
    position.seq = entry.seq
    position.balance = entry.balance
    position.held += entry.held_change
    position.recorded_at = entry.recorded_at
    position.head = entry.checksum
    if entry.detail is not None:
        _fold_detail(position, entry, entry.detail)


def _fold_detail(position: Position, entry: Entry, detail: Detail) -> None:
    position.owed += detail.owed
    if detail.limit is not None:
        position.credit_limit = detail.limit
    if detail.state is not None:
        position.state = detail.state.value
    if detail.lot is not None:
        _open_lot(position, entry.seq, detail.lot)
    _change_lots(position, detail.lots)
    _extend_lots(position, detail)
    if detail.hold is not None or entry.kind is Kind.HOLD:
        _fold_hold(position, entry, detail)
    if detail.reverses is not None:
        undone = abs(entry.amount) + detail.owed
        if undone:
            parts = position.with_parts()
            parts.reversed[detail.reverses] = parts.reversed.get(detail.reverses, 0) + undone
            parts.changed_reversals.add(detail.reverses)


def _open_lot(position: Position, seq: int, terms: LotTerms) -> None:
    parts = position.with_parts()
    parts.lots[seq] = Lot(seq, 0, 0, terms.priority, terms.expires_at, terms.origin)
    parts.changed_lots.add(seq)


def _change_lots(position: Position, remaining: Shares, held: Shares = ()) -> None:
    """Change remainders and held shares; the count of open lots follows."""
    if not remaining and not held:
        return
    parts = position.with_parts()
    for shares, is_held in ((remaining, False), (held, True)):
        for seq, change in shares:
            old = parts.lots[seq]
            new = Lot(
                seq,
                old.remaining + (0 if is_held else change),
                old.held + (change if is_held else 0),
                old.priority,
                old.expires_at,
                old.origin,
            )
            parts.lots[seq] = new
            parts.changed_lots.add(seq)
            position.open_lots += _is_open(new) - _is_open(old)


def _extend_lots(position: Position, detail: Detail) -> None:
    for seq in detail.extended:
        parts = position.with_parts()
        parts.lots[seq] = msgspec.structs.replace(parts.lots[seq], expires_at=detail.until)
        parts.changed_lots.add(seq)


def _fold_hold(position: Position, entry: Entry, detail: Detail) -> None:
    parts = position.with_parts()
    if entry.kind is Kind.HOLD:
        draws = negative(detail.lots)
        hold = Hold(
            reference=entry.reference,
            seq=entry.seq,
            state=HoldState.OPEN,
            remaining=entry.held_change,
            placed_at=entry.recorded_at,
            deadline=detail.deadline,
            draws=draws,
        )
        position.open_holds += 1
        _change_lots(position, (), draws)
    elif entry.kind is Kind.EXTEND:
        hold = msgspec.structs.replace(parts.holds[detail.hold or ""], deadline=detail.until)
    else:
        old = parts.holds[detail.hold or ""]
        remaining = old.remaining + entry.held_change
        kept = split(old.draws, total(detail.drawn))[1] if remaining else ()
        hold = Hold(
            reference=old.reference,
            seq=old.seq,
            state=HoldState.OPEN if remaining else _ENDED[entry.kind],
            remaining=remaining,
            placed_at=old.placed_at,
            deadline=old.deadline,
            draws=kept,
        )
        position.open_holds -= not remaining
        freed = detail.drawn if remaining else old.draws
        _change_lots(position, (), negative(freed))
    parts.holds[hold.reference] = hold
    parts.changed_holds.add(hold.reference)


_ENDED = {
    Kind.CAPTURE: HoldState.CAPTURED,
    Kind.RELEASE: HoldState.RELEASED,
    Kind.LAPSE: HoldState.LAPSED,
}


def _is_open(lot: Lot) -> int:
    return int(lot.remaining + lot.held > 0)

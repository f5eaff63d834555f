"""Credit that moves from one holder to another through `transit`, and back (S8, L8). Pure.

Both sides are one group by nature. Lots keep their terms on the way, so that a gift neither
prolongs nor shortens the life of credit: each parcel arrives as an entry of its own.
"""

from bursar.ledger.catalogue import TRANSIT, Kind
from bursar.ledger.commands import Reverse, Transfer
from bursar.ledger.decision.book import Ask, Book, opens_lot
from bursar.ledger.decision.draw import draw, negative, total
from bursar.ledger.decision.position import Position
from bursar.ledger.decision.refusals import insufficient, overflow
from bursar.ledger.decision.settle import settle
from bursar.ledger.decision.undo import shares_back, takeable, undoing
from bursar.ledger.model import (
    MAX_AMOUNT,
    OWN_REFERENCES,
    Detail,
    Entry,
    LotTerms,
    Refusal,
    WalletKey,
)

_NO_DETAIL = Detail()


def transfer(book: Book, ask: Ask, sender: Position, command: Transfer) -> Entry | Refusal:
    """Decide a transfer; both sides are settled, and the sender's entry is the answer."""
    assert ask.other is not None  # noqa: S101 - tells the type checker
    receiver = book.positions[ask.other]
    if command.amount > MAX_AMOUNT - receiver.balance:
        return overflow(receiver)
    if command.amount > sender.room:
        return insufficient(sender, command.amount)
    # decided
    shares = draw(sender.lots(), sender.plain, command.amount)
    parcels = [(share, _terms(sender, seq)) for seq, share in shares]
    plain = command.amount - total(shares)
    if plain:
        parcels.append((plain, None))
    detail = Detail(
        lots=negative(shares),
        counterparty=receiver.holder_id,
        legs=tuple(range(receiver.seq + 1, receiver.seq + 1 + len(parcels))),
        asked=command.amount,
    )
    entry = book.answer(
        sender, ask, Kind.TRANSFER_OUT, -command.amount, house_account=TRANSIT, detail=detail
    )
    for number, (amount, terms) in enumerate(parcels):
        _receive(book, ask, receiver, amount, terms, number)
    return entry


def undo_transfer(
    book: Book, ask: Ask, sender: Position, command: Reverse, target: Entry, want: int
) -> Entry | Refusal:
    """Reverse both sides: the sender gets what could be taken from the receiver."""
    detail = target.detail or _NO_DETAIL
    receiver = book.positions[WalletKey(detail.counterparty or 0, sender.asset_id)]
    taken = takeable(receiver, command, want)
    if receiver.balance - taken < -MAX_AMOUNT:
        return overflow(receiver)
    if taken > MAX_AMOUNT - sender.balance:
        return overflow(sender)
    # decided
    back = shares_back(sender, target, taken)
    own = undoing(command, target, back, counterparty=receiver.holder_id)
    entry = book.answer(sender, ask, Kind.REVERSE, taken, house_account=TRANSIT, detail=own)
    shares = draw(receiver.lots(), receiver.plain, taken, first=detail.legs)
    far = Detail(lots=negative(shares), counterparty=sender.holder_id, target_kind=Kind.TRANSFER_IN)
    _far_side(book, ask, receiver, Kind.REVERSE, -taken, far, 0)
    settle(book, sender, ask.posting, entry.effective_at)
    return entry


def _receive(
    book: Book, ask: Ask, receiver: Position, amount: int, terms: LotTerms | None, number: int
) -> None:
    """Enter one parcel."""
    target = ask.command.reference
    if terms is None:
        detail = Detail(counterparty=ask.key.holder_id, target=target)
    else:
        detail = opens_lot(receiver, amount, terms, counterparty=ask.key.holder_id, target=target)
    _far_side(book, ask, receiver, Kind.TRANSFER_IN, amount, detail, number)


def _far_side(
    book: Book, ask: Ask, receiver: Position, kind: Kind, amount: int, detail: Detail, number: int
) -> None:
    """Enter a line in the other wallet, under a reference unique there as the sender's is."""
    command = ask.command
    book.enter(
        receiver,
        ask.posting,
        kind,
        amount,
        f"{OWN_REFERENCES}from:{ask.key.holder_id}:{number}:{command.reference}",
        house_account=TRANSIT,
        source=command.source,
        effective_at=command.effective_at,
        detail=detail,
    )


def _terms(position: Position, seq: int) -> LotTerms | None:
    lot = position.with_parts().lots[seq]
    return LotTerms(lot.expires_at, lot.priority, lot.origin)

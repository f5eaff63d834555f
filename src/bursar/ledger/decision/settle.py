"""What time alone has done to a wallet: holds that lapsed, lots that expired (L6, L7). Pure."""

from datetime import datetime

from bursar.ledger.catalogue import BREAKAGE, Kind
from bursar.ledger.decision.book import Book
from bursar.ledger.decision.position import Position
from bursar.ledger.model import LONG_AGO, OWN_REFERENCES, Detail, Hold, HoldState


def settle(book: Book, position: Position, posting: int, back_at: datetime = LONG_AGO) -> None:
    """Write what is due by the book's instant, in the order of time: lapses and expiries.

    Each takes effect at its own deadline or date; credit that is given back to a lot whose date has
    passed expires when it was given back: by a lapse, or by an entry that took effect ``back_at``.
    So the books say the same whether a wallet was looked at in between or not.
    """
    parts = position.parts
    if parts is None:
        return
    due = [
        (hold.deadline, hold)
        for hold in parts.holds.values()
        if hold.state is HoldState.OPEN and hold.deadline is not None and hold.deadline <= book.now
    ]
    for deadline, hold in sorted(due, key=lambda pair: (pair[0], pair[1].seq)):
        _expire(book, position, posting, back_at, before=deadline)
        _lapse(book, position, posting, hold, deadline)
        back_at = deadline
    _expire(book, position, posting, back_at)


def own_reference(kind: Kind, position: Position) -> str:
    """Name an entry that the ledger writes of itself: unique, as the wallet's next seq is."""
    return f"{OWN_REFERENCES}{kind}:{position.seq + 1}"


def _lapse(book: Book, position: Position, posting: int, hold: Hold, deadline: datetime) -> None:
    """Give a hold back, as of its deadline."""
    book.enter(
        position,
        posting,
        Kind.LAPSE,
        0,
        own_reference(Kind.LAPSE, position),
        held_change=-hold.remaining,
        effective_at=deadline,
        detail=Detail(hold=hold.reference, lots=position.into_lots(hold.draws, hold.remaining)),
    )


def _expire(
    book: Book,
    position: Position,
    posting: int,
    back_at: datetime,
    before: datetime | None = None,
) -> None:
    """Let lots expire whose time has come, or came ``before`` an instant."""
    due = [
        (max(lot.expires_at, back_at), lot)
        for lot in position.lots()
        if lot.remaining and lot.expires_at is not None and lot.expires_at <= book.now
    ]
    for at, lot in sorted(due, key=lambda pair: (pair[0], pair[1].seq)):
        if before is not None and at >= before:
            return
        book.enter(
            position,
            posting,
            Kind.EXPIRE,
            -lot.remaining,
            own_reference(Kind.EXPIRE, position),
            house_account=BREAKAGE,
            effective_at=at,
            detail=Detail(lots=((lot.seq, -lot.remaining),)),
        )

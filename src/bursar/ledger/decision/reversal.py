"""Undoing an entry, in whole or in part (L8). Pure.

What the reversal of a credit finds already spent is handled by policy: `debt` takes it all the
same, `clip` takes what is there, `net` takes what is there and keeps the rest as owed. A transfer
is undone on both sides: the sender gets what could be taken from the receiver.
"""

from bursar.ledger.catalogue import REVERSIBLE, Kind
from bursar.ledger.commands import Reverse
from bursar.ledger.decision.book import Ask, Book
from bursar.ledger.decision.draw import draw, negative
from bursar.ledger.decision.position import Position
from bursar.ledger.decision.refusals import overflow
from bursar.ledger.decision.settle import settle
from bursar.ledger.decision.transfer import undo_transfer
from bursar.ledger.decision.undo import shares_back, takeable, undoing
from bursar.ledger.model import MAX_AMOUNT, Entry, Refusal, Status


def reverse(book: Book, ask: Ask, position: Position, command: Reverse) -> Entry | Refusal:
    """Undo ``command.target``: all that is left of it, or the amount asked for."""
    target = book.known.get((position.holder_id, position.asset_id, command.target))
    if target is None:
        return Refusal(
            Status.ENTRY_UNKNOWN,
            f"no entry has the reference {command.target!r}",
            {"target": command.target},
        )
    if target.kind not in REVERSIBLE:
        return Refusal(
            Status.NOT_REVERSIBLE,
            f"an entry of kind {target.kind} cannot be reversed",
            {"target": command.target, "kind": target.kind.value},
        )
    if target.kind is Kind.TRANSFER_OUT and command.policy == "net":
        return Refusal(
            Status.NOT_REVERSIBLE,
            "a transfer is reversed by debt or clip: what is owed is owed to the house",
            {"target": command.target, "policy": "net"},
        )
    done = 0 if position.parts is None else position.parts.reversed.get(target.seq, 0)
    left = abs(target.amount) - done
    want = left if command.amount is None else command.amount
    if want > left or left == 0:
        return Refusal(
            Status.REVERSAL_EXCEEDED,
            f"{left} of {command.target!r} is left to reverse",
            {"target": command.target, "left": left},
        )
    if target.kind is Kind.TRANSFER_OUT:
        return undo_transfer(book, ask, position, command, target, want)
    if target.amount > 0:
        return _take_back(book, ask, position, command, target, want)
    return _give_back(book, ask, position, command, target, want)


def _take_back(
    book: Book, ask: Ask, position: Position, command: Reverse, target: Entry, want: int
) -> Entry | Refusal:
    """Undo a credit."""
    taken = takeable(position, command, want)
    owed = want - taken if command.policy == "net" else 0
    if position.balance - taken < -MAX_AMOUNT or position.owed + owed > MAX_AMOUNT:
        return overflow(position)
    # decided
    shares = draw(position.lots(), position.plain, taken, first=(target.seq,))
    detail = undoing(command, target, negative(shares), owed=owed)
    return book.answer(
        position, ask, Kind.REVERSE, -taken, house_account=target.house_account, detail=detail
    )


def _give_back(
    book: Book, ask: Ask, position: Position, command: Reverse, target: Entry, want: int
) -> Entry | Refusal:
    """Undo a spend: the lots that paid get their shares back, the last drawn first."""
    if want > MAX_AMOUNT - position.balance:
        return overflow(position)
    # decided
    back = shares_back(position, target, want)
    detail = undoing(command, target, back)
    entry = book.answer(
        position, ask, Kind.REVERSE, want, house_account=target.house_account, detail=detail
    )
    settle(book, position, ask.posting, entry.effective_at)
    return entry

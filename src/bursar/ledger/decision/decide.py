"""The decision on one batch: units of commands and an open book in, results out. Pure (L2–L8).

Each rule checks everything, then writes; a line ``# decided`` stands between. What a rule refuses
leaves no trace but what time had done to the wallet anyway (`settle`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bursar.ledger.catalogue import ADJUSTMENT, BREAKAGE, KINDS, WITHHOLDING, Kind
from bursar.ledger.commands import (
    OPENING,
    Capture,
    Command,
    Credit,
    Debit,
    Expire,
    Extend,
    PlaceHold,
    Release,
    Reverse,
    SetLimit,
    SetState,
    Transfer,
    house_account_of,
)
from bursar.ledger.decision.book import Ask, Book, opens_lot
from bursar.ledger.decision.draw import draw, negative, split
from bursar.ledger.decision.position import Position
from bursar.ledger.decision.refusals import (
    closed,
    frozen,
    insufficient,
    out_of_time,
    overflow,
    unknown_wallet,
)
from bursar.ledger.decision.replay import differences
from bursar.ledger.decision.reversal import reverse
from bursar.ledger.decision.settle import own_reference, settle
from bursar.ledger.decision.transfer import transfer
from bursar.ledger.decision.undo import far_side
from bursar.ledger.model import (
    MAX_AMOUNT,
    Detail,
    Entry,
    Hold,
    HoldState,
    Refusal,
    Result,
    Status,
    WalletKey,
    WalletState,
)

Unit = Sequence[Ask]
"""Commands that are applied together or not at all; most often one."""

Outcome = Entry | Refusal


def decide(book: Book, units: Sequence[Unit]) -> list[list[Result]]:
    """Decide the units in order; the answer has the shape of ``units``.

    The same units decided in one book or each in a book of its own give the same entries.
    """
    return [
        [_decide_one(book, unit[0])] if len(unit) == 1 else _decide_group(book, unit)
        for unit in units
    ]


def _decide_group(book: Book, unit: Unit) -> list[Result]:
    keys = {key for ask in unit for key in (ask.key, _other_side(book, ask)) if key is not None}
    mark = book.mark(keys & book.positions.keys())
    results: list[Result] = []
    for ask in unit:
        result = _decide_one(book, ask)
        if not result.ok:
            book.undo(mark)
            return _refuse_group(unit, len(results), result)
        results.append(result)
    return results


def _refuse_group(unit: Unit, failed: int, result: Result) -> list[Result]:
    culprit = unit[failed].command
    others = Refusal(
        Status.GROUP_REFUSED,
        f"another command of group {culprit.group!r} was refused",
        {"group": culprit.group, "refused": culprit.reference, "because": result.status.value},
    )
    return [
        result if i == failed else Result(Status.GROUP_REFUSED, refusal=others)
        for i in range(len(unit))
    ]


def _decide_one(book: Book, ask: Ask) -> Result:
    command = ask.command
    if ask.refusal is not None:
        return Result(ask.refusal.status, refusal=ask.refusal)
    key = ask.key
    known = book.known.get((*key, command.reference))
    if known is not None:
        return _answer_again(ask, known)
    outcome = _apply(book, ask, book.positions[key])
    if type(outcome) is Entry:
        return Result(Status.APPLIED, outcome)
    assert isinstance(outcome, Refusal)  # noqa: S101 - tells the type checker
    return Result(outcome.status, refusal=outcome)


def _answer_again(ask: Ask, known: Entry) -> Result:
    """Answer a reference that is taken: the first answer again, or a conflict (L3)."""
    fields = differences(ask, known)
    if not fields:
        return Result(Status.REPLAYED, known)
    refusal = Refusal(
        Status.REFERENCE_CONFLICT,
        f"reference {known.reference!r} was used for other content: {', '.join(fields)}",
        {"reference": known.reference, "differs": list(fields), "seq": known.seq},
    )
    return Result(Status.REFERENCE_CONFLICT, refusal=refusal)


def _apply(book: Book, ask: Ask, position: Position) -> Outcome:
    command = ask.command
    untimely = _untimely(command, book.now)
    if untimely is not None:
        return untimely
    if position.seq == 0 and not isinstance(command, OPENING):
        return unknown_wallet()
    if position.parts is not None:
        settle(book, position, ask.posting)
    other = _other_side(book, ask)
    if other is not None:
        settle(book, book.positions[other], ask.posting)
    if other is not None or position.state != WalletState.ACTIVE:
        states = {"holder": position.state}
        if other is not None:
            states["receiver"] = book.positions[other].state
        refusal = _forbidden(command, states)
        if refusal is not None:
            return refusal
    return _RULES[type(command)](book, ask, position, command)


def _untimely(command: Command, now: datetime) -> Refusal | None:
    """Say which instant of a command lies on the wrong side of now."""
    if command.effective_at is not None and command.effective_at > now:
        return out_of_time("effective_at", "lies in the future")
    lot = command.lot if type(command) is Credit else None
    if lot is not None and lot.expires_at is not None and lot.expires_at <= now:
        return out_of_time("lot.expires_at", "has passed")
    if type(command) is PlaceHold and command.deadline is not None and command.deadline <= now:
        return out_of_time("deadline", "has passed")
    if type(command) is Extend and command.until <= now:
        return out_of_time("until", "has passed")
    return None


def _other_side(book: Book, ask: Ask) -> WalletKey | None:
    """Name the other wallet of a transfer, or of the transfer that a reversal undoes."""
    command = ask.command
    if type(command) is not Reverse:
        return ask.other
    target = book.known.get((*ask.key, command.target))
    return None if target is None else far_side(target)


def _forbidden(command: Command, states: Mapping[str, str]) -> Refusal | None:
    """Say what a frozen or closed wallet does not do; ``states`` are by side (L13)."""
    if isinstance(command, SetState):
        return None
    for side, state in states.items():
        if state == WalletState.CLOSED:
            return closed(side)
    if isinstance(command, Debit | PlaceHold | Transfer):
        for side, state in states.items():
            if state == WalletState.FROZEN:
                return frozen(side)
    return None


def _credit(book: Book, ask: Ask, position: Position, command: Credit) -> Outcome:
    if command.amount > MAX_AMOUNT - position.balance:
        return overflow(position)
    # decided
    lot = command.lot
    detail = None if lot is None else opens_lot(position, command.amount, lot)
    entry = book.answer(
        position,
        ask,
        KINDS[command.kind],
        command.amount,
        house_account=house_account_of(command),
        detail=detail,
    )
    if position.owed and entry.kind in WITHHOLDING:
        _withhold(book, ask, position, entry)
    return entry


def _withhold(book: Book, ask: Ask, position: Position, granted: Entry) -> None:
    """Take what is owed out of a grant, as far as it is there (L8, `net`)."""
    amount = min(position.owed, granted.amount, max(0, position.available))
    if amount:
        shares = draw(position.lots(), position.plain, amount, first=(granted.seq,))
        book.enter(
            position,
            ask.posting,
            Kind.WITHHOLD,
            -amount,
            own_reference(Kind.WITHHOLD, position),
            house_account=ADJUSTMENT,
            detail=Detail(lots=negative(shares), owed=-amount),
        )


def _debit(book: Book, ask: Ask, position: Position, command: Debit) -> Outcome:
    if command.amount > position.room:
        return insufficient(position, command.amount)
    # decided
    return book.answer(
        position,
        ask,
        KINDS[command.kind],
        -command.amount,
        house_account=house_account_of(command),
        detail=_draws(position, command.amount),
    )


def _draws(position: Position, amount: int) -> Detail | None:
    """Say which lots pay, where there are lots."""
    if not position.open_lots:
        return None
    shares = draw(position.lots(), position.plain, amount)
    return Detail(lots=negative(shares)) if shares else None


def _place_hold(book: Book, ask: Ask, position: Position, command: PlaceHold) -> Outcome:
    if command.amount > MAX_AMOUNT - position.held:
        return overflow(position)
    if command.amount > position.room:
        return insufficient(position, command.amount)
    # decided
    shares = draw(position.lots(), position.plain, command.amount)
    detail = Detail(lots=negative(shares), deadline=command.deadline)
    return book.answer(position, ask, Kind.HOLD, 0, held_change=command.amount, detail=detail)


def _capture(book: Book, ask: Ask, position: Position, command: Capture) -> Outcome:
    hold = _open_hold(position, command.hold)
    if isinstance(hold, Refusal):
        return hold
    amount = hold.remaining if command.amount is None else command.amount
    if amount > hold.remaining:
        return Refusal(
            Status.HOLD_EXCEEDED,
            f"the hold has {hold.remaining} left, not {amount}",
            {"remaining": hold.remaining, "amount": amount},
        )
    if position.balance - amount < -MAX_AMOUNT:
        return overflow(position)
    # decided
    drawn, rest = split(hold.draws, amount)
    freed = 0 if command.keep_rest else hold.remaining - amount
    back = position.into_lots(rest, freed) if freed else ()
    detail = Detail(
        lots=back,
        drawn=drawn,
        hold=hold.reference,
        keep_rest=command.keep_rest,
        asked=command.amount,
    )
    entry = book.answer(
        position,
        ask,
        Kind.CAPTURE,
        -amount,
        held_change=-amount - freed,
        house_account=house_account_of(command),
        detail=detail,
    )
    settle(book, position, ask.posting, entry.effective_at)
    return entry


def _release(book: Book, ask: Ask, position: Position, command: Release) -> Outcome:
    hold = _open_hold(position, command.hold)
    if isinstance(hold, Refusal):
        return hold
    # decided
    back = position.into_lots(hold.draws, hold.remaining)
    detail = Detail(lots=back, hold=hold.reference)
    entry = book.answer(position, ask, Kind.RELEASE, 0, held_change=-hold.remaining, detail=detail)
    settle(book, position, ask.posting, entry.effective_at)
    return entry


def _open_hold(position: Position, reference: str) -> Hold | Refusal:
    hold = None if position.parts is None else position.parts.holds.get(reference)
    if hold is None:
        return Refusal(
            Status.HOLD_UNKNOWN, f"no hold was placed as {reference!r}", {"hold": reference}
        )
    if hold.state is not HoldState.OPEN:
        return Refusal(
            Status.HOLD_ENDED,
            f"hold {reference!r} was {hold.state.value} before",
            {"hold": reference, "state": hold.state.value},
        )
    return hold


def _set_limit(book: Book, ask: Ask, position: Position, command: SetLimit) -> Outcome:
    return book.answer(position, ask, Kind.LIMIT, 0, detail=Detail(limit=command.limit))


def _set_state(book: Book, ask: Ask, position: Position, command: SetState) -> Outcome:
    if command.state == WalletState.CLOSED and (position.balance or position.held or position.owed):
        return Refusal(
            Status.WALLET_NOT_EMPTY,
            "only an empty wallet can be closed",
            {"balance": position.balance, "held": position.held, "owed": position.owed},
        )
    # decided
    detail = Detail(state=WalletState(command.state))
    return book.answer(position, ask, Kind.STATE, 0, detail=detail)


def _expire(book: Book, ask: Ask, position: Position, command: Expire) -> Outcome:
    lots = [
        lot
        for lot in position.lots()
        if lot.remaining and (command.origin is None or lot.origin == command.origin)
    ]
    # decided
    excess = max(0, sum(lot.remaining for lot in lots) - command.keep)
    shares = draw(lots, 0, excess)
    detail = Detail(lots=negative(shares), keep=command.keep, origin=command.origin)
    return book.answer(position, ask, Kind.EXPIRE, -excess, house_account=BREAKAGE, detail=detail)


def _extend(book: Book, ask: Ask, position: Position, command: Extend) -> Outcome:
    """Move dates that lie between now and then; what is past was settled before, or stays past."""
    extended: tuple[int, ...] = ()
    if command.hold is not None:
        hold = _open_hold(position, command.hold)
        if isinstance(hold, Refusal):
            return hold
        found = hold.deadline is not None and hold.deadline < command.until
    else:
        extended = tuple(
            lot.seq
            for lot in sorted(position.lots(), key=lambda lot: lot.seq)
            if lot.remaining + lot.held
            and lot.expires_at is not None
            and book.now < lot.expires_at < command.until
            and (command.origin is None or lot.origin == command.origin)
        )
        found = bool(extended)
    if not found:
        return Refusal(
            Status.NOTHING_TO_EXTEND,
            "nothing that is open has a date between now and then",
            {"until": command.until.isoformat(), "origin": command.origin, "hold": command.hold},
        )
    # decided
    detail = Detail(
        hold=command.hold, origin=command.origin, until=command.until, extended=extended
    )
    return book.answer(position, ask, Kind.EXTEND, 0, detail=detail)


_RULES: Final[dict[type, Callable[[Book, Ask, Position, Any], Outcome]]] = {
    Credit: _credit,
    Debit: _debit,
    PlaceHold: _place_hold,
    Capture: _capture,
    Release: _release,
    Transfer: transfer,
    Reverse: reverse,
    SetLimit: _set_limit,
    SetState: _set_state,
    Expire: _expire,
    Extend: _extend,
}

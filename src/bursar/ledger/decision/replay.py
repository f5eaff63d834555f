"""Is a command that comes again the one that was applied the first time? Pure (L3)."""

from bursar.ledger.catalogue import CREDIT_ACCOUNTS, DEBIT_ACCOUNTS, Kind
from bursar.ledger.commands import (
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
from bursar.ledger.decision.book import Ask
from bursar.ledger.model import Detail, Entry

_NO_DETAIL = Detail()


def differences(ask: Ask, entry: Entry) -> tuple[str, ...]:
    """Name the fields in which a command differs from the one that ``entry`` answered.

    Actor, reason and group are not content: who asks again, and in what company, may differ.
    """
    command = ask.command
    if not _is_of(command, entry):
        return ("op",)
    asked = _common(ask) | _own(ask, command)
    was = _common_of(entry) | _own_of(entry)
    if asked["effective_at"] == entry.effective_at:
        was["effective_at"] = entry.effective_at
    return tuple(name for name, value in asked.items() if was.get(name) != value)


def _is_of(command: Command, entry: Entry) -> bool:
    kind, sign = entry.kind, entry.amount
    match command:
        case Credit():
            return kind in CREDIT_ACCOUNTS and sign > 0
        case Debit():
            return kind in DEBIT_ACCOUNTS and sign < 0
        case PlaceHold():
            return kind is Kind.HOLD
        case Capture():
            return kind is Kind.CAPTURE
        case Release():
            return kind is Kind.RELEASE
        case Transfer():
            return kind is Kind.TRANSFER_OUT
        case Reverse():
            return kind is Kind.REVERSE
        case SetLimit():
            return kind is Kind.LIMIT
        case SetState():
            return kind is Kind.STATE
        case Expire():
            return kind is Kind.EXPIRE
        case Extend():
            return kind is Kind.EXTEND
        case _:
            return False


def _common(ask: Ask) -> dict[str, object]:
    return {
        "source": ask.command.source,
        "metadata": ask.metadata,
        "effective_at": ask.command.effective_at,
    }


def _common_of(entry: Entry) -> dict[str, object]:
    dated_back = entry.effective_at < entry.recorded_at
    return {
        "source": entry.source,
        "metadata": entry.metadata,
        "effective_at": entry.effective_at if dated_back else None,
    }


def _own(ask: Ask, command: Command) -> dict[str, object]:
    """What the command itself asks, by field."""
    match command:
        case Credit() | Debit():
            return {
                "kind": command.kind,
                "amount": command.amount,
                "house_account": house_account_of(command),
                "lot": command.lot if isinstance(command, Credit) else None,
            }
        case PlaceHold():
            return {"amount": command.amount, "deadline": command.deadline}
        case Capture():
            return {
                "hold": command.hold,
                "amount": command.amount,
                "keep_rest": command.keep_rest,
                "house_account": house_account_of(command),
            }
        case Release():
            return {"hold": command.hold}
        case Transfer():
            to = None if ask.other is None else ask.other.holder_id
            return {"to": to, "amount": command.amount}
        case Reverse():
            return {"target": command.target, "amount": command.amount, "policy": command.policy}
        case SetLimit():
            return {"limit": command.limit}
        case SetState():
            return {"state": command.state}
        case Expire():
            return {"keep": command.keep, "origin": command.origin}
        case Extend():
            return {"until": command.until, "origin": command.origin, "hold": command.hold}
        case _:
            return {}


def _own_of(entry: Entry) -> dict[str, object]:
    """The same fields, as the entry keeps them; those of other commands do no harm."""
    detail = entry.detail or _NO_DETAIL
    by_amount = entry.kind in CREDIT_ACCOUNTS or entry.kind in DEBIT_ACCOUNTS
    amount = abs(entry.amount) if by_amount else detail.asked
    return {
        "kind": entry.kind,
        "amount": entry.held_change if entry.kind is Kind.HOLD else amount,
        "house_account": entry.house_account,
        "lot": detail.lot,
        "hold": detail.hold,
        "deadline": detail.deadline,
        "keep_rest": detail.keep_rest,
        "to": detail.counterparty,
        "target": detail.target,
        "policy": detail.policy,
        "limit": detail.limit,
        "state": detail.state,
        "keep": detail.keep,
        "origin": detail.origin,
        "until": detail.until,
    }

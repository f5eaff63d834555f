"""Is a command well formed, whatever the state of the books? Pure.

Amounts are whole numbers in 1…2⁶³−1 (a float or a bool is refused); texts are printable, of 1 to
200 characters; metadata is an object of at most 4,096 bytes of JSON; instants have a zone.
"""

from collections.abc import Callable, Container, Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final

from bursar.ledger.catalogue import CREDIT_ACCOUNTS, DEBIT_ACCOUNTS
from bursar.ledger.commands import (
    AnyCommand,
    Capture,
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
    canonical,
)
from bursar.ledger.model import (
    MAX_AMOUNT,
    OWN_REFERENCES,
    LotTerms,
    Refusal,
    Status,
    WalletState,
)
from bursar.platform.voice import MAX_REASON, is_reason

MAX_TEXT: Final = 200
MAX_METADATA: Final = 4096
_OPTIONAL_TEXTS: Final = ("holder", "group", "source")
_ACCOUNT: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


def examine(command: AnyCommand) -> Refusal | None:
    """Say what is malformed in a command, if anything: its own fields first."""
    own = _OWN.get(type(command))
    if own is None:
        return invalid("op", "is not a command of the ledger")
    return own(command) or _examine_common(command)


def _examine_common(command: AnyCommand) -> Refusal | None:
    if (command.holder is None) == (command.holder_id is None):
        return invalid("holder", "or holder_id: exactly one of them names the wallet")
    if command.holder_id is not None and not _is_id(command.holder_id):
        return invalid("holder_id", "must be a whole number above 0")
    if not _is_text(command.asset):
        return _text("asset")
    if not _is_text(command.reference):
        return _text("reference")
    if command.reference.startswith(OWN_REFERENCES):
        return invalid("reference", f"may not begin with {OWN_REFERENCES!r}")
    for name in _OPTIONAL_TEXTS:
        if (text := getattr(command, name)) is not None and not _is_text(text):
            return _text(name)
    if command.reason is not None and not is_reason(command.reason):
        return invalid("reason", f"must be 1 to {MAX_REASON} printable characters")
    if command.effective_at is not None and not _is_instant(command.effective_at):
        return invalid("effective_at", "must be an instant with a time zone")
    return None if command.metadata is None else examine_metadata(command.metadata)


def _credit(command: Credit) -> Refusal | None:
    if not _is_one_of(command.kind, CREDIT_ACCOUNTS):
        return invalid("kind", f"is not one of {', '.join(CREDIT_ACCOUNTS)}")
    bad = _amount(command.amount) or _house_account(command.house_account)
    if bad is None and command.lot is not None:
        return _examine_lot(command.lot)
    return bad


def _debit(command: Debit) -> Refusal | None:
    if not _is_one_of(command.kind, DEBIT_ACCOUNTS):
        return invalid("kind", f"is not one of {', '.join(DEBIT_ACCOUNTS)}")
    return _amount(command.amount) or _house_account(command.house_account)


def _place_hold(command: PlaceHold) -> Refusal | None:
    if command.deadline is not None and not _is_written(command.deadline):
        return invalid("deadline", "must be an instant with a time zone")
    return _amount(command.amount)


def _capture(command: Capture) -> Refusal | None:
    if not _is_text(command.hold):
        return _text("hold")
    if command.amount is not None and (bad := _amount(command.amount)):
        return bad
    return _flag("keep_rest", command.keep_rest) or _house_account(command.house_account)


def _release(command: Release) -> Refusal | None:
    return None if _is_text(command.hold) else _text("hold")


def _transfer(command: Transfer) -> Refusal | None:
    if (command.to is None) == (command.to_id is None):
        return invalid("to", "or to_id: exactly one of them names the receiver")
    if command.to is not None and not _is_text(command.to):
        return _text("to")
    if command.to_id is not None and not _is_id(command.to_id):
        return invalid("to_id", "must be a whole number above 0")
    return _amount(command.amount)


def _reverse(command: Reverse) -> Refusal | None:
    if not _is_text(command.target):
        return _text("target")
    if not _is_one_of(command.policy, ("debt", "clip", "net")):
        return invalid("policy", "is not one of debt, clip, net")
    return None if command.amount is None else _amount(command.amount)


def _set_limit(command: SetLimit) -> Refusal | None:
    return _number("limit", command.limit, 0)


def _set_state(command: SetState) -> Refusal | None:
    if not _is_one_of(command.state, tuple(WalletState)):
        return invalid("state", f"is not one of {', '.join(WalletState)}")
    return None


def _expire(command: Expire) -> Refusal | None:
    if command.origin is not None and not _is_text(command.origin):
        return _text("origin")
    return _number("keep", command.keep, 0)


def _extend(command: Extend) -> Refusal | None:
    if not _is_written(command.until):
        return invalid("until", "must be an instant with a time zone")
    if command.hold is not None and not _is_text(command.hold):
        return _text("hold")
    if command.origin is not None and not _is_text(command.origin):
        return _text("origin")
    if command.hold is not None and command.origin is not None:
        return invalid("origin", "names lots, and hold a hold: at most one of them")
    return None


def _examine_lot(lot: LotTerms) -> Refusal | None:
    if type(lot) is not LotTerms:
        return invalid("lot", "must be the terms of a lot")
    if lot.expires_at is not None and not _is_written(lot.expires_at):
        return invalid("lot.expires_at", "must be an instant with a time zone")
    if type(lot.priority) is not int or not -1000 <= lot.priority <= 1000:
        return invalid("lot.priority", "must be a whole number from -1000 to 1000")
    if lot.origin is not None and not _is_text(lot.origin):
        return _text("lot.origin")
    return None


def examine_metadata(metadata: Mapping[str, Any]) -> Refusal | None:
    """Say what keeps metadata from being stored as it is, if anything."""
    try:
        text = canonical(metadata)
        text.encode()
        finite = "null" not in text or _is_finite(metadata)
    except (TypeError, ValueError, RecursionError):
        return invalid("metadata", "must be a JSON object")
    if not isinstance(metadata, dict) or "\\u0000" in text or "\x00" in text:
        return invalid("metadata", "must be a JSON object without NUL characters")
    if len(text) > MAX_METADATA or len(text.encode()) > MAX_METADATA:
        return invalid("metadata", f"is larger than {MAX_METADATA} bytes of JSON")
    if not finite:
        return invalid("metadata", "must be a JSON object without NaN and infinity")
    return None


def _is_finite(metadata: object) -> bool:
    """JSON has no NaN and no infinity; the encoder would write null in their place."""
    rest = [metadata]
    while rest:
        value = rest.pop()
        if isinstance(value, float) and not isfinite(value):
            return False
        if isinstance(value, Mapping):
            rest += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            rest += value
    return True


def invalid(field: str, problem: str) -> Refusal:
    """Make the refusal of a malformed field."""
    return Refusal(Status.INVALID, f"{field} {problem}", {"field": field})


def _amount(value: object) -> Refusal | None:
    if type(value) is int and 0 < value <= MAX_AMOUNT:
        return None
    return _number("amount", value, 1)


def _number(name: str, value: object, least: int) -> Refusal | None:
    if type(value) is int and least <= value <= MAX_AMOUNT:
        return None
    told = str(value)[:40] if type(value) is int else type(value).__name__
    return Refusal(
        Status.INVALID,
        f"{name} must be a whole number from {least} to {MAX_AMOUNT}",
        {"field": name, "value": told},
    )


def _flag(name: str, value: object) -> Refusal | None:
    return None if type(value) is bool else invalid(name, "must be true or false")


def _house_account(value: object) -> Refusal | None:
    if value is None or _is_account(value):
        return None
    return invalid("house_account", "must be lower-case letters, digits and _, of 1 to 32")


def _text(name: str) -> Refusal:
    return invalid(name, f"must be 1 to {MAX_TEXT} printable characters")


def _is_text(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _is_one_of(value: object, options: Container[str]) -> bool:
    return isinstance(value, str) and value in options


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_AMOUNT


def _is_account(value: object) -> bool:
    return (
        type(value) is str
        and 0 < len(value) <= 32
        and value[0].isalpha()
        and _ACCOUNT.issuperset(value)
    )


def _is_instant(value: object) -> bool:
    return (
        isinstance(value, datetime) and value.utcoffset() is not None and 1970 <= value.year < 9999
    )


def _is_written(value: object) -> bool:
    """An instant that the JSON of an entry's detail gives back as it was."""
    if type(value) is not datetime or not _is_instant(value):
        return False
    return not (value.utcoffset() or timedelta()) % timedelta(minutes=1)


_OWN: Final[dict[type, Callable[[Any], Refusal | None]]] = {
    Credit: _credit,
    Debit: _debit,
    PlaceHold: _place_hold,
    Capture: _capture,
    Release: _release,
    Transfer: _transfer,
    Reverse: _reverse,
    SetLimit: _set_limit,
    SetState: _set_state,
    Expire: _expire,
    Extend: _extend,
}

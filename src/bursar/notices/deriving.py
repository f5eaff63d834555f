"""From an entry to the notices that it is told as (N4). Pure.

What a notice is called follows from the entry's place in its wallet, so that the inbox, the mail
and the webhook that are made of it at different times are one notice.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from bursar.ledger.catalogue import Kind as Movement
from bursar.ledger.model import Entry
from bursar.notices.model import Kind, Notice, NoticeSettings, notice_id_of

ARRIVALS: Final = frozenset(
    {Movement.GRANT, Movement.EARN, Movement.PURCHASE, Movement.REFUND, Movement.TRANSFER_IN}
)
"""Movements that are told as a deposit."""

CORRECTIONS: Final = frozenset({Movement.REVERSE, Movement.ADJUST})
"""Movements that are told as a correction."""

TOLD: Final = tuple(kind.value for kind in (*ARRIVALS, *CORRECTIONS, Movement.LAPSE))
"""The movements that may be told whatever they do to a balance."""


class Source(NamedTuple):
    """Which version of which program an entry comes from."""

    program: str
    version: int


KindsOf = Callable[[Source], Collection[str]]
"""Which kinds a version of a program sends."""


class _Said(msgspec.Struct, frozen=True):
    """What an entry's metadata says that matters here; an app's own may say anything.

    ``kind`` is what sort of award it was.
    """

    program: Any = None
    version: Any = None
    period: Any = None
    kind: Any = None


_SAID: Final = msgspec.json.Decoder(_Said)
_NOTHING: Final = _Said()


def source_of(entry: Entry) -> Source | None:
    """Say of which program an entry is; None for what no program has done."""
    said = _said(entry)
    if isinstance(said.program, str) and type(said.version) is int:
        return Source(said.program, said.version)
    return None


def told(entry: Entry, asset: str, settings: NoticeSettings, kinds_of: KindsOf) -> Iterator[Notice]:
    """List the notices that an entry of a wallet in ``asset`` is told as, if any."""
    source = source_of(entry)
    sent = settings.send if source is None else kinds_of(source)
    data: dict[str, Any] = {"asset": asset, "amount": entry.amount, "balance": entry.balance}
    if entry.kind in ARRIVALS and entry.amount > 0:
        data |= {"reference": entry.reference, **_of_program(source, entry)}
        if source is not None and Kind.REFRESH_DONE in sent:
            yield _notice(entry, Kind.REFRESH_DONE, data)
        elif Kind.DEPOSIT in sent:
            yield _notice(entry, Kind.DEPOSIT, data | {"entry_kind": entry.kind.value})
    elif entry.kind in CORRECTIONS and entry.amount and Kind.CORRECTED in sent:
        data |= {"reference": entry.reference, "entry_kind": entry.kind.value}
        data |= {} if source is None else {"program": source.program}
        yield _notice(entry, Kind.CORRECTED, data)
    elif entry.kind is Movement.LAPSE and Kind.HOLD_LAPSED in settings.send:
        hold = entry.detail.hold if entry.detail is not None else None
        released = {"asset": asset, "amount": -entry.held_change, "reference": hold or ""}
        yield _notice(entry, Kind.HOLD_LAPSED, released)
    below = settings.below.get(asset)
    if below is not None and Kind.LOW_BALANCE in settings.send and falls_below(entry, below):
        low = {"asset": asset, "balance": entry.balance, "below": below}
        yield _notice(entry, Kind.LOW_BALANCE, low)


def falls_below(entry: Entry, below: int) -> bool:
    """Tell whether it is this entry that brings the balance under a mark."""
    return entry.balance < below <= entry.balance - entry.amount


def refresh_failed(
    holder_id: int, program: str, period: str, *, asset: str, reason: str, at: datetime
) -> Notice:
    """Tell that a program has left a holder out, once for each period."""
    data = {"asset": asset, "program": program, "period": period, "reason": reason}
    fact = f"{Kind.REFRESH_FAILED}:{program}:{period}"
    return notice(holder_id, Kind.REFRESH_FAILED, fact, at, data)


def notice(holder_id: int, kind: Kind, fact: str, at: datetime, data: dict[str, Any]) -> Notice:
    """Make a notice of a fact, which names it."""
    return Notice(
        notice_id=notice_id_of(holder_id, fact),
        holder_id=holder_id,
        kind=kind,
        happened_at=at,
        data=data,
    )


def spelled(instant: datetime) -> str:
    """Write an instant as a notice's data has it: RFC 3339 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _notice(entry: Entry, kind: Kind, data: dict[str, Any]) -> Notice:
    fact = f"{kind}:{entry.asset_id}:{entry.seq}"
    return notice(entry.holder_id, kind, fact, entry.recorded_at, data)


def _of_program(source: Source | None, entry: Entry) -> dict[str, Any]:
    if source is None:
        return {}
    said = _said(entry)
    period = said.period if isinstance(said.period, str) else ""
    return {
        "program": source.program,
        "period": period,
        "award": said.kind if isinstance(said.kind, str) else "",
    }


def _said(entry: Entry) -> _Said:
    return _SAID.decode(entry.metadata) if entry.metadata else _NOTHING

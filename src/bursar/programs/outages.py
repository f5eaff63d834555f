"""Outages: windows in which holders could not act, and what is made good for them (P23)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from bursar.ledger import MAX_BATCH, AnyCommand, Credit, Extend, Ledger, LotTerms
from bursar.ledger.reading.given import Ending, Expired, read_ending, read_expired
from bursar.platform.errors import Invalid
from bursar.platform.voice import check_voice
from bursar.programs import store
from bursar.trail import record

_SWEPT: Final = 1_000
_LONGEST: Final = timedelta(days=31)


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a declaration did: wallets and holds given more time, lots given back."""

    outage_id: int
    extended: int
    given_back: int
    amount: int


async def declare(
    ledger: Ledger, starts_at: datetime, ends_at: datetime, *, actor: str, reason: str
) -> Declared:
    """Declare an outage of at most 31 days, on record.

    A day that it touches is not missed by any streak. Lots and holds that would end within it last
    beyond its end for as long again as it took. What has expired within it already is given back
    until then, out of breakage; a hold that has lapsed cannot be. Interrupted, it may be declared
    again: nothing is given back twice.
    """
    _check(starts_at, ends_at)
    check_voice(actor, reason)
    while await ledger.sweep(limit=_SWEPT) == _SWEPT:
        pass
    database = ledger.database
    async with database.transaction() as connection:
        outage_id = await store.find_outage(connection, starts_at, ends_at)
        if outage_id is None:
            outage_id = await store.add_outage(
                connection, starts_at, ends_at, actor=actor, reason=reason
            )
            await record(
                connection,
                actor=actor,
                act="outage.declare",
                subject=f"outage_{outage_id}",
                reason=reason,
                after={"starts_at": starts_at, "ends_at": ends_at},
            )
    until = ends_at + (ends_at - starts_at)
    async with database.connection() as connection:
        now = await store.read_now(connection)
        ending = await read_ending(connection, starts_at, ends_at)
        expired = await read_expired(connection, starts_at, ends_at) if until > now else []
    commands = [*_extensions(outage_id, ending, until), *_returns(outage_id, expired, until)]
    extended = given_back = amount = 0
    for first in range(0, len(commands), MAX_BATCH):
        part = commands[first : first + MAX_BATCH]
        results = await ledger.post(part, actor=actor, reason=reason)
        for command, result in zip(part, results, strict=True):
            if not result.ok:
                continue  # it ended meanwhile, or the wallet is closed
            if isinstance(command, Credit):
                given_back += 1
                amount += command.amount
            else:
                extended += 1
    return Declared(outage_id=outage_id, extended=extended, given_back=given_back, amount=amount)


def _extensions(outage_id: int, ending: Sequence[Ending], until: datetime) -> Sequence[AnyCommand]:
    return [
        Extend(
            holder_id=one.holder_id,
            asset=one.asset,
            reference=f"outage:{outage_id}" + (f":{one.hold}" if one.hold else ""),
            until=until,
            hold=one.hold,
            source="outage",
        )
        for one in ending
    ]


def _returns(outage_id: int, expired: Sequence[Expired], until: datetime) -> Sequence[AnyCommand]:
    return [
        Credit(
            holder_id=one.holder_id,
            asset=one.asset,
            amount=one.amount,
            kind="adjust",
            house_account="breakage",
            reference=f"outage:{outage_id}:{one.seq}",
            source="outage",
            metadata={"outage": outage_id, "kind": "compensation"},
            lot=LotTerms(expires_at=until, priority=one.priority, origin=one.origin),
        )
        for one in expired
    ]


def _check(starts_at: datetime, ends_at: datetime) -> None:
    aware = all(
        isinstance(at, datetime) and at.utcoffset() is not None for at in (starts_at, ends_at)
    )
    if not aware or not timedelta(0) < ends_at - starts_at <= _LONGEST:
        raise Invalid(
            "outage_window", "an outage is of two instants with a zone, at most 31 days apart"
        )

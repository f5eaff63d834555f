"""The SQL of the queue: typed rows in and out."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import structs
from psycopg.types.numeric import Int4, Int8

from bursar.notices.model import (
    Attempt,
    Channel,
    Delivery,
    DeliveryState,
    Kind,
    NoticeId,
    Outcome,
)
from bursar.notices.sending.backoff import MOST_TRIES, Verdict, given_up
from bursar.notices.sending.model import (
    COUNTED_TO,
    FAILURES,
    Claim,
    Claimed,
    GivenUp,
    NewDelivery,
    Queue,
    WantedDeliveries,
)
from bursar.platform.arrays import instants, int4s, int8s, texts
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices.sending")

AHEAD_S: Final = 3
"""No e-mail is given an instant further ahead than this."""

LATE_S: Final = 24 * 3_600
"""A webhook that comes to its turn so late, and fails, is told to operators."""

RESTORED: Final = "restored"
"""The note of what waited when the books were restored, or is told anew of before that."""

_LONGEST_DETAIL: Final = 1_000


async def add(connection: Connection, rows: Sequence[NewDelivery]) -> int:
    """Put deliveries into the queue in the caller's transaction; returns how many are new.

    The same notice to the same place is there once, however often it is added (N5). Any number of
    rows is one statement; who adds many goes in slices of 10,000.
    """
    if not rows:
        return 0
    values = {
        "notice_ids": texts([str(row.notice_id) for row in rows]),
        "channels": texts([row.channel.value for row in rows]),
        "kinds": texts([row.kind.value for row in rows]),
        "happened": instants([row.happened_at for row in rows]),
        "due": instants([row.due_at for row in rows]),
        "holder_ids": int8s([row.holder_id or 0 for row in rows]),
        "endpoint_ids": int4s([row.endpoint_id for row in rows]),
        "addresses": texts([row.address for row in rows]),
        "dispatch_ids": int8s([row.dispatch_id or 0 for row in rows]),
        "notes": texts([row.parked_note for row in rows]),
        "data": texts([msgspec.json.encode(row.data).decode() for row in rows]),
    }
    added: int = (await _all(connection, "add_deliveries", values))[0][0]
    return added


async def claim(
    connection: Connection,
    channel: Channel,
    *,
    most: int,
    lease_s: int,
    per_endpoint: int,
    rooms: Mapping[int, int] | None = None,
    per_second: int | None = None,
) -> Claimed:
    """Lease at most ``most`` deliveries that are due, in a transaction that is to end at once.

    Nobody else has them until ``lease_s`` from now. An endpoint gets ``per_endpoint`` at most, or
    what ``rooms`` says of it. With ``per_second`` each has an instant of its own over all
    processes, a few seconds ahead at most; where all of those are taken, ``again_s`` says when
    there will be one.
    """
    rooms = rooms or {}
    values = {
        "channel": channel.value,
        "lease_s": float(lease_s),
        "per_endpoint": Int4(per_endpoint),
        "endpoint_ids": int4s([*rooms.keys()]),
        "rooms": int4s([*rooms.values()]),
        "most_tries": Int4(MOST_TRIES),
        "note": given_up(MOST_TRIES),
        "late_s": float(LATE_S),
    }
    if per_second is None:
        return await _lease(connection, values, most)
    step = timedelta(seconds=1) / per_second
    [(next_at, now)] = await _all(connection, "lock_pace")
    free = (timedelta(seconds=AHEAD_S) - (next_at - now)) // step
    if free < 1:
        again = next_at - now + step - timedelta(seconds=AHEAD_S)
        return Claimed(again_s=again.total_seconds())
    claimed = await _lease(connection, values, min(most, free))
    if not claimed.claims:
        return claimed
    await _all(connection, "keep_pace", {"next_at": next_at + step * len(claimed.claims)})
    turns = tuple(
        structs.replace(one, wait_s=(next_at + step * place - now).total_seconds())
        for place, one in enumerate(claimed.claims)
    )
    return structs.replace(claimed, claims=turns)


async def finish(
    connection: Connection,
    delivery: Delivery,
    outcome: Outcome,
    verdict: Verdict,
    *,
    took_ms: int,
    ago_ms: int,
) -> GivenUp | None:
    """Write down what came of an attempt that began ``ago_ms`` ago; tell if that was the end of it.

    Of an attempt whose lease has run out, and whose delivery another has taken since, only the
    attempt is written down: the delivery is the other's to move. But ``sent`` wins: who has it in
    their hands need not be sent it again, unless it was replayed since.
    """
    values = {
        "delivery_id": Int8(delivery.delivery_id),
        "number": Int4(delivery.attempts),
        "took_ms": Int4(took_ms),
        "ago_ms": Int8(ago_ms),
        "status": None if outcome.status is None else Int4(outcome.status),
        "outcome": outcome.outcome,
        "detail": _plain(outcome.detail),
        "state": verdict.state.value,
        "note": _plain(verdict.note),
        "pause_ms": Int8(verdict.pause_ms),
    }
    rows = await _all(connection, "finish_delivery", values)
    if not rows or verdict.state is not DeliveryState.PARKED:
        return None
    return GivenUp(delivery.kind, _place(rows[0][1]), verdict.note)


async def give_back(connection: Connection, delivery: Delivery, wait_s: float = 0.0) -> None:
    """End a lease with which nothing was begun, as if it had not been taken."""
    values = {
        "delivery_id": Int8(delivery.delivery_id),
        "number": Int4(delivery.attempts),
        "wait_s": float(wait_s),
    }
    await _all(connection, "give_back", values)


async def park_waiting(connection: Connection, note: str) -> int:
    """Park all that waits; returns how much."""
    return await _count(connection, "park_waiting", {"note": note})


async def read_page(
    connection: Connection, wanted: WantedDeliveries, below: int, limit: int
) -> list[Delivery]:
    """Read deliveries with a number below ``below``, the newest first."""
    values = {
        "below": Int8(below),
        "limit": Int4(limit),
        "channel": None if wanted.channel is None else wanted.channel.value,
        "state": None if wanted.state is None else wanted.state.value,
        "kind": None if wanted.kind is None else wanted.kind.value,
        "endpoint_id": None if wanted.endpoint_id is None else Int4(wanted.endpoint_id),
        "holder_id": None if wanted.holder_id is None else Int8(wanted.holder_id),
    }
    name = "read_deliveries"
    if wanted.holder_id is not None:
        name = "read_deliveries_of_holder"
    elif wanted.endpoint_id is not None:
        name = "read_deliveries_of_endpoint"
    elif wanted.state is DeliveryState.PARKED:
        name = "read_deliveries_parked"
    return [_delivery(row) for row in await _all(connection, name, values)]


async def read_one(connection: Connection, delivery_id: int) -> Delivery | None:
    """Read one delivery."""
    rows = await _all(connection, "read_delivery", {"delivery_id": Int8(delivery_id)})
    return _delivery(rows[0]) if rows else None


async def read_attempts(connection: Connection, delivery_id: int) -> tuple[Attempt, ...]:
    """Read the attempts of a delivery, the first first."""
    rows = await _all(connection, "read_attempts", {"delivery_id": Int8(delivery_id)})
    names = Attempt.__struct_fields__
    return tuple(Attempt(**dict(zip(names, row, strict=True))) for row in rows)


async def read_queues(connection: Connection) -> tuple[Queue, ...]:
    """Read how the queue of each channel stands."""
    values = {"limit": Int4(COUNTED_TO), "failures": Int4(FAILURES)}
    names = Queue.__struct_fields__[1:]
    return tuple(
        Queue(channel=Channel(row[0]), **dict(zip(names, row[1:], strict=True)))
        for row in await _all(connection, "read_queues", values)
    )


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Remove at most ``limit`` that have ended and were made before; returns how many."""
    values = {"before": before, "limit": Int4(limit)}
    return await _count(connection, "forget_deliveries", values)


async def _lease(connection: Connection, values: dict[str, Any], most: int) -> Claimed:
    rows = await _all(connection, "claim_deliveries", values | {"most": Int4(most)})
    found = [(_delivery(row[3:]), row[1], row[2]) for row in rows if row[3] is not None]
    return Claimed(
        claims=tuple(
            Claim(delivery=one, wait_s=0, behind=_place(url) if late and one.endpoint_id else "")
            for one, url, late in found
            if one.state is DeliveryState.WAITING
        ),
        given_up=tuple(
            GivenUp(one.kind, _place(url), one.note)
            for one, url, _ in found
            if one.state is DeliveryState.PARKED
        ),
        dropped=rows[0][0],
    )


def _delivery(row: Sequence[Any]) -> Delivery:
    return Delivery(
        delivery_id=row[0],
        notice_id=NoticeId(row[1]),
        channel=Channel(row[2]),
        kind=Kind(row[3]),
        state=DeliveryState(row[4]),
        attempts=row[5],
        tries=row[6],
        happened_at=row[7],
        made_at=row[8],
        due_at=row[9],
        ended_at=row[10],
        holder_id=row[11],
        endpoint_id=row[12],
        dispatch_id=row[13],
        address=row[14],
        note=row[15],
        data=msgspec.json.decode(row[16]),
    )


def _place(url: str | None) -> str:
    """Name where a delivery goes: by the host alone, for the rest of an address may be secret."""
    return "email" if url is None else urlsplit(url).hostname or "webhook"


def _plain(text: str) -> str:
    """Make a text one that the database takes: what came of an attempt must not be lost over it."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:_LONGEST_DETAIL]


async def _count(connection: Connection, name: str, values: dict[str, Any]) -> int:
    number: int = (await _all(connection, name, values))[0][0]
    return number


async def _all(
    connection: Connection, name: str, values: dict[str, Any] | None = None
) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

"""From notices to deliveries: to whom each goes by e-mail, and to which machines (N2, N3, N5)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from bursar.holders.store_people import read_mailed
from bursar.notices.choosing import waits, wants
from bursar.notices.deriving import spelled
from bursar.notices.inbox.store import add_notices, lock_inboxes
from bursar.notices.making import store
from bursar.notices.model import NO_PREFERENCES, Channel, Kind, Notice, NoticeId, named
from bursar.notices.sending.model import NewDelivery
from bursar.notices.sending.store import RESTORED, add
from bursar.notices.store import State, read_preferences
from bursar.platform.database import Connection

BATCH: Final = 500
"""Notices in one delivery to a machine at most."""


class Outlets(NamedTuple):
    """Where anything can be sent at all: by mail, and to which endpoints with their kinds."""

    mail: bool
    endpoints: tuple[tuple[int, frozenset[str]], ...]

    @property
    def any(self) -> bool:
        """Tell whether there is anywhere to send to."""
        return self.mail or bool(self.endpoints)


async def read_outlets(connection: Connection, *, mail: bool) -> Outlets:
    """Read where things can be sent; ``mail`` is whether this process's settings know a server."""
    endpoints = await store.read_endpoints(connection)
    return Outlets(mail, tuple((number, frozenset(kinds)) for number, kinds in endpoints))


async def put(
    connection: Connection,
    state: State,
    outlets: Outlets,
    notices: Sequence[Notice],
    *,
    dispatch_id: int | None = None,
) -> int:
    """Put notices that no entry tells of into inboxes, and place what is to be sent of them."""
    if not notices:
        return 0
    holder_ids = sorted({notice.holder_id for notice in notices})
    await lock_inboxes(connection, holder_ids)
    wished = await read_preferences(connection, holder_ids)
    shown = [
        notice
        for notice in notices
        if wants(notice.kind, "inbox", state.settings, wished.get(notice.holder_id, NO_PREFERENCES))
    ]
    await add_notices(connection, shown)
    return await place(connection, state, outlets, [notices], dispatch_id=dispatch_id)


async def place(
    connection: Connection,
    state: State,
    outlets: Outlets,
    parts: Sequence[Sequence[Notice]],
    *,
    dispatch_id: int | None = None,
    run: str | None = None,
) -> int:
    """Put what is to be sent of these notices into the queue, in the caller's transaction.

    What is in one of the ``parts`` may go to a machine together. As a batch is named after what is
    in it, the same notice must never come in two parts that differ: it would be sent twice.
    Returns how many deliveries that were; of a part that was placed before there are none.
    """
    notices = [notice for part in parts for notice in part]
    if not notices or not outlets.any:
        return 0
    made = [one for part in parts for one in _to_machines(part, state, outlets, run)]
    if outlets.mail:
        made += await _to_people(connection, notices, state)
    if dispatch_id is not None:
        made = [msgspec.structs.replace(one, dispatch_id=dispatch_id) for one in made]
    return await add(connection, made)


async def _to_people(
    connection: Connection, notices: Sequence[Notice], state: State
) -> list[NewDelivery]:
    """Choose whom to write to: those who wish it and have an address; the night is let pass."""
    holder_ids = sorted({notice.holder_id for notice in notices})
    zones = await read_mailed(connection, holder_ids)
    wished = await read_preferences(connection, list(zones))
    made = []
    for notice in notices:
        if notice.holder_id not in zones:
            continue
        own = wished.get(notice.holder_id, NO_PREFERENCES)
        if not wants(notice.kind, "email", state.settings, own):
            continue
        # the hour is the economy's, the waiting the world's
        wait = waits(state.now, state.settings, own, zones[notice.holder_id])
        made.append(
            NewDelivery(
                notice_id=notice.notice_id,
                channel=Channel.EMAIL,
                kind=notice.kind,
                happened_at=notice.happened_at,
                data=notice.data,
                due_at=state.world_now + wait if wait else None,
                holder_id=notice.holder_id,
                parked_note=restored(notice, state),
            )
        )
    return made


def _to_machines(
    notices: Sequence[Notice], state: State, outlets: Outlets, run: str | None
) -> Iterator[NewDelivery]:
    """Make what each endpoint is sent: of each kind that it takes, up to `BATCH` together."""
    by_kind: dict[Kind, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_kind[notice.kind].append(notice)
    for kind, alike in by_kind.items():
        takers = [number for number, kinds in outlets.endpoints if not kinds or kind in kinds]
        for first in range(0, len(alike), BATCH) if takers else ():
            part = alike[first : first + BATCH]
            data = {"run": run, "notices": [_spelled(notice) for notice in part]}
            for endpoint_id in takers:
                yield NewDelivery(
                    notice_id=_name(part),
                    channel=Channel.WEBHOOK,
                    kind=kind,
                    happened_at=part[-1].happened_at,
                    data=data,
                    holder_id=part[0].holder_id if len(part) == 1 and part[0].holder_id else None,
                    endpoint_id=endpoint_id,
                    parked_note=restored(part[0], state),
                )


def _name(part: Sequence[Notice]) -> NoticeId:
    """Name a batch after what is in it; one notice keeps its own name."""
    if len(part) == 1:
        return part[0].notice_id
    return named(b"".join(notice.notice_id.bytes for notice in part))


def _spelled(notice: Notice) -> dict[str, Any]:
    return {
        "id": str(notice.notice_id),
        "holder_id": notice.holder_id or None,
        "happened_at": spelled(notice.happened_at),
        "data": notice.data,
    }


def restored(notice: Notice, state: State) -> str | None:
    """Say of what happened before a restore that it may have been sent (O3).

    Until the restore has been taken note of, that is everything.
    """
    if state.epoch != state.now_epoch:
        return RESTORED
    return RESTORED if state.epoch > 1 and notice.happened_at < state.sends_from else None

"""Warning holders some days before credit of theirs expires, once for each instant (N4).

Lots are gone through in the order of their expiry; whose whole life is shorter than the warning is
ahead is not warned of.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bursar.notices.deriving import notice, spelled
from bursar.notices.making import store
from bursar.notices.making.placing import Outlets, put
from bursar.notices.making.store import Expiring
from bursar.notices.model import Kind, Notice
from bursar.notices.store import State
from bursar.platform.database import Connection
from bursar.programs.store import read_programs

SLICE: Final = 2_000


async def warn(connection: Connection, state: State, outlets: Outlets) -> bool:
    """Warn some of those whose credit expires soon; True if there may be more."""
    ahead = timedelta(days=state.settings.expiring_days)
    since, after = await store.lock_warned(connection)
    since = max(since, state.now) if since is not None else state.now
    expiring = await store.read_expiring(connection, since, after, state.now + ahead, SLICE)
    if not expiring:
        return False
    sent = await _sent_by(connection, expiring)
    told = [
        one
        for one in expiring
        if Kind.EXPIRING_SOON in sent.get(one.origin or "", state.settings.send)
    ]
    await put(connection, state, outlets, _notices(told, ahead))
    last = expiring[-1]
    await store.set_warned(connection, last.expires_at, last.holder_id)
    return True


async def next_warning(connection: Connection, state: State) -> datetime | None:
    """Tell when the first is to be warned who need not be yet; None if nobody."""
    ahead = timedelta(days=state.settings.expiring_days)
    expires_at = await store.next_expiring(connection, state.now + ahead)
    return None if expires_at is None else expires_at - ahead


async def _sent_by(
    connection: Connection, expiring: Sequence[Expiring]
) -> dict[str, tuple[str, ...]]:
    """Find which kinds the programs of these lots send, those that are retired too."""
    found = await read_programs(connection)
    origins = {one.origin for one in expiring if one.origin}
    for retired in sorted(origins - {p.program.name for p in found}):
        found += await read_programs(connection, retired)
    return {p.program.name: p.program.terms.notices for p in found}


def _notices(expiring: Sequence[Expiring], ahead: timedelta) -> list[Notice]:
    """Add up what expires of one asset at one instant, whatever its origin."""
    amounts: dict[tuple[int, int, str, datetime], int] = {}
    for one in expiring:
        key = (one.holder_id, one.asset_id, one.asset, one.expires_at)
        amounts[key] = amounts.get(key, 0) + one.amount
    return [
        notice(
            holder_id,
            Kind.EXPIRING_SOON,
            f"{Kind.EXPIRING_SOON}:{asset_id}:{spelled(expires_at)}",
            expires_at - ahead,
            {"asset": asset, "amount": amount, "expires_at": spelled(expires_at)},
        )
        for (holder_id, asset_id, asset, expires_at), amount in amounts.items()
        if amount > 0
    ]

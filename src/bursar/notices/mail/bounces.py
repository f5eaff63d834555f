"""Addresses that mail servers say are nobody's: nothing is sent there until somebody clears it.

What is kept is a hash: whoever may read the table learns of no address, and after an erasure
nothing leads from it to the person (H4). Only addresses of holders are blocked.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from bursar.holders import Holders
from bursar.ledger import Ledger
from bursar.notices.mail import store
from bursar.notices.mail.model import Bounce
from bursar.platform.database import Connection
from bursar.platform.errors import Invalid, Missing
from bursar.platform.pages import Page, check_limit
from bursar.platform.voice import check_voice
from bursar.trail import record

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CURSOR: Final = re.compile(r"[0-9]{1,17}-[0-9a-f]{64}")


class Bounces:
    """The blocked addresses of a database."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database
        self._holders = Holders(ledger)

    async def look(self, address: str) -> tuple[bool, datetime]:
        """Say whether an address is blocked, and what time it is in the world."""
        async with self._database.connection() as connection:
            return await store.look(connection, address)

    async def keep(self, address: str, *, holder_id: int, status: int, detail: str) -> None:
        """Block an address, for what a server said of it."""
        async with self._database.connection() as connection:
            await store.keep(connection, address, holder_id, status, detail)

    async def list(
        self, *, holder: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Bounce]:
        """List what is blocked, the newest first; of one holder, by external id, if one is named.

        Raises `Missing` ``holder_unknown``.
        """
        check_limit(limit)
        before = None if cursor is None else _place_of(cursor)
        holder_id = None if holder is None else (await self._holders.get(holder)).holder_id
        async with self._database.connection() as connection:
            found = await store.read_bounces(connection, holder_id, before, limit + 1)
        following = _cursor_of(found[limit - 1]) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)

    async def forget_erased(self) -> int:
        """Forget what was blocked for people who have been erased (H4); how much that was."""
        async with self._database.connection() as connection:
            return await store.forget_erased(connection)

    async def clear(self, *, holder: str, actor: str, reason: str) -> int:
        """Let letters go to a holder again; how many addresses were blocked.

        What was blocked under addresses of before is cleared as well. Raises `Missing`
        ``holder_unknown``, or ``bounce_unknown`` if nothing was blocked.
        """
        check_voice(actor, reason)
        person = await self._holders.get(holder)

        async def once(connection: Connection) -> int:
            statuses = await store.clear(connection, person.holder_id, person.email or "")
            if not statuses:
                raise Missing("bounce_unknown", f"nothing is blocked for {holder!r}", holder=holder)
            await record(
                connection,
                actor=actor,
                act="bounce.clear",
                subject=f"holder_{person.holder_id}",
                reason=reason,
                before={"addresses": len(statuses), "statuses": sorted(statuses)},
                after={"addresses": 0},
            )
            return len(statuses)

        return await self._database.retrying(once)


def _cursor_of(bounce: Bounce) -> str:
    return f"{(bounce.bounced_at - _EPOCH) // _MICROSECOND}-{bounce.address_hash}"


def _place_of(cursor: str) -> tuple[datetime, bytes]:
    if not isinstance(cursor, str) or _CURSOR.fullmatch(cursor) is None:
        raise Invalid("cursor", "the cursor is not one that a page gave", cursor=str(cursor)[:80])
    micros, _, digest = cursor.partition("-")
    return _EPOCH + int(micros) * _MICROSECOND, bytes.fromhex(digest)

"""Writing acts down where they happen, and reading them (I2)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from bursar.platform.database import Connection, Database
from bursar.platform.errors import Invalid
from bursar.platform.pages import Page, check_limit, place_of
from bursar.platform.voice import check_voice
from bursar.trail import store
from bursar.trail.model import Act, Wanted

_NEWEST: Final = 2**63 - 1


async def record(
    connection: Connection,
    *,
    actor: str,
    act: str,
    subject: str,
    reason: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write an act down in the transaction that does it: both are there, or neither (I2).

    ``act`` is ``thing.verb``; see `Act` for the rest. Raises `Invalid` ``posting_voice``.
    """
    check_voice(actor, reason)
    await store.add_act(
        connection,
        actor=actor,
        act=act,
        subject=subject,
        reason=reason,
        before=_text(before),
        after=_text(after),
    )


class Trail:
    """The audit trail of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acts(
        self, wanted: Wanted | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Act]:
        """List acts, the newest first, 1 to 1,000 a page."""
        check_limit(limit)
        below = _NEWEST if cursor is None else place_of(cursor)
        asked = wanted or Wanted()
        for text in (asked.actor, asked.act, asked.subject):
            if text is not None and not text.isprintable():
                raise Invalid("act_filter", "an actor, act or subject is printable text")
        async with self._database.connection() as connection:
            found = await store.read_acts(connection, asked, below, limit + 1)
        following = str(found[limit - 1].act_id) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)


def _text(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else msgspec.json.encode(values, order="sorted").decode()

"""The inbox of every holder, made of the books when it is read (N1, N5).

Nothing is written while credit moves: a run over a million holders leaves their inboxes alone.
Whoever looks is first brought up to date: the entries of the holder's wallets since the last look
become notices, in one transaction that also notes how far it has come, under a lock of the
holder's. So each fact is in the inbox once, and from the first look after its commit.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from bursar.ledger import Ledger, Page
from bursar.ledger.model import WalletKey
from bursar.ledger.reading.news import read_news
from bursar.ledger.reading.wallets import find_holder, last_seq_at
from bursar.notices.choosing import wants
from bursar.notices.deriving import TOLD, Source, refresh_failed, source_of, told
from bursar.notices.inbox import store
from bursar.notices.model import NO_PREFERENCES, InboxNotice, Kind, Notice, NoticeId
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.store import State, read_preferences, read_state
from bursar.platform.database import Connection
from bursar.platform.errors import Missing
from bursar.platform.pages import check_limit, place_of

MOST_UNREAD: Final = 1_000
"""Nobody counts further: an app shows 999+."""

_SLICE: Final = 2_000
_NEWEST: Final = 2**63 - 1
_LAST: Final = (datetime.max.replace(tzinfo=UTC), _NEWEST)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = (_LAST[0] - _EPOCH) // _MICROSECOND


class Inboxes:
    """The inboxes of one ledger's holders."""

    def __init__(self, ledger: Ledger, kinds: ProgramKinds) -> None:
        self._database = ledger.database
        self._kinds = kinds

    async def page(
        self, holder: str, *, unread: bool = False, limit: int = 50, cursor: str | None = None
    ) -> Page[InboxNotice]:
        """List a holder's notices, what happened last first, 1 to 1,000 a page; raises `Missing`.

        Which came into the inbox last, its ``number`` says.
        """
        check_limit(limit)
        before = _LAST if cursor is None else _read_cursor(cursor)
        number = await self._look(holder)
        async with self._database.connection() as connection:
            found = await store.read_page(
                connection, number, before=before, unread=unread, limit=limit + 1
            )
        following = _cursor_of(found[limit - 1]) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)

    async def newest(self, holder_id: int) -> int:
        """Bring an inbox up to date; tell the number of what came into it last, 0 if nothing."""
        await self.bring_up_to_date(holder_id)
        async with self._database.connection() as connection:
            return await store.newest(connection, holder_id)

    async def unread(self, holder: str) -> int:
        """Count what a holder has not read, up to `MOST_UNREAD`: the status icon's number."""
        number = await self._look(holder)
        return await self.unread_of(number)

    async def read(self, holder: str, notice_id: str) -> InboxNotice:
        """Note that a notice was read, and show it; raises `Missing` ``notice_unknown``."""
        number, wanted = await self._look(holder), _id(notice_id)
        async with self._database.transaction() as connection:
            if await store.mark_read(connection, number, wanted):
                found = await store.read_one(connection, number, wanted)
                if found is not None:
                    return found
        raise _unknown(notice_id)

    async def read_all(self, holder: str, up_to: int | None = None) -> int:
        """Note that all was read, or what was shown up to a place; how many were not before."""
        number = await self._look(holder)
        async with self._database.connection() as connection:
            return await store.mark_all_read(
                connection, number, _NEWEST if up_to is None else up_to
            )

    async def dismiss(self, holder: str, notice_id: str) -> None:
        """Put a notice away for good; raises `Missing` ``notice_unknown``."""
        number, wanted = await self._look(holder), _id(notice_id)
        async with self._database.connection() as connection:
            if not await store.dismiss(connection, number, wanted):
                raise _unknown(notice_id)

    async def number_of(self, holder: str) -> int:
        """Find a holder's number; raises `Missing` ``holder_unknown``."""
        async with self._database.connection() as connection:
            return await find_holder(connection, holder)

    async def tips(self, holder_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Tell of many holders, in one look, what changes whenever there may be news for one."""
        async with self._database.connection() as connection:
            return await store.read_tips(connection, holder_ids, MOST_UNREAD)

    async def since(self, holder_id: int, number: int, *, limit: int = 100) -> list[InboxNotice]:
        """List what came after a place, the oldest first, of an inbox that is brought up to date.

        ``number`` is the place of the last that is known; at most ``limit``.
        """
        await self.bring_up_to_date(holder_id)
        async with self._database.connection() as connection:
            return await store.read_since(connection, holder_id, number, limit)

    async def unread_of(self, holder_id: int) -> int:
        """Count what has not been read, of an inbox that was brought up to date."""
        async with self._database.connection() as connection:
            return await store.count_unread(connection, holder_id, MOST_UNREAD)

    async def bring_up_to_date(self, holder_id: int) -> None:
        """Make notices of what the books say since the last look; nothing is written if nothing."""
        async with self._database.connection() as connection:
            behind = await store.find_behind(connection, holder_id)
            there, known = await store.mark_exclusions(connection, holder_id)
        if not behind and there == known:
            return

        async def once(connection: Connection) -> bool:
            return await self._catch_up(connection, holder_id)

        while await self._database.retrying(once):
            pass

    async def forget(self, *, limit: int = 5_000) -> int:
        """Forget what is older than the economy keeps, at most ``limit``; how many that were."""
        async with self._database.transaction() as connection:
            state = await read_state(connection)
            before = state.now - timedelta(days=state.settings.keep_days)
            return await store.forget(connection, before, limit)

    async def _look(self, holder: str) -> int:
        number = await self.number_of(holder)
        await self.bring_up_to_date(number)
        return number

    async def _catch_up(self, connection: Connection, holder_id: int) -> bool:
        """Make notices of some thousand entries of each wallet; True if there may be more.

        In slices: the wallet of a shop may have moved a million times since the last look.
        """
        await store.lock_inboxes(connection, [holder_id])
        state = await read_state(connection)
        behind = await store.find_behind(connection, holder_id)
        there, known = await store.mark_exclusions(connection, holder_id)
        seqs = {wallet.asset_id: wallet.seq for wallet in behind}
        notices: list[Notice] = []
        if state.started_at is not None:
            since = _begins(state, state.started_at)
            for wallet in behind:
                made, seqs[wallet.asset_id] = await self._news(
                    connection, holder_id, wallet, state, since
                )
                notices += made
            if there != known:
                notices += await self._left_out(connection, holder_id, since)
        wished = (await read_preferences(connection, [holder_id])).get(holder_id, NO_PREFERENCES)
        notices.sort(key=lambda notice: notice.happened_at)
        wanted = [n for n in notices if wants(n.kind, "inbox", state.settings, wished)]
        await store.add_notices(connection, wanted)
        await store.move_cursors(connection, holder_id, seqs)
        await store.set_exclusions(connection, holder_id, there)
        return any(seqs[wallet.asset_id] < wallet.seq for wallet in behind)

    async def _news(
        self,
        connection: Connection,
        holder_id: int,
        wallet: store.Behind,
        state: State,
        since: datetime,
    ) -> tuple[list[Notice], int]:
        """Make notices of a wallet's entries since the last look, or since the inbox begins.

        Returns them and up to which entry they go.
        """
        key = WalletKey(holder_id, wallet.asset_id)
        after = max(wallet.made or 0, await last_seq_at(connection, key, since - _MICROSECOND))
        below = None
        if Kind.LOW_BALANCE in state.settings.send:
            below = state.settings.below.get(wallet.asset)
        entries = await read_news(
            connection, key, after, wallet.seq, kinds=TOLD, below=below, limit=_SLICE
        )
        await self._kinds.load(connection, map(source_of, entries))
        notices = [
            notice
            for entry in entries
            for notice in told(entry, wallet.asset, state.settings, self._kinds)
        ]
        return notices, wallet.seq if len(entries) < _SLICE else entries[-1].seq

    async def _left_out(
        self, connection: Connection, holder_id: int, since: datetime
    ) -> list[Notice]:
        """Make notices of the periods that programs have not given to the holder (P2)."""
        excluded = await store.read_exclusions(connection, holder_id, since)
        await self._kinds.load(connection, (Source(x.program, x.version) for x in excluded))
        return [
            refresh_failed(holder_id, x.program, x.period, asset=x.asset, reason=x.reason, at=x.at)
            for x in excluded
            if Kind.REFRESH_FAILED in self._kinds(Source(x.program, x.version))
        ]


def _begins(state: State, started_at: datetime) -> datetime:
    """Say from when facts are told: since notices began, and no longer than they are kept."""
    return max(started_at, state.now - timedelta(days=state.settings.keep_days))


def _cursor_of(shown: InboxNotice) -> str:
    return f"{(shown.happened_at - _EPOCH) // _MICROSECOND}-{shown.number}"


def _read_cursor(cursor: str) -> tuple[datetime, int]:
    """Read a cursor that a page gave; raises `Invalid` ``cursor``."""
    happened, _, number = cursor.partition("-")
    return _EPOCH + place_of(happened, _LATEST) * _MICROSECOND, place_of(number)


def _id(text: str) -> NoticeId:
    try:
        return NoticeId(UUID(text))
    except ValueError:
        raise _unknown(text) from None


def _unknown(notice_id: str) -> Missing:
    return Missing("notice_unknown", "there is no such notice in this inbox", notice=notice_id[:80])

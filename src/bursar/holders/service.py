"""The directory: everything that may be asked of it, one method each (H1–H4)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import msgspec

from bursar.holders import store, upserting
from bursar.holders.decide import past_of, rounds_of
from bursar.holders.examine import examine, instant
from bursar.holders.examine import external_id as id_problem
from bursar.holders.importing.import_plan import ImportPlan
from bursar.holders.importing.run import Import, Report, Sinks
from bursar.holders.model import (
    DEFAULT_STATUS,
    ERASED_STATUS,
    MAX_CHANGES,
    TOMBSTONE,
    Holder,
    HolderChange,
    Login,
    NameKind,
    Past,
    Seen,
    Unique,
    Upserted,
    Wanted,
    folded,
)
from bursar.ledger import MAX_AMOUNT, Ledger
from bursar.platform.arrays import texts
from bursar.platform.collector import paused_collector
from bursar.platform.database import Connection
from bursar.platform.errors import Invalid, Missing, Rejected
from bursar.platform.pages import Page, check_limit, place_of
from bursar.platform.voice import check_voice
from bursar.trail import record

_STRETCH: Final = 10_000
_NAMED: Final = 5
_MOST_HISTORY: Final = 2**31 - 1


class Holders:
    """The directory beside a ledger, on the ledger's database."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._database = ledger.database

    async def upsert(
        self,
        changes: Sequence[HolderChange],
        *,
        actor: str,
        reason: str,
        tx: Connection | None = None,
    ) -> list[Upserted]:
        """Enrol or change 1 to 10,000 holders in one transaction; answers in their order (H2).

        What is malformed or breaks a rule is refused for itself. Several changes of one holder
        are applied in order. With ``tx`` all belongs to the caller's transaction. Raises
        `Invalid` for the batch as a whole, `Unavailable`.
        """
        check_batch(len(changes))
        check_voice(actor, reason)
        changes = list(changes)
        if set(map(type, changes)) != {HolderChange}:
            raise Invalid("holder_change", "a batch is of changes of holders and nothing else")
        with paused_collector():
            refusals = [examine(change, zones()) for change in changes]

        async def once(connection: Connection) -> list[Upserted]:
            return await upserting.apply(connection, changes, refusals, (actor, reason))

        return await (once(tx) if tx is not None else self._database.retrying(once))

    async def change(
        self,
        change: HolderChange,
        *,
        expect: str | None = None,
        new: bool = False,
        actor: str,
        reason: str,
    ) -> tuple[Upserted, Holder]:
        """Enrol or change one holder; what became of it, and the holder as it then is (H2).

        With ``expect``, a `version_of` or ``*`` for any, only who is there and is still that;
        with ``new`` only who is not there; else `Conflict` ``precondition_failed``. Raises
        `Invalid` or `Rejected` ``holder_refused``.
        """
        check_voice(actor, reason)
        refusal = examine(change, zones())

        async def once(connection: Connection) -> tuple[Upserted, Holder]:
            return await upserting.apply_one(
                connection, change, refusal, (actor, reason), expect=expect, new=new
            )

        return await self._database.retrying(once)

    async def import_file(
        self,
        path: str | Path,
        plan: ImportPlan,
        *,
        actor: str,
        reason: str,
        dry_run: bool = False,
        sinks: Sinks | None = None,
    ) -> Report:
        """Import holders, and opening balances, from CSV or JSON Lines (H2, H3).

        One transaction: all good rows, or nothing. Bad ones go to ``sinks.reject``. The same file
        again changes nothing and posts nothing. A dry run does the same and takes it all back.
        Until the end those who are changed cannot be changed by others. Raises `Invalid` for the
        plan or the file as a whole, `Missing` for an asset, `Rejected` ``import_rejected`` where
        the plan is strict, `Unavailable`.
        """
        check_voice(actor, reason)
        run = Import(self.ledger, plan, (actor, reason), sinks or Sinks())
        return await run.run(Path(path), zones(), dry_run=dry_run)

    async def get(self, external_id: str | None = None, *, holder_id: int | None = None) -> Holder:
        """Show one holder; raises `Missing` ``holder_unknown``, also for who only has a wallet."""
        name, number = named(external_id, holder_id)
        async with self._database.connection() as connection:
            found = await store.find(connection, name, number)
        if found is None:
            raise unknown(external_id, holder_id)
        return found

    async def numbers(self, external_ids: Sequence[str]) -> Sequence[int]:
        """Find the numbers of people in the directory, in order; raises `Missing` naming others."""
        async with self._database.connection() as connection:
            found = await store.resolve(connection, texts(external_ids))
        strangers = [i for i in external_ids if i not in found or not found[i].listed]
        if strangers:
            raise Missing(
                "holder_unknown",
                f"{len(strangers)} are not in the directory, {strangers[0][:80]!r} for one",
                holders=[one[:80] for one in strangers[:_NAMED]],
            )
        return [found[one].holder_id for one in external_ids]

    async def list(
        self, wanted: Wanted | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Holder]:
        """List holders in the order of their numbers, 1 to 1,000 a page."""
        check_limit(limit)
        for field in (wanted.status, wanted.tier) if wanted is not None else ():
            if field is not None and not (isinstance(field, str) and field.isprintable()):
                raise Invalid("holder_filter", "a status or tier to look for is printable text")
        after = 0 if cursor is None else place_of(cursor)
        async with self._database.connection() as connection:
            found = await store.list_holders(connection, wanted or Wanted(), after, limit + 1)
        following = str(found[limit - 1].holder_id) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)

    async def history(
        self,
        external_id: str | None = None,
        *,
        holder_id: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Past]:
        """List what was in force of a holder before, the newest first (H1)."""
        check_limit(limit)
        before = _MOST_HISTORY if cursor is None else place_of(cursor, _MOST_HISTORY)
        name, number = named(external_id, holder_id)
        async with self._database.snapshot() as connection:
            holder = await store.find(connection, name, number)
            if holder is None:
                raise unknown(external_id, holder_id)
            found = await store.read_history(connection, holder.holder_id, before, limit + 1)
        following = str(found[limit - 1].number) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)

    async def seen(
        self, logins: Collection[str] | Mapping[str, datetime], *, at: datetime | None = None
    ) -> Seen:
        """Note logins of 1 to 10,000 holders, now or at their instants, late ones too.

        Who is not in the directory is named in the answer. Raises `Invalid` for an instant in
        the future.
        """
        if isinstance(logins, Mapping):
            return await self.note([Login(key, when) for key, when in logins.items()])
        return await self.note(
            [Login(key, at) for key in ([] if isinstance(logins, str) else logins)]
        )

    async def note(self, logins: Sequence[Login]) -> Seen:
        """Note 1 to 10,000 logins, several of one holder too; as `seen` otherwise."""
        check_batch(len(logins))
        if any(id_problem(login.external_id) is not None for login in logins):
            raise Invalid("external_id", "an external id is 1 to 200 printable characters")
        for wrong in (instant(login.at) for login in logins if login.at is not None):
            if wrong is not None:
                raise Invalid("instant", f"a login {wrong}")

        async def once(connection: Connection) -> Seen:
            now, _ = await store.read_directory(connection)
            if any(login.at is not None and login.at > now for login in logins):
                raise Invalid("instant", "a login lies in the future", now=now.isoformat())
            ids = list({login.external_id: None for login in logins})
            found = await store.resolve(connection, texts(ids))
            listed = {key: number.holder_id for key, number in found.items() if number.listed}
            for days in rounds_of(logins, listed, now):
                await store.note_logins(connection, days)
            return Seen(len(listed), tuple(key for key in ids if key not in listed))

        return await self._database.retrying(once)

    async def unique(
        self,
        *,
        username: bool | None = None,
        email: bool | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> Unique:
        """Say, or only tell, which names one holder alone may have; case does not count (H1).

        Turning a switch on waits until nobody changes holders, and nobody does until it is
        done. To say it takes an actor and a reason (I2). Raises `Rejected` ``names_not_unique``
        with a few names that several have.
        """
        asked = username is not None or email is not None
        if asked:
            check_voice(actor or "", reason or "")

        async def once(connection: Connection) -> Unique:
            read = store.lock_directory if asked else store.read_directory
            _, now = await read(connection)
            new = Unique(
                now.username if username is None else username,
                now.email if email is None else email,
            )
            kinds: tuple[NameKind, NameKind] = ("username", "email")
            for kind in kinds:
                if getattr(new, kind) != getattr(now, kind):
                    await store.clear_names(connection, kind)
                    if getattr(new, kind):
                        await _gather_names(connection, kind)
            if new != now:
                await store.set_directory(connection, new)
                await record(
                    connection,
                    actor=actor or "",
                    act="directory.unique",
                    subject="directory",
                    reason=reason or "",
                    before=msgspec.structs.asdict(now),
                    after=msgspec.structs.asdict(new),
                )
            return new

        return await self._database.retrying(once)

    async def erase(
        self,
        external_id: str | None = None,
        *,
        holder_id: int | None = None,
        with_credit: bool = False,
        actor: str,
        reason: str,
    ) -> Holder:
        """Remove what is personal of a holder; the books stay as they are (H4).

        The app's own id gives way to a tombstone, under which the wallets can still be reached;
        the status becomes `canceled`. Who is erased already, named by number or tombstone, is
        answered as is. Raises `Missing`, and `Rejected` ``holder_has_credit`` unless
        ``with_credit``. Actor and reason stay: they should name nobody.
        """
        check_voice(actor, reason)
        name, number = named(external_id, holder_id)

        async def once(connection: Connection) -> Holder:
            await store.begin_change(connection)
            found = await store.lock_id(connection, name, number)
            if found is None:
                raise unknown(external_id, holder_id)
            return await _erase(connection, *found, (actor, reason), with_credit=with_credit)

        return await self._database.retrying(once)


@cache
def zones() -> frozenset[str]:
    """Name the time zones that this machine knows."""
    return frozenset(available_timezones())


def check_batch(size: int) -> None:
    """Refuse a batch that is empty or too large."""
    if not 0 < size <= MAX_CHANGES:
        raise Invalid("batch_size", f"a batch has 1 to {MAX_CHANGES} items, not {size}", size=size)


def named(external_id: str | None, holder_id: int | None) -> tuple[str | None, int | None]:
    """Make sure that exactly one names the holder; what nobody can bear becomes nobody's."""
    if (external_id is None) == (holder_id is None):
        raise Invalid("holder_name", "external_id or holder_id: exactly one names the holder")
    if external_id is not None:
        printable = isinstance(external_id, str) and external_id.isprintable()
        return (external_id if printable else ""), None
    whole = type(holder_id) is int and 0 < holder_id <= MAX_AMOUNT
    return None, holder_id if whole else 0


def unknown(external_id: str | None, holder_id: int | None) -> Missing:
    """Say that there is no such holder."""
    told = repr(external_id)[:220] if external_id is not None else str(holder_id)[:40]
    return Missing("holder_unknown", f"there is no holder {told}", holder=told)


async def _gather_names(connection: Connection, kind: NameKind) -> None:
    """Give every name of a kind to its only owner; raises `Rejected` if one has several."""
    after = 0
    doubles: list[str] = []
    while stretch := await store.read_names(connection, kind, after, _STRETCH):
        after = stretch[-1][0]
        given = [((kind, folded(name)), i) for i, name in stretch if name is not None]
        if not given:
            continue
        owners = await store.add_names(connection, given)
        doubles += [name for (_, name), i in given if i not in owners]
    if doubles:
        shown = sorted(set(doubles))[:_NAMED]
        raise Rejected(
            "names_not_unique",
            f"several holders have the same {kind}: {', '.join(shown)}",
            kind=kind,
            names=shown,
            holders=len(doubles),
        )


async def _erase(
    connection: Connection,
    holder_id: int,
    external_id: str,
    voice: tuple[str, str],
    *,
    with_credit: bool,
) -> Holder:
    """Erase a holder whose id is locked; one without a row gets an empty one first."""
    known = await store.lock_holders(connection, [holder_id])
    now, _ = await store.read_directory(connection)
    if not known:
        packed = store.pack_new([_nobody(external_id, now)])
        await store.insert_holders(connection, packed, [holder_id], now)
        known = await store.lock_holders(connection, [holder_id])
    before = known[external_id]
    if before.erased_at is not None:
        return before
    credit = await store.credit_of(connection, holder_id)
    if credit and not with_credit:
        raise Rejected(
            "holder_has_credit",
            "the holder still has credit: take it back first, or say that it may stay",
            wallets=[{"asset": a, "balance": b, "held": held} for a, b, held in credit],
        )
    freed = [(name, holder_id) for name in upserting.names_held(before)]
    await store.move_names(connection, freed, [])
    past = past_of(before, max(now, before.matters_since), now, voice)
    await store.insert_past(connection, [(holder_id, past)], voice)
    await store.erase(connection, holder_id, f"{TOMBSTONE}{holder_id}", ERASED_STATUS, now)
    actor, reason = voice
    await record(
        connection,
        actor=actor,
        act="holder.erase",
        subject=f"holder_{holder_id}",
        reason=reason,
        after={"wallets_with_credit": len(credit)},
    )
    erased = await store.find(connection, None, holder_id)
    if erased is None:
        raise unknown(None, holder_id)
    return erased


def _nobody(external_id: str, now: datetime) -> Holder:
    """Describe who only had a wallet."""
    return Holder(
        0, external_id, None, None, None, None, now, DEFAULT_STATUS, "", False, None, None, None,
        "{}", now, 0,
    )  # fmt: skip

"""The directory: everything that may be asked of it, one method each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, get_args
from zoneinfo import available_timezones

import msgspec
from psycopg import errors

from bursar.holders import store
from bursar.holders.decide import Decided, decide, past_of
from bursar.holders.examine import examine
from bursar.holders.examine import instant as wrong_instant
from bursar.holders.model import (
    ERASED_STATUS,
    MAX_CHANGES,
    TOMBSTONE,
    Holder,
    HolderChange,
    NameKind,
    Past,
    Seen,
    Unique,
    Upserted,
    Wanted,
    folded,
)
from bursar.holders.store_people import read_past
from bursar.ledger import Ledger
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected

_PAGE: Final = 1_000
_NAMED: Final = 5
_UTC: Final = "UTC"


class Holders:
    """The directory of one ledger's holders."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._zones = available_timezones()

    async def upsert(
        self,
        changes: Sequence[HolderChange],
        *,
        actor: str,
        reason: str,
        tx: Connection | None = None,
    ) -> list[Upserted]:
        """Enrol or change up to 10,000 holders in one transaction; answers in their order (H2).

        A change that is refused does not keep the others from being made.
        """
        if not 0 < len(changes) <= MAX_CHANGES:
            raise Invalid(
                "holders_batch", f"a batch has 1 to {MAX_CHANGES} changes", size=len(changes)
            )
        if tx is not None:
            return await self._upsert(tx, changes, (actor, reason))

        async def once(connection: Connection) -> list[Upserted]:
            return await self._upsert(connection, changes, (actor, reason))

        for _ in range(_NAMED):
            try:
                return await self._database.retrying(once)
            except errors.UniqueViolation:  # somebody took a name meanwhile: now it is known
                continue
        raise Conflict("holder_names_moved", "others keep taking the same names: try again")

    async def get(self, external_id: str) -> Holder:
        """Show a holder; raises `Missing` ``holder_unknown``."""
        async with self._database.connection() as connection:
            found = await store.read_holder(connection, external_id)
        if found is None:
            raise _unknown(external_id)
        return found

    async def numbers(self, external_ids: Sequence[str]) -> list[int]:
        """Find the numbers of holders, in order; raises `Missing` naming those not there."""
        async with self._database.connection() as connection:
            found = await store.find_numbers(connection, external_ids)
        missing = [one for one in external_ids if one not in found]
        if missing:
            raise Missing(
                "holder_unknown",
                f"{len(missing)} holders are not in the directory, {missing[0]!r} for one",
                holders=missing[:_NAMED],
            )
        return [found[one] for one in external_ids]

    async def list_holders(
        self, wanted: Wanted | None = None, *, after: int = 0, limit: int = 100
    ) -> list[Holder]:
        """List holders in the order they came; ``after`` is the number where a page ended."""
        if type(limit) is not int or not 0 < limit <= _PAGE:
            raise Invalid("page_limit", f"a page has 1 to {_PAGE} items", limit=limit)
        async with self._database.connection() as connection:
            return await store.read_holders(
                connection, wanted or Wanted(), after=after, limit=limit
            )

    async def history(self, external_id: str) -> list[Past]:
        """List what was in force for a holder before, the oldest first (H1)."""
        holder = await self.get(external_id)
        async with self._database.connection() as connection:
            return (await read_past(connection, [holder.holder_id])).get(holder.holder_id, [])

    async def seen(
        self, logins: Mapping[str, datetime], *, zone: str = _UTC, tx: Connection | None = None
    ) -> Seen:
        """Note when holders logged in (P22); days are counted in the zone.

        Of the last 63 days each is known. A login later than the economy's clock is `Invalid`;
        whoever is not in the directory is told.
        """
        for external_id, at in logins.items():
            if (wrong := wrong_instant(at)) is not None:
                raise Invalid("login_invalid", f"a login {wrong}", holder=external_id)
        if zone not in self._zones:
            raise Invalid("login_invalid", f"there is no time zone {zone[:40]!r}")
        if tx is not None:
            return await _note(tx, logins, zone)
        async with self._database.transaction() as connection:
            return await _note(connection, logins, zone)

    async def erase(
        self, external_id: str, *, actor: str, reason: str, despite_holds: bool = False
    ) -> str:
        """Erase what is personal of a holder; the books stay as they are (H4).

        The id gives way to a tombstone, which is returned, and may be enrolled anew as another
        holder. Refused while credit is held, unless ``despite_holds``. Erasing what is erased is
        no error.
        """
        holder = await self.get(external_id)
        tombstone = f"{TOMBSTONE}{holder.holder_id}"
        if holder.erased_at is not None:
            return external_id
        if not despite_holds:
            await self._no_holds(holder)
        async with self._database.transaction() as connection:
            known, _ = await store.lock_known(connection, [external_id])
            current = known.get(external_id)
            if current is None:
                raise _unknown(external_id)
            now = max(await store.read_now(connection), current.matters_since)
            past = past_of(current, now, now, (actor, reason))
            await store.add_past(connection, [(current.holder_id, past)], now, (actor, reason))
            await store.erase(connection, current.holder_id, tombstone, ERASED_STATUS, now)
        return tombstone

    async def unique(self) -> Unique:
        """Tell which names only one holder may have (H1)."""
        async with self._database.transaction() as connection:
            return await store.read_unique(connection)

    async def set_unique(self, wanted: Unique) -> None:
        """Switch which names only one holder may have; refused while two share one (H1)."""
        async with self._database.transaction() as connection:
            before = await store.lock_directory(connection)
            for kind in get_args(NameKind):
                on, was = getattr(wanted, kind), getattr(before, kind)
                if on and not was:
                    await _take_all(connection, kind)
                elif was and not on:
                    await store.clear_names(connection, kind)
            await store.set_unique(connection, wanted)

    async def _upsert(
        self, connection: Connection, changes: Sequence[HolderChange], voice: tuple[str, str]
    ) -> list[Upserted]:
        refusals = [examine(change, self._zones) for change in changes]
        ids = sorted(
            {c.external_id for c, refusal in zip(changes, refusals, strict=True) if not refusal}
        )
        unique = await store.read_unique(connection)
        kinds: list[NameKind] = [k for k in get_args(NameKind) if getattr(unique, k)]
        await store.enrol(connection, ids)
        known, numbers = await store.lock_known(connection, ids)
        now = await store.read_now(connection)
        owners = await store.read_owners(connection, _names_brought(changes, refusals, kinds))
        decided = decide(changes, refusals, known, owners, kinds, now, voice)
        await _write(connection, decided, numbers, now, voice)
        return [
            Upserted(change.external_id, outcome, numbers.get(change.external_id), refusal)
            if refusal is None
            else Upserted(str(getattr(change, "external_id", "")), outcome, None, refusal)
            for change, (outcome, refusal) in zip(changes, decided.answers, strict=True)
        ]

    async def _no_holds(self, holder: Holder) -> None:
        for asset in await self._ledger.assets():
            try:
                wallet = await self._ledger.wallet(holder_id=holder.holder_id, asset=asset.code)
            except Missing:
                continue
            if wallet.held:
                raise Rejected(
                    "holder_holds",
                    f"{wallet.held} {asset.code} are held: capture or release them first",
                    held=wallet.held,
                    asset=asset.code,
                )


async def _note(connection: Connection, logins: Mapping[str, datetime], zone: str) -> Seen:
    if not logins:
        return Seen(0, ())
    now = await store.read_now(connection)
    late = [external_id for external_id, at in logins.items() if at > now]
    if late:
        raise Invalid("login_invalid", "a login lies in the future", holder=late[0])
    numbers = await store.find_numbers(connection, list(logins))
    known = sorted((number, logins[external_id]) for external_id, number in numbers.items())
    if known:
        await store.note_logins(connection, known, zone)
    return Seen(len(known), tuple(one for one in logins if one not in numbers))


async def _write(
    connection: Connection,
    decided: Decided,
    numbers: Mapping[str, int],
    now: datetime,
    voice: tuple[str, str],
) -> None:
    """Write what a batch comes to; what is created has its number by now."""

    def numbered(holders: Mapping[str, Holder]) -> list[Holder]:
        known = [msgspec.structs.replace(h, holder_id=numbers[key]) for key, h in holders.items()]
        return sorted(known, key=lambda holder: holder.holder_id)

    await store.add_holders(connection, numbered(decided.created))
    await store.change_holders(connection, numbered(decided.changed), decided.told)
    past = [(numbers[key], past) for key, past in decided.past]
    await store.add_past(connection, past, now, voice)
    await store.move_names(connection, decided.names, numbers)


def _names_brought(
    changes: Sequence[HolderChange], refusals: Sequence[object], kinds: Sequence[NameKind]
) -> list[tuple[NameKind, str]]:
    """List the unique names that these changes bring, folded."""
    brought: set[tuple[NameKind, str]] = set()
    for kind in kinds:
        for change, refusal in zip(changes, refusals, strict=True):
            name = None if refusal else getattr(change, kind)
            if isinstance(name, str):
                brought.add((kind, folded(name)))
    return sorted(brought)


async def _take_all(connection: Connection, kind: NameKind) -> None:
    """Take the names of a kind for those who have them; raises `Rejected` if two share one."""
    owner: dict[str, tuple[int, str]] = {}
    shared: list[str] = []
    for number, external_id, name in await store.read_all_names(connection, kind):
        first = owner.setdefault(folded(name), (number, external_id))
        if first[0] != number:
            shared.append(f"{first[1]} and {external_id}")
    if shared:
        raise Rejected(
            "holder_names_shared",
            f"{len(shared)} pairs share a {kind}: {', '.join(shared[:_NAMED])}",
            kind=kind,
            holders=shared[:_NAMED],
        )
    given = [(kind, name, number) for name, (number, _) in owner.items()]
    for first_one in range(0, len(given), MAX_CHANGES):
        await store.give_names(connection, given[first_one : first_one + MAX_CHANGES])


def _unknown(external_id: str) -> Missing:
    return Missing("holder_unknown", f"there is no holder {external_id!r}", holder=external_id)

"""Changing holders in a batch: read, decide, write, in one transaction (H1, H2).

Rows are locked in the order of their numbers and new ids enrolled in the order of their spelling,
by everybody. Who enrols the same person at the same moment, or takes the same name, is met at a
unique key: the batch goes back to its savepoint and is decided again on what the other left.
"""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec
from psycopg import errors

from bursar.holders import store
from bursar.holders.decide import Decided, begin, decide, names_of
from bursar.holders.model import (
    Holder,
    HolderChange,
    NameKind,
    Refusal,
    Unique,
    Upserted,
    as_error,
    folded,
    version_of,
)
from bursar.platform.arrays import Array, texts
from bursar.platform.collector import paused_collector
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Unavailable

_ATTEMPTS: Final = 20
_SLICE: Final = 2_000
_RACES: Final = {"holder_ids_pkey", "holders_pkey", "holder_names_pkey"}
"""Where two meet who write the same at once."""

_NO_NAMES: Final = Unique(username=False, email=False)


class _Overtaken(Exception):
    """Somebody else wrote first what this batch was about to write."""


class Strangers(msgspec.Struct, frozen=True):
    """Changes made ready for the case that all are of new holders, none twice.

    ``external_ids`` are sorted, ``names`` and ``packed`` are in their order; ``latest`` is the
    last instant that the changes say has been.
    """

    external_ids: Sequence[str]
    names: Array
    packed: Mapping[str, Any]
    latest: datetime


def preparing(changes: Sequence[HolderChange]) -> Generator[None, None, Strangers]:
    """Do beforehand what needs no database, a few milliseconds at a time.

    An import does it while the database is busy; where this yields, others get their turn.
    """
    ordered = sorted(changes, key=attrgetter("external_id"))
    holders: list[Holder] = []
    for at in range(0, len(ordered), _SLICE):
        with paused_collector():
            holders += [begin(change, store.JUST_NOW) for change in ordered[at : at + _SLICE]]
        yield
    packed: dict[str, Any] = {}
    for column in store.packing(holders):
        packed |= column
        yield
    latest = max(map(_latest, holders))
    ids = [change.external_id for change in ordered]
    return Strangers(ids, texts(ids), packed, latest)


def _latest(holder: Holder) -> datetime:
    """Tell the last instant of a new holder that has been."""
    return max(holder.created_at, holder.matters_since, holder.last_login_at or store.JUST_NOW)


async def apply(
    connection: Connection,
    changes: Sequence[HolderChange],
    refusals: Sequence[Refusal | None],
    voice: tuple[str, str],
    strangers: Strangers | None = None,
) -> list[Upserted]:
    """Apply each change that was not refused as malformed; answers in their order.

    The connection is in a transaction. After 20 races lost in a row `Unavailable`.
    """
    for _ in range(_ATTEMPTS):
        try:
            async with connection.transaction():
                return await _apply(connection, changes, refusals, voice, strangers)
        except _Overtaken:
            continue
        except errors.UniqueViolation as error:
            if error.diag.constraint_name not in _RACES:
                raise
    raise Unavailable("contention", f"no success in {_ATTEMPTS} attempts; try again")


async def apply_one(
    connection: Connection,
    change: HolderChange,
    refusal: Refusal | None,
    voice: tuple[str, str],
    *,
    expect: str | None,
    new: bool,
) -> tuple[Upserted, Holder]:
    """Apply one change, or raise why not, if the holder is still what it is expected to be.

    The row is locked before its version is looked at: what is compared is what is changed.
    """
    if refusal is not None:
        raise as_error(refusal)
    await store.begin_change(connection)
    if expect is not None:
        await _check_version(connection, change.external_id, expect)
    [done] = await apply(connection, [change], [None], voice)
    if done.refusal is not None:
        raise as_error(done.refusal)
    holder = await store.find(connection, change.external_id, None)
    if holder is None:
        raise Unavailable("contention", "the holder was erased meanwhile; try again")
    if new and done.outcome != "created":
        raise Conflict(
            "precondition_failed", "the holder is there already", version=version_of(holder)
        )
    return done, holder


async def _check_version(connection: Connection, external_id: str, expect: str) -> None:
    found = await store.find(connection, external_id, None)
    if found is not None:
        locked = await store.lock_holders(connection, [found.holder_id])
        found = locked.get(external_id)
    if found is None:
        raise Conflict("precondition_failed", "there is no such holder", version=None)
    if expect not in ("*", version := version_of(found)):
        raise Conflict(
            "precondition_failed", "the holder has changed since it was read", version=version
        )


async def _apply(
    connection: Connection,
    changes: Sequence[HolderChange],
    refusals: Sequence[Refusal | None],
    voice: tuple[str, str],
    strangers: Strangers | None,
) -> list[Upserted]:
    now, unique = await store.begin_change(connection)
    if strangers is not None:
        found = await store.resolve(connection, strangers.names)
        if not found and unique == _NO_NAMES and strangers.latest <= now:
            return await _enrol(connection, changes, strangers, now)
    sound = [c for c, refusal in zip(changes, refusals, strict=True) if refusal is None]
    if strangers is None:
        ids = list({c.external_id: None for c in sound})
        found = await store.resolve(connection, texts(ids))
    listed = [r.holder_id for r in found.values() if r.listed]
    known = await store.lock_holders(connection, listed) if listed else {}
    if len(known) < len(listed) or any(h.erased_at is not None for h in known.values()):
        raise _Overtaken  # one was erased meanwhile: its id is somebody else's now
    kinds = kinds_of(unique)
    wanted = _wanted(sound, kinds)
    owners = await store.read_owners(connection, wanted) if wanted else {}
    with paused_collector():
        decided = decide(changes, refusals, known, owners, kinds, now, voice)
    numbers = {key: r.holder_id for key, r in found.items()}
    await _write(connection, decided, numbers, known, voice, now)
    with paused_collector():
        return [
            Upserted(c.external_id, outcome, numbers.get(c.external_id), refusal)
            for c, (outcome, refusal) in zip(changes, decided.answers, strict=True)
        ]


async def _enrol(
    connection: Connection, changes: Sequence[HolderChange], strangers: Strangers, now: datetime
) -> list[Upserted]:
    """Write what was made ready: nobody is known, and nothing of it can be refused."""
    numbers = await store.enrol(connection, strangers.names)
    ids = [numbers[key] for key in strangers.external_ids]
    await store.insert_holders(connection, strangers.packed, ids, now)
    with paused_collector():
        return [Upserted(c.external_id, "created", numbers[c.external_id]) for c in changes]


async def _write(
    connection: Connection,
    decided: Decided,
    numbers: dict[str, int],
    known: dict[str, Holder],
    voice: tuple[str, str],
    now: datetime,
) -> None:
    """Write what was decided; new numbers are added to ``numbers``."""
    if decided.created:
        new = sorted(key for key in decided.created if key not in numbers)
        if new:
            numbers |= await store.enrol(connection, texts(new))
        packed = store.pack_new(list(decided.created.values()))
        ids = [numbers[key] for key in decided.created]
        await store.insert_holders(connection, packed, ids, now)
    if decided.changed:
        told = [key in decided.told for key in decided.changed]
        await store.update_holders(connection, list(decided.changed.values()), told)
        logins = {
            holder.holder_id: holder.last_login_at
            for key, holder in decided.changed.items()
            if holder.last_login_at is not None and holder.last_login_at != known[key].last_login_at
        }
        if logins:
            await store.note_logins(connection, logins)
    if decided.past:
        await store.insert_past(connection, [(numbers[k], p) for k, p in decided.past], voice)
    if decided.names:
        held = {name: h.holder_id for h in known.values() for name in names_held(h)}
        freed = [(name, held[name]) for name in decided.names if name in held]
        given = [(name, numbers[key]) for name, key in decided.names.items() if key is not None]
        await store.move_names(connection, freed, given)


def kinds_of(unique: Unique) -> list[NameKind]:
    """List the kinds of names that only one holder may have."""
    kinds: list[NameKind] = []
    if unique.username:
        kinds.append("username")
    if unique.email:
        kinds.append("email")
    return kinds


def _wanted(
    changes: Sequence[HolderChange], kinds: Sequence[NameKind]
) -> set[tuple[NameKind, str]]:
    """List the names that must be unique and that a batch brings."""
    return {
        (kind, folded(name))
        for kind in kinds
        for change in changes
        if isinstance(name := getattr(change, kind), str)
    }


def names_held(holder: Holder) -> list[tuple[NameKind, str]]:
    """List the names that a holder may have to itself."""
    kinds: tuple[NameKind, NameKind] = ("username", "email")
    return [name for kind in kinds if (name := names_of(holder, kind)) is not None]

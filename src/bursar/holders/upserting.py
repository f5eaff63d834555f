"""Changing holders in a batch: read, decide, write, in one transaction (H1, H2).

Rows are locked in the order of their numbers and new ids enrolled in the order of their spelling,
by everybody. Who enrols the same person at the same moment, or takes the same name, is met at a
unique key: the batch goes back to its savepoint and is decided again on what the other left.
"""

from collections.abc import Sequence
from typing import Final

from psycopg import errors

from bursar.holders import store
from bursar.holders.decide import Decided, decide, names_of
from bursar.holders.model import (
    Holder,
    HolderChange,
    NameKind,
    Refusal,
    Unique,
    Upserted,
    folded,
)
from bursar.platform.collector import paused_collector
from bursar.platform.database import Connection
from bursar.platform.errors import Unavailable

_ATTEMPTS: Final = 20


class _Overtaken(Exception):
    """Somebody else wrote first what this batch was about to write."""


async def apply(
    connection: Connection,
    changes: Sequence[HolderChange],
    refusals: Sequence[Refusal | None],
    voice: tuple[str, str],
) -> list[Upserted]:
    """Apply each change that was not refused as malformed; answers in their order.

    The connection is in a transaction. After 20 races lost in a row `Unavailable`.
    """
    for _ in range(_ATTEMPTS):
        try:
            async with connection.transaction():
                return await _apply(connection, changes, refusals, voice)
        except _Overtaken:
            continue
        except errors.UniqueViolation as error:
            if error.diag.constraint_name != "holder_names_pkey":
                raise
    raise Unavailable("contention", f"no success in {_ATTEMPTS} attempts; try again")


async def _apply(
    connection: Connection,
    changes: Sequence[HolderChange],
    refusals: Sequence[Refusal | None],
    voice: tuple[str, str],
) -> list[Upserted]:
    now, unique = await store.begin_change(connection)
    sound = [c for c, refusal in zip(changes, refusals, strict=True) if refusal is None]
    found = await store.resolve(connection, list({c.external_id: None for c in sound}))
    listed = [r.holder_id for r in found.values() if r.listed]
    known = await store.lock_holders(connection, listed) if listed else {}
    if len(known) < len(listed):
        raise _Overtaken  # one was erased meanwhile
    kinds = kinds_of(unique)
    wanted = _wanted(sound, kinds)
    owners = await store.read_owners(connection, wanted) if wanted else {}
    with paused_collector():
        decided = decide(changes, refusals, known, owners, kinds, now, voice)
    numbers = {key: r.holder_id for key, r in found.items()}
    await _write(connection, decided, numbers, known, voice)
    with paused_collector():
        return [
            Upserted(c.external_id, outcome, numbers.get(c.external_id), refusal)
            for c, (outcome, refusal) in zip(changes, decided.answers, strict=True)
        ]


async def _write(
    connection: Connection,
    decided: Decided,
    numbers: dict[str, int],
    known: dict[str, Holder],
    voice: tuple[str, str],
) -> None:
    """Write what was decided; new numbers are added to ``numbers``."""
    if decided.created:
        new = [key for key in decided.created if key not in numbers]
        if new:
            numbers |= await store.enrol(connection, new)
        if any(key not in numbers for key in new):
            raise _Overtaken
        ids = [numbers[key] for key in decided.created]
        added = await store.insert_holders(connection, list(decided.created.values()), ids)
        if added < len(ids):
            raise _Overtaken
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

"""What a change makes of a holder: pure decisions from what is known and what is said (H1). Pure.

`status`, `tier`, `verified`, `subscription_start` and `billing_anchor` matter to programs: when one
of them changes, what was in force goes to the history. Changes of one batch are decided in order,
each on what the one before it left.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET

from bursar.holders.examine import too_large
from bursar.holders.model import (
    DEFAULT_STATUS,
    LOGIN_DAYS,
    Holder,
    HolderChange,
    Login,
    NameKind,
    Outcome,
    Past,
    Refusal,
    folded,
)
from bursar.ledger.commands import canonical

_MATTERS: Final = ("status", "tier", "verified", "subscription_start", "billing_anchor")
_PLAIN: Final = ("username", "email", "locale", "time_zone", "created_at", *_MATTERS)
_TOLD: Final = ("locale", "time_zone", "created_at", *_MATTERS, "attributes")
"""What programs can ask; a change of these is put in the order of commits."""

Owners = dict[tuple[NameKind, str], str]
"""Who has a name: by kind and folded name the external id."""


class Decided(msgspec.Struct, frozen=True):
    """What a batch comes to, in the order of its changes, and what is to be written.

    ``states`` are by external id; a number of 0 belongs to one yet to be enrolled. ``told`` are
    those of whom something changed that programs may ask. ``names`` are given (to an external id)
    or taken away (None).
    """

    answers: list[tuple[Outcome, Refusal | None]]
    created: dict[str, Holder]
    changed: dict[str, Holder]
    told: set[str]
    past: list[tuple[str, Past]]
    names: dict[tuple[NameKind, str], str | None]


def decide(
    changes: Sequence[HolderChange],
    refusals: Sequence[Refusal | None],
    known: Mapping[str, Holder],
    owners: Owners,
    unique: Sequence[NameKind],
    now: datetime,
    voice: tuple[str, str],
) -> Decided:
    """Decide each change that was not refused as malformed; ``owners`` of the names it brings."""
    decided = Decided([], {}, {}, set(), [], {})
    owner_of = dict(owners)
    for change, malformed in zip(changes, refusals, strict=True):
        key = change.external_id
        before = decided.created.get(key) or decided.changed.get(key) or known.get(key)
        refusal = malformed or _in_future(change, now)
        if refusal is not None:
            decided.answers.append(("refused", refusal))
            continue
        if before is None:
            after = begin(change, now)
        else:
            after, refusal = amend(before, change, now)
        if refusal is None and unique:
            refusal = _give_names(decided, owner_of, unique, before, after)
        if refusal is not None:
            decided.answers.append(("refused", refusal))
        elif before is None:
            decided.created[key] = after
            decided.answers.append(("created", None))
        elif after is before:
            decided.answers.append(("unchanged", None))
        else:
            (decided.created if key in decided.created else decided.changed)[key] = after
            _note(decided, key, before, after, now, voice)
            decided.answers.append(("changed", None))
    return decided


def begin(change: HolderChange, now: datetime) -> Holder:
    """Enrol a holder: what is not said is empty, the status `active`, the account as old as now."""

    c = change
    created_at = now if c.created_at is UNSET else c.created_at
    return Holder(
        0,
        c.external_id,
        None if c.username is UNSET else c.username,
        None if c.email is UNSET else c.email,
        None if c.locale is UNSET else c.locale,
        None if c.time_zone is UNSET else c.time_zone,
        created_at,
        DEFAULT_STATUS if c.status is UNSET else c.status,
        "" if c.tier is UNSET else c.tier or "",
        False if c.verified is UNSET else c.verified,
        None if c.subscription_start is UNSET else c.subscription_start,
        None if c.billing_anchor is UNSET else c.billing_anchor,
        None if c.last_login_at is UNSET else c.last_login_at,
        merged("{}", c.attributes) if c.attributes else "{}",
        c.at or _known_since(c, created_at),
        0,
    )


def _known_since(change: HolderChange, created_at: datetime) -> datetime:
    """Date what is said first: whoever comes with a subscription has been so since it began."""
    begins = change.subscription_start
    if begins is UNSET or begins is None:
        return created_at
    return min(begins, created_at)


def amend(before: Holder, change: HolderChange, now: datetime) -> tuple[Holder, Refusal | None]:
    """Apply a change to a holder; the very same holder comes back if it says nothing new."""
    new: dict[str, Any] = {}
    for name in _PLAIN:
        value = getattr(change, name)
        if name == "tier" and value is None:
            value = ""
        if value is not UNSET and value != getattr(before, name):
            new[name] = value
    login = change.last_login_at
    if login is not UNSET and (before.last_login_at is None or login > before.last_login_at):
        new["last_login_at"] = login
    if change.attributes is not UNSET:
        text = merged(before.attributes, change.attributes)
        if text != before.attributes:
            if (wrong := too_large(text)) is not None:
                return before, Refusal("invalid", f"attributes {wrong}", "attributes")
            new["attributes"] = text
    if any(name in new for name in _MATTERS):
        at = change.at or max(now, before.matters_since)
        if at < before.matters_since:
            since = before.matters_since.isoformat()
            return before, Refusal("outdated", f"what is known holds since {since}, later", "at")
        new |= {"matters_since": at, "changes": before.changes + 1}
    return msgspec.structs.replace(before, **new) if new else before, None


def merged(text: str, change: Mapping[str, Any] | None) -> str:
    """Put attributes over those known, None taking one away; canonical JSON text."""
    if change is None:
        return "{}"
    both: dict[str, Any] = msgspec.json.decode(text) if text != "{}" else {}
    both |= change
    return canonical({name: value for name, value in both.items() if value is not None})


def past_of(before: Holder, until: datetime, now: datetime, voice: tuple[str, str]) -> Past:
    """Say what was in force up to an instant."""
    return Past(
        before.changes + 1,
        before.matters_since,
        until,
        before.status,
        before.tier,
        before.verified,
        before.subscription_start,
        before.billing_anchor,
        max(now, until),
        *voice,
    )


def _note(
    decided: Decided,
    key: str,
    before: Holder,
    after: Holder,
    now: datetime,
    voice: tuple[str, str],
) -> None:
    """Keep what was in force, and whether programs may ask about what changed."""
    if after.changes != before.changes:
        decided.past.append((key, past_of(before, after.matters_since, now, voice)))
    if any(getattr(before, name) != getattr(after, name) for name in _TOLD):
        decided.told.add(key)


def _in_future(change: HolderChange, now: datetime) -> Refusal | None:
    """What has happened, has happened; a subscription may well begin tomorrow."""
    for name in ("created_at", "last_login_at", "at"):
        value = getattr(change, name)
        if value is not UNSET and value is not None and value > now:
            return Refusal("in_future", f"{name} lies in the future", name)
    return None


_NAME_OF: Final[Mapping[NameKind, Callable[[Holder], str | None]]] = {
    "username": lambda holder: holder.username,
    "email": lambda holder: holder.email,
}


def names_of(holder: Holder, kind: NameKind) -> tuple[NameKind, str] | None:
    """Name what only this holder may have; None if it has no such name."""
    name = _NAME_OF[kind](holder)
    return None if name is None else (kind, folded(name))


def _give_names(
    decided: Decided,
    owner_of: Owners,
    unique: Sequence[NameKind],
    before: Holder | None,
    after: Holder,
) -> Refusal | None:
    """Give a holder its new names if nobody else has them, and free the old ones."""
    given: list[tuple[NameKind, str]] = []
    freed: list[tuple[NameKind, str]] = []
    for kind in unique:
        old = None if before is None else names_of(before, kind)
        new = names_of(after, kind)
        if new == old:
            continue
        if new is not None:
            if owner_of.get(new, after.external_id) != after.external_id:
                code: Any = f"{kind}_taken"
                return Refusal(code, f"{kind} belongs to another holder", kind)
            given.append(new)
        if old is not None:
            freed.append(old)
    for name in freed:
        owner_of.pop(name, None)
        decided.names[name] = None
    for name in given:
        owner_of[name] = after.external_id
        decided.names[name] = after.external_id
    return None


def rounds_of(
    logins: Sequence[Login], numbers: Mapping[str, int], now: datetime
) -> list[dict[int, datetime]]:
    """Put logins into rounds in which nobody stands twice.

    Of each day in UTC the last counts; older days than are remembered are left out.
    """
    last: dict[int, dict[date, datetime]] = {}
    for login in logins:
        if (number := numbers.get(login.external_id)) is not None:
            at = login.at or now
            days = last.setdefault(number, {})
            day = at.astimezone(UTC).date()
            days[day] = max(days.get(day, at), at)
    rounds: list[dict[int, datetime]] = []
    for number, days in last.items():
        for turn, day in enumerate(sorted(days)[-LOGIN_DAYS:]):
            if turn == len(rounds):
                rounds.append({})
            rounds[turn][number] = days[day]
    return rounds

"""What holders wish of notices (N5): by kind and channel, and when e-mail may come."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, UnsetType

from bursar.ledger import Ledger
from bursar.ledger.reading.wallets import find_holder
from bursar.notices import store
from bursar.notices.choosing import waits, wants
from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.model import (
    NO_PREFERENCES,
    Kind,
    NoticeSettings,
    Personal,
    Preferences,
    QuietHours,
)
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid
from bursar.platform.voice import check_voice
from bursar.trail import record

_CHANNELS: Final[tuple[Personal, ...]] = get_args(Personal)


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a holder: for every kind and channel, with what they chose themselves.

    ``quiet`` are the quiet hours in force; ``own_quiet`` says whether they are the holder's own.
    """

    kinds: dict[Kind, dict[Personal, bool]]
    chosen: dict[Kind, dict[Personal, bool]]
    quiet: QuietHours | None
    own_quiet: bool
    revision: int


class NoticePreferences:
    """The wishes of one ledger's holders."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    async def show(self, holder: str) -> Effective:
        """Tell what holds for a holder; raises `Missing` ``holder_unknown``."""
        async with self._database.snapshot() as connection:
            number = await find_holder(connection, holder)
            state = await store.read_state(connection)
            read = await store.read_preferences(connection, [number])
            return _effective(state.settings, read.get(number, NO_PREFERENCES))

    async def change(
        self,
        holder: str,
        *,
        choices: Mapping[str, Mapping[str, bool | None]] | None = None,
        quiet: QuietHours | UnsetType | None = UNSET,
        expect: int | None = None,
        actor: str,
        reason: str,
    ) -> Effective:
        """Change what a holder wishes; what is left out stays, None is the economy's default again.

        `NEVER_QUIET` are no quiet hours, whatever the economy has.
        With ``expect`` only while the revision is that one, else `Conflict`
        ``precondition_failed``. Raises `Invalid` ``preference_invalid``, `Missing`.
        """
        check_voice(actor, reason)
        wished = _checked(choices or {})

        async def once(connection: Connection) -> Effective:
            number = await find_holder(connection, holder)
            state = await store.read_state(connection)
            before = await store.lock_preferences(connection, number)
            if expect is not None and expect != before.revision:
                raise Conflict(
                    "precondition_failed",
                    f"revision {before.revision} is in force, not {expect}: look at it first",
                    revision=before.revision,
                )
            after = _merged(before, wished, quiet)
            if after != before:
                revision = await store.set_preferences(connection, number, after)
                after = msgspec.structs.replace(after, revision=revision)
                await record(
                    connection,
                    actor=actor,
                    act="preferences.change",
                    subject=f"holder_{number}",
                    reason=reason,
                    before=_spelled(before),
                    after=_spelled(after),
                )
            return _effective(state.settings, after)

        return await self._database.retrying(once)

    async def mail_waits(self, holder_id: int, kind: Kind, zone: str | None) -> timedelta | None:
        """Say for how long a kind's e-mail to a holder has to wait, None if it is not wished.

        Asked again when one is sent: it may have waited for others, or for the server, into the
        quiet hours. ``zone`` is the holder's.
        """
        async with self._database.connection() as connection:
            state = await store.read_state(connection)
            read = await store.read_preferences(connection, [holder_id])
        own = read.get(holder_id, NO_PREFERENCES)
        if not wants(kind, "email", state.settings, own):
            return None
        return waits(state.now, state.settings, own, zone)


def _checked(
    choices: Mapping[str, Mapping[str, bool | None]],
) -> dict[Kind, dict[Personal, bool | None]]:
    """Refuse kinds and channels that there are not."""
    checked: dict[Kind, dict[Personal, bool | None]] = {}
    for kind, ways in choices.items():
        if kind not in OF_HOLDERS:
            raise Invalid(
                "preference_invalid", f"{kind[:40]!r} is no kind that holders get", kind=kind[:40]
            )
        for way, on in ways.items():
            if way not in _CHANNELS:
                raise Invalid(
                    "preference_invalid",
                    f"{way[:40]!r} is no way to a holder: there are {' and '.join(_CHANNELS)}",
                    kind=kind,
                )
            if not (on is None or isinstance(on, bool)):
                raise Invalid("preference_invalid", "a choice is true, false or null", kind=kind)
        checked[Kind(kind)] = {way: ways[way] for way in _CHANNELS if way in ways}
    return checked


def _merged(
    before: Preferences,
    wished: Mapping[Kind, Mapping[Personal, bool | None]],
    quiet: QuietHours | UnsetType | None,
) -> Preferences:
    choices = {kind: dict(ways) for kind, ways in before.choices.items()}
    for kind, ways in wished.items():
        own = choices.setdefault(kind, {})
        for way, on in ways.items():
            if on is None:
                own.pop(way, None)
            else:
                own[way] = on
    return Preferences(
        choices={kind: ways for kind, ways in sorted(choices.items()) if ways},
        quiet=before.quiet if isinstance(quiet, UnsetType) else quiet,
        revision=before.revision,
    )


def _effective(settings: NoticeSettings, own: Preferences) -> Effective:
    return Effective(
        kinds={k: {way: wants(k, way, settings, own) for way in _CHANNELS} for k in OF_HOLDERS},
        chosen=own.choices,
        quiet=own.quiet or settings.quiet,
        own_quiet=own.quiet is not None,
        revision=own.revision,
    )


def _spelled(wished: Preferences) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(wished)
    del said["revision"]
    return said

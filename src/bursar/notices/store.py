"""The SQL of what is in force of notices and what holders wish: typed rows in and out."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any, Final

import msgspec
from psycopg.types.numeric import Int8

from bursar.notices.model import Kind, NoticeSettings, Personal, Preferences, QuietHours
from bursar.platform.arrays import int8s
from bursar.platform.database import Connection, fetch
from bursar.platform.sql import Queries

QUERIES: Final = Queries("bursar.notices")
_SETTINGS: Final = msgspec.json.Decoder(NoticeSettings)
_CHOICES: Final = msgspec.json.Decoder(dict[Kind, dict[Personal, bool]])


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force. Facts before ``started_at`` are told to nobody.

    What happened before ``sends_from`` may have been sent before a restore; ``epoch`` is the one
    that has been taken note of, ``now_epoch`` the economy's. ``now`` is the economy's time,
    ``world_now`` the world's: in a sandbox they differ.
    """

    settings: NoticeSettings
    started_at: datetime | None
    sends_from: datetime
    epoch: int
    now_epoch: int
    now: datetime
    world_now: datetime
    warned_until: datetime | None

    def counts(self, instant: datetime) -> bool:
        """Tell whether what happened then is told at all."""
        return self.started_at is not None and instant >= self.started_at


async def put_settings(connection: Connection, settings: NoticeSettings) -> None:
    """Put settings in force; facts count from the first time."""
    await _all(connection, "put_settings", {"settings": msgspec.json.encode(settings).decode()})


async def read_state(connection: Connection) -> State:
    """Read what is in force."""
    [(said, started_at, sends_from, epoch, now_epoch, now, world_now, warned)] = await _all(
        connection, "read_state", {}
    )
    return State(
        settings=_SETTINGS.decode(said),
        started_at=started_at,
        sends_from=sends_from,
        epoch=epoch,
        now_epoch=now_epoch,
        now=now,
        world_now=world_now,
        warned_until=warned,
    )


async def note_epoch(connection: Connection) -> bool:
    """Take note of the economy's epoch; tell whether it is new, which one caller is told once."""
    return bool(await _all(connection, "note_epoch", {}))


async def read_preferences(
    connection: Connection, holder_ids: Sequence[int]
) -> dict[int, Preferences]:
    """Read what these holders wish, of those who have said something."""
    rows = await _all(connection, "read_preferences", {"holder_ids": int8s(holder_ids)})
    return {row[0]: _preferences(row) for row in rows}


async def lock_preferences(connection: Connection, holder_id: int) -> Preferences:
    """Read one holder's wishes, of which nobody else changes any until the transaction ends."""
    values = {"holder_id": Int8(holder_id)}
    await _all(connection, "add_preferences", values)
    return _preferences((await _all(connection, "lock_preferences", values))[0])


async def set_preferences(connection: Connection, holder_id: int, wished: Preferences) -> int:
    """Write one holder's wishes, which are locked; returns their new revision."""
    quiet = wished.quiet
    values = {
        "holder_id": Int8(holder_id),
        "choices": msgspec.json.encode(wished.choices).decode(),
        "quiet_from": None if quiet is None else quiet.start,
        "quiet_until": None if quiet is None else quiet.until,
    }
    revision: int = (await _all(connection, "set_preferences", values))[0][0]
    return revision


def _preferences(row: Sequence[Any]) -> Preferences:
    start: time | None = row[2]
    return Preferences(
        choices=_CHOICES.decode(row[1]),
        quiet=None if start is None else QuietHours(start, row[3]),
        revision=row[4],
    )


async def _all(connection: Connection, name: str, values: dict[str, Any]) -> list[Any]:
    return await fetch(connection, QUERIES.numbered(name), values)

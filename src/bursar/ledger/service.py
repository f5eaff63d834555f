"""The ledger: everything that may be asked of it, one method each."""

from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from bursar.ledger import export, store, verify
from bursar.ledger.checksum import Seal
from bursar.ledger.commands import AnyCommand
from bursar.ledger.findings import Checkpoint, Report
from bursar.ledger.group_commit import GroupCommit
from bursar.ledger.model import MAX_BATCH, Asset, Result
from bursar.ledger.posting import Order, Poster
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Conflict, Invalid

_MAX_REASON = 500


class Ledger:
    """A ledger on one database; make it with `open`, use it with ``async with`` or `close` it."""

    def __init__(self, database: Database, seal: Seal | None = None) -> None:
        self.database = database
        self.seal = seal or Seal()
        self._poster = Poster(database, self.seal)
        self._group_commit = GroupCommit(self._poster.post)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what was submitted, and give the connections back."""
        await self._group_commit.close()
        await self.database.close()

    async def post(
        self,
        commands: Sequence[AnyCommand],
        *,
        actor: str,
        reason: str,
        tx: Connection | None = None,
    ) -> list[Result]:
        """Apply or refuse each of 1 to 10,000 commands; results in their order (L2).

        With ``tx``, a connection from `Database.transaction`, all of it belongs to the caller's
        transaction. Raises `Invalid` for the batch as a whole, `Unavailable` when the database
        is away; a single command never raises.
        """
        if not 0 < len(commands) <= MAX_BATCH:
            raise Invalid(
                "batch_size",
                f"a batch has 1 to {MAX_BATCH} commands, not {len(commands)}",
                size=len(commands),
            )
        check_voice(actor, reason)
        return await self._poster.post([Order(c, actor, reason) for c in commands], tx)

    async def submit(self, command: AnyCommand, *, actor: str, reason: str) -> Result:
        """Apply or refuse one command, committed together with others that come meanwhile (L2)."""
        check_voice(actor, reason)
        return await self._group_commit.submit(Order(command, actor, reason))

    async def add_asset(self, code: str, *, scale: int = 0) -> Asset:
        """Add a kind of credit; the same again is no error, another scale is a `Conflict`."""
        if not (isinstance(code, str) and code.isascii() and code.islower() and len(code) <= 32):
            raise Invalid("asset_code", "an asset's code is 1 to 32 of a-z, 0-9 and _", asset=code)
        if not code.replace("_", "a").isalnum() or not code[0].isalpha():
            raise Invalid("asset_code", "an asset's code is 1 to 32 of a-z, 0-9 and _", asset=code)
        if type(scale) is not int or not 0 <= scale <= 12:
            raise Invalid("asset_scale", "a scale is a whole number from 0 to 12", scale=scale)
        async with self.database.connection() as connection:
            added = await store.add_asset(connection, code, scale)
            existing = added or (await store.read_assets(connection))[code]
        if existing.scale != scale:
            raise Conflict(
                "asset_exists",
                f"asset {code!r} has scale {existing.scale}",
                asset=code,
                scale=existing.scale,
            )
        return existing

    async def assets(self) -> list[Asset]:
        """List every asset by code."""
        async with self.database.connection() as connection:
            return list((await store.read_assets(connection)).values())

    async def verify(
        self,
        *,
        first_holder: int | None = None,
        last_holder: int | None = None,
        keyed_since: datetime | None = None,
        resume: Checkpoint | None = None,
        progress: Callable[[Checkpoint], None] | None = None,
        workers: int = 2,
    ) -> Report:
        """Recompute everything that follows from the entries; see `verify.verify` (L10)."""
        return await verify.verify(
            self.database,
            self.seal,
            first_holder=first_holder,
            last_holder=last_holder,
            keyed_since=keyed_since,
            resume=resume,
            progress=progress,
            workers=workers,
        )

    async def export(self, format: export.Format, write: export.Write) -> int:  # noqa: A002
        """Write the whole journal as ``beancount`` or ``csv``; returns its entries (L11)."""
        return await export.export(self.database, format, write)


def check_voice(actor: str, reason: str) -> None:
    """Refuse a posting that does not say who and why."""
    for name, text, most in (("actor", actor, 200), ("reason", reason, _MAX_REASON)):
        if not isinstance(text, str) or not 0 < len(text) <= most or not text.isprintable():
            raise Invalid(
                "posting_voice",
                f"a posting's {name} is 1 to {most} printable characters",
                field=name,
            )

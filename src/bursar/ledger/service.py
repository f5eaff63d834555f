"""The ledger: everything that may be asked of it, one method each."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from bursar.ledger.audit import export, verify
from bursar.ledger.audit.export import Format, Pieces
from bursar.ledger.audit.findings import Checkpoint, Report
from bursar.ledger.catalogue import Kind
from bursar.ledger.commands import AnyCommand, Command
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.distribution import Distributed, Distribution
from bursar.ledger.model import (
    MAX_AMOUNT,
    MAX_BATCH,
    Asset,
    Entry,
    Hold,
    Result,
    Wallet,
    WalletKey,
)
from bursar.ledger.opening import open_database, seal_of
from bursar.ledger.posting import store
from bursar.ledger.posting.batch import Order, Poster
from bursar.ledger.posting.sweep import sweep
from bursar.ledger.reading import wallets as reading
from bursar.ledger.reading.explain import Explanation, explain
from bursar.ledger.reading.follow import Handler, Lag, Wanted, follow_once, read_lag
from bursar.ledger.reading.wallets import Filter, Posting, Total
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Conflict, Invalid, Missing
from bursar.platform.gathered import Gathered
from bursar.platform.pages import Page
from bursar.platform.settings import Settings, load_settings
from bursar.platform.voice import check_voice, is_reason
from bursar.trail import record


class Ledger:
    """A ledger on one database; make it with `open`, use it with ``async with`` or `close` it."""

    def __init__(self, database: Database, seal: Seal | None = None) -> None:
        self.database = database
        self.seal = seal or Seal()
        self._poster = Poster(database, self.seal)
        self._commits = Gathered(self._poster.post, most=MAX_BATCH // 10)
        self._reads = Gathered(self._read_wallets, most=MAX_BATCH // 10)

    @classmethod
    async def open(
        cls,
        where: str | Path | None = None,
        *,
        settings: Settings | None = None,
        max_connections: int = 8,
    ) -> Self:
        """Open the ledger at an address or in a data directory; None is what the settings say (O1).

        A data directory's server is started, made and migrated if need be, and goes on running; a
        server by address must have been migrated. ``settings`` are the environment's by default,
        and say how entries are sealed. Raises `Invalid`, `Rejected`, `Unavailable`.
        """
        chosen = settings or load_settings()
        return cls(await open_database(where, chosen, max_connections), seal_of(chosen))

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
        await self._commits.close()
        await self._reads.close()
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
        return await self._poster.post([_order(c, actor, reason) for c in commands], tx)

    async def distribute(
        self, given: Distribution, *, actor: str, reason: str, tx: Connection | None = None
    ) -> Distributed:
        """Give one credit to each of up to 10,000 holders: what a run posts (L2, P5).

        The same as that many `Credit`s under one reference, and quicker; each holder's part is
        applied, replayed or refused for itself. Raises `Invalid` or `Missing` for the whole.
        """
        check_voice(actor, reason)
        return await self._poster.distribute(given, (actor, reason), tx)

    async def submit(self, command: AnyCommand, *, actor: str, reason: str) -> Result:
        """Apply or refuse one command, committed together with others that come meanwhile (L2).

        A group does not reach beyond its batch: here it would be a batch of strangers, so it is
        left aside.
        """
        check_voice(actor, reason)
        if isinstance(command, Command) and command.group is not None:
            command = msgspec.structs.replace(command, group=None)
        return await self._commits.ask(_order(command, actor, reason))

    async def add_asset(
        self,
        code: str,
        *,
        scale: int = 0,
        actor: str,
        reason: str,
        tx: Connection | None = None,
    ) -> Asset:
        """Add a kind of credit; the same again is no error, another scale is a `Conflict`.

        A new one is written into the audit trail (I2). With ``tx`` it belongs to the caller's
        transaction.
        """
        check_voice(actor, reason)
        if not (isinstance(code, str) and code.isascii() and code.islower() and len(code) <= 32):
            raise Invalid("asset_code", "an asset's code is 1 to 32 of a-z, 0-9 and _", asset=code)
        if not code.replace("_", "a").isalnum() or not code[0].isalpha():
            raise Invalid("asset_code", "an asset's code is 1 to 32 of a-z, 0-9 and _", asset=code)
        if type(scale) is not int or not 0 <= scale <= 12:
            raise Invalid("asset_scale", "a scale is a whole number from 0 to 12", scale=scale)
        async with nullcontext(tx) if tx else self.database.transaction() as connection:
            added = await store.add_asset(connection, code, scale)
            if added is not None:
                await record(
                    connection,
                    actor=actor,
                    act="asset.add",
                    subject=code,
                    reason=reason,
                    after={"scale": scale},
                )
            existing = added or (await store.read_assets(connection))[code]
        if existing.scale != scale:
            raise Conflict(
                "asset_exists",
                f"asset {code!r} has scale {existing.scale}",
                asset=code,
                scale=existing.scale,
            )
        return existing

    async def wallet(
        self, holder: str | None = None, asset: str = "", *, holder_id: int | None = None
    ) -> Wallet:
        """Show a wallet as it stands now (L4, L6, L7); raises `Missing`.

        Many who ask at the same time are answered together, each as of after they asked.
        """
        _must_name_one(holder, holder_id)
        shown = await self._reads.ask(reading.Asked(asset, holder, holder_id))
        if isinstance(shown, Missing):
            raise shown
        return shown

    async def _read_wallets(self, asked: Sequence[reading.Asked]) -> list[Wallet | Missing]:
        async with self.database.snapshot() as connection:
            assets = await self._poster.assets(connection, {one.asset for one in asked})
            return await reading.read_wallets(connection, assets, asked)

    async def wallets(self, holder: str) -> list[Wallet]:
        """Show all wallets of a holder as they stand at one moment, by asset; raises `Missing`."""
        async with self.database.snapshot() as connection:
            number = await reading.find_holder(connection, holder)
            assets = list((await store.read_assets(connection)).values())
            return await reading.read_wallets_of(connection, number, holder, assets)

    async def hold(self, holder: str, asset: str, reference: str) -> Hold:
        """Show one hold, open or ended, as it stands now (L6); raises `Missing`."""
        async with self._wallet(holder, asset, None) as (connection, _, key, _name):
            return await reading.read_hold(connection, key, reference)

    async def statement(
        self,
        holder: str | None = None,
        asset: str = "",
        *,
        holder_id: int | None = None,
        wanted: Filter | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Entry]:
        """List a wallet's entries, the newest first, 1 to 1,000 a page (L9)."""
        async with self._wallet(holder, asset, holder_id) as (connection, _, key, _name):
            return await reading.read_statement(
                connection, key, wanted or Filter(), limit=limit, cursor=cursor
            )

    async def balance_at(
        self,
        holder: str | None = None,
        asset: str = "",
        *,
        at: datetime,
        by: Literal["recorded", "effective"] = "recorded",
        holder_id: int | None = None,
    ) -> int:
        """Tell a balance as of an instant, by recorded or by effective time (L9)."""
        aware = isinstance(at, datetime) and at.utcoffset() is not None
        if by not in ("recorded", "effective") or not aware:
            raise Invalid("balance_at", "at is an instant with a zone; by is recorded or effective")
        async with self._wallet(holder, asset, holder_id) as (connection, _, key, _name):
            return await reading.read_balance_at(connection, key, at, by)

    async def totals(
        self, holder: str | None = None, asset: str = "", *, holder_id: int | None = None
    ) -> list[Total]:
        """Add up a wallet's life by kind and source (L9)."""
        async with self._wallet(holder, asset, holder_id) as (connection, _, key, _name):
            return await reading.read_totals(connection, key)

    async def explain(
        self, holder: str | None = None, asset: str = "", *, holder_id: int | None = None
    ) -> Explanation:
        """Say why a balance is what it is (L12)."""
        async with self._wallet(holder, asset, holder_id) as (connection, found, key, name):
            return await explain(connection, found, key, name)

    async def journal(
        self, *, kind: Kind | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Entry]:
        """List entries of all wallets, of one kind or all, the newest posting first (L9)."""
        async with self.database.snapshot() as connection:
            return await reading.read_journal(connection, kind=kind, limit=limit, cursor=cursor)

    async def postings(self, posting_ids: Sequence[int]) -> dict[int, Posting]:
        """Tell who made these postings, and why; those that are none are left out."""
        known = [i for i in posting_ids if type(i) is int and 0 < i <= MAX_AMOUNT]
        async with self.database.connection() as connection:
            return await reading.read_postings(connection, known)

    async def holders(self, holder_ids: Collection[int]) -> dict[int, str]:
        """Name these holders by the app's own ids, those that have one."""
        async with self.database.connection() as connection:
            return await reading.read_names(connection, holder_ids)

    async def follow(
        self,
        follower: str,
        handler: Handler,
        *,
        postings: int = 100,
        wanted: Wanted | None = None,
    ) -> int:
        """Hand the next postings to ``handler`` and move the follower's cursor; see `follow`."""
        return await follow_once(self.database, follower, handler, postings=postings, wanted=wanted)

    async def lag(self, follower: str) -> Lag:
        """Tell how far behind a follower is."""
        async with self.database.connection() as connection:
            return await read_lag(connection, follower)

    async def sweep(self, *, limit: int = 1_000) -> int:
        """Write the lapses and expiries that are due, of at most ``limit`` wallets (L6, L7).

        Reading and deciding honour them anyway; this puts them into the books. Returns how many
        wallets were due; call again while it is ``limit``.
        """
        if type(limit) is not int or not 1 <= limit <= MAX_BATCH:
            raise Invalid("sweep_limit", f"a sweep has 1 to {MAX_BATCH} wallets", limit=limit)

        async def once(connection: Connection) -> int:
            return await sweep(connection, self.seal, limit)

        return await self.database.retrying(once)

    async def assets(self, *, tx: Connection | None = None) -> list[Asset]:
        """List every asset by code; with ``tx``, as the caller's transaction sees them."""
        async with nullcontext(tx) if tx else self.database.connection() as connection:
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

    def pieces(self, format: Format) -> Pieces:  # noqa: A002
        """Take the whole journal out as `export` does, but piece by piece; close it (L11)."""
        return export.pieces(self.database, format)

    @asynccontextmanager
    async def _wallet(
        self, holder: str | None, asset: str, holder_id: int | None
    ) -> AsyncIterator[tuple[Connection, Asset, WalletKey, str | None]]:
        """Find a wallet by the app's id or by number; raises `Missing` or `Invalid`.

        What is read of it is of one moment, though it takes several statements.
        """
        _must_name_one(holder, holder_id)
        async with self.database.snapshot() as connection:
            found = await self._poster.asset(connection, asset)
            if found is None:
                raise reading.unknown_asset(asset)
            key, name = await reading.find_wallet(connection, found, holder, holder_id)
            yield connection, found, key, name


def _order(command: AnyCommand, actor: str, reason: str) -> Order:
    """Let a command that has a reason of its own be posted for it."""
    own = command.reason if isinstance(command, Command) else None
    return Order(command, actor, own if own is not None and is_reason(own) else reason)


def _must_name_one(holder: str | None, holder_id: int | None) -> None:
    if (holder is None) == (holder_id is None):
        raise Invalid("wallet_name", "holder or holder_id: exactly one names the wallet")

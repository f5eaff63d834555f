"""Holders, what they claim and what comes to them; one holder's own view."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from bursar.client.answers.ledger import Wallet, Wallets
from bursar.client.answers.people import (
    Award,
    Claimed,
    Holder,
    HolderChange,
    MyAward,
    MyEntry,
    Myself,
    NextGrant,
    NextGrants,
    Past,
    Seen,
    Unique,
    Upserted,
    UpsertedMany,
)
from bursar.client.asking import said
from bursar.client.asynchronous.connection import Connection
from bursar.client.asynchronous.pages import PAGE_SIZE, Pages


class HolderCalls:
    """The people of your app."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(
        self,
        *,
        status: str | None = None,
        tier: str | None = None,
        verified: bool | None = None,
        erased: bool | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Holder]:
        """List the directory."""
        query = {"status": status, "tier": tier, "verified": verified, "erased": erased}
        return Pages(
            self._connection, Holder, "holders", query=query, page_size=page_size, cursor=cursor
        )

    async def get(self, holder: str) -> Holder:
        """Show a holder; raises `Missing`."""
        return await self._connection.get(Holder, "holders", holder)

    async def put(self, change: HolderChange, *, if_match: str | None = None) -> Holder:
        """Enrol a holder, or change what is named of one; answers with the holder as it then is.

        With ``if_match``, a holder's ``etag``, only if nobody has changed the holder since.
        """
        body = msgspec.to_builtins(change, builtin_types=(datetime,))
        holder = body.pop("external_id")
        return await self._connection.put(
            Holder, "holders", holder, body=body, if_match=if_match, safe=if_match is None
        )

    async def bulk(
        self, changes: Sequence[HolderChange], *, reason: str | None = None
    ) -> list[Upserted]:
        """Enrol or change up to 10,000 holders; a refused change does not hold up the others."""
        body = said(changes=changes, reason=reason)
        return (await self._connection.post(UpsertedMany, "holders", "bulk", body=body)).results

    async def logins(self, seen: Mapping[str, datetime]) -> Seen:
        """Note when holders were last seen, by their ids."""
        body = {"logins": dict(seen)}
        return await self._connection.post(Seen, "holders", "logins", body=body)

    def changes(
        self, holder: str, *, page_size: int = PAGE_SIZE, cursor: str | None = None
    ) -> Pages[Past]:
        """List what was in force of a holder before, the newest first."""
        path = ("holders", holder, "changes")
        return Pages(self._connection, Past, *path, query={}, page_size=page_size, cursor=cursor)

    async def erase(self, holder: str, *, reason: str, with_credit: bool = False) -> Holder:
        """Erase what is personal of a holder; refused while there is credit, unless it may stay."""
        body = {"with_credit": with_credit, "reason": reason}
        return await self._connection.post(Holder, "holders", holder, "erase", body=body)

    async def unique(self) -> Unique:
        """Tell which names only one holder may have."""
        return await self._connection.get(Unique, "directory", "unique")

    async def set_unique(
        self, *, reason: str, username: bool | None = None, email: bool | None = None
    ) -> Unique:
        """Say which names only one holder may have."""
        body = said(username=username, email=email, reason=reason)
        return await self._connection.put(Unique, "directory", "unique", body=body)

    async def next_grants(self, holder: str) -> list[NextGrant]:
        """Tell what comes next to a holder from every program."""
        return (await self._connection.get(NextGrants, "holders", holder, "next-grants")).items

    def grants(
        self,
        holder: str,
        *,
        program: str | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Award]:
        """List what programs gave to a holder, the newest first."""
        return Pages(
            self._connection,
            Award,
            *("holders", holder, "grants"),
            query={"program": program},
            page_size=page_size,
            cursor=cursor,
        )


class ClaimCalls:
    """Daily and weekly claims."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, program: str, holder: str) -> Claimed:
        """Claim for a holder; a period is paid once, however often it is claimed."""
        path = ("programs", program, "claims")
        return await self._connection.post(Claimed, *path, body={"holder": holder})


class MyCalls:
    """One holder's own view; the client's credentials are a holder token."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self) -> Myself:
        """Tell whose token this is."""
        return await self._connection.get(Myself, "me")

    async def wallets(self) -> list[Wallet]:
        """Show all wallets."""
        return (await self._connection.get(Wallets, "me", "wallets")).items

    async def wallet(self, asset: str) -> Wallet:
        """Show a wallet."""
        return await self._connection.get(Wallet, "me", "wallets", asset)

    def entries(
        self, asset: str, *, page_size: int = PAGE_SIZE, cursor: str | None = None
    ) -> Pages[MyEntry]:
        """List a wallet's entries, the newest first."""
        path = ("me", "wallets", asset, "entries")
        return Pages(self._connection, MyEntry, *path, query={}, page_size=page_size, cursor=cursor)

    async def next_grants(self) -> list[NextGrant]:
        """Tell what comes next."""
        return (await self._connection.get(NextGrants, "me", "next-grants")).items

    def grants(self, *, page_size: int = PAGE_SIZE, cursor: str | None = None) -> Pages[MyAward]:
        """List what programs gave."""
        return Pages(
            self._connection, MyAward, "me", "grants", query={}, page_size=page_size, cursor=cursor
        )

    async def claim(self, program: str) -> Claimed:
        """Claim for today, or this week."""
        return await self._connection.post(Claimed, "me", "claims", program, body={})

"""Movements of credit: one command, or many in one transaction.

Every method is applied once, however often its request has to be sent: without a ``reference`` of
the caller's one is made up, the same for every attempt.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from bursar.client.answers.ledger import BatchAnswer, Entry, Posting, Receipt
from bursar.client.asking import new_reference, said
from bursar.client.asynchronous.connection import Connection
from bursar.client.asynchronous.pages import PAGE_SIZE, Pages
from bursar.client.commands import (
    AnyCommand,
    Credit,
    Debit,
    Expire,
    Extend,
    LotTerms,
    Policy,
    Reverse,
    Transfer,
)


class PostingCalls:
    """Movements, and the journal of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def post(self, command: AnyCommand) -> Receipt:
        """Move credit by one command; raises `InsufficientFunds` and the other refusals."""
        reference = command.reference or new_reference()
        command = msgspec.structs.replace(command, reference=reference)
        return await self._connection.post(
            Receipt, "postings", body=command, key=reference, in_body=True
        )

    async def bulk(
        self, commands: Sequence[AnyCommand], *, reason: str | None = None
    ) -> BatchAnswer:
        """Move credit by up to 10,000 commands in one transaction, each answered for itself.

        A refused command does not hold up the others, unless they share a ``group``.
        """
        named = [
            msgspec.structs.replace(command, reference=command.reference or new_reference())
            for command in commands
        ]
        body = said(commands=named, reason=reason)
        return await self._connection.post(BatchAnswer, "postings", "bulk", body=body)

    async def credit(
        self,
        holder: str,
        asset: str,
        amount: int,
        *,
        reference: str | None = None,
        kind: Literal["grant", "earn", "purchase", "refund", "opening", "adjust"] = "grant",
        lot: LotTerms | None = None,
        source: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Give credit; opens the wallet if need be. With ``lot`` it is kept as a parcel."""
        command = Credit(
            holder=holder,
            asset=asset,
            amount=amount,
            reference=reference,
            kind=kind,
            lot=lot,
            source=source,
            metadata=metadata,
            effective_at=effective_at,
            reason=reason,
        )
        return await self.post(command)

    async def debit(
        self,
        holder: str,
        asset: str,
        amount: int,
        *,
        reference: str | None = None,
        kind: Literal["spend", "adjust"] = "spend",
        source: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Take credit that is available; raises `InsufficientFunds`."""
        command = Debit(
            holder=holder,
            asset=asset,
            amount=amount,
            reference=reference,
            kind=kind,
            source=source,
            metadata=metadata,
            effective_at=effective_at,
            reason=reason,
        )
        return await self.post(command)

    async def transfer(
        self,
        holder: str,
        asset: str,
        amount: int,
        *,
        to: str,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Move credit to another holder; the receipt is the sender's."""
        command = Transfer(
            holder=holder,
            asset=asset,
            amount=amount,
            to=to,
            reference=reference,
            metadata=metadata,
            reason=reason,
        )
        return await self.post(command)

    async def reverse(
        self,
        holder: str,
        asset: str,
        target: str,
        *,
        amount: int | None = None,
        policy: Policy = "clip",
        reference: str | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Undo the entry of reference ``target``, all that is left of it or ``amount``."""
        command = Reverse(
            holder=holder,
            asset=asset,
            target=target,
            amount=amount,
            policy=policy,
            reference=reference,
            reason=reason,
        )
        return await self.post(command)

    async def expire(
        self,
        holder: str,
        asset: str,
        *,
        keep: int = 0,
        origin: str | None = None,
        reference: str | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Let lots expire now, but for ``keep`` of them."""
        command = Expire(
            holder=holder,
            asset=asset,
            keep=keep,
            origin=origin,
            reference=reference,
            reason=reason,
        )
        return await self.post(command)

    async def extend(
        self,
        holder: str,
        asset: str,
        until: datetime,
        *,
        origin: str | None = None,
        hold: str | None = None,
        reference: str | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Give lots, or a hold, more time; nothing is made shorter."""
        command = Extend(
            holder=holder,
            asset=asset,
            until=until,
            origin=origin,
            hold=hold,
            reference=reference,
            reason=reason,
        )
        return await self.post(command)

    async def get(self, posting_id: int) -> Posting:
        """Tell who made a posting, when and why."""
        return await self._connection.get(Posting, "postings", posting_id)

    def journal(
        self,
        *,
        kind: str | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Entry]:
        """List the entries of all wallets, the newest posting first."""
        return Pages(
            self._connection,
            Entry,
            "journal",
            query={"kind": kind},
            page_size=page_size,
            cursor=cursor,
        )

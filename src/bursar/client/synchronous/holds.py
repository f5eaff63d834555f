"""Credit that is set aside for a while, then captured or given back."""

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from bursar.client.answers.ledger import HoldShown, HoldsShown, Receipt
from bursar.client.asking import new_reference
from bursar.client.commands import Capture, PlaceHold, Release
from bursar.client.errors import BursarError
from bursar.client.synchronous.connection import Connection
from bursar.client.synchronous.postings import PostingCalls


class Hold:
    """Credit set aside under ``reference``; ``receipt`` is that of placing it.

    As a context manager it gives back what it still has where the block raises. Where the block
    ends without having touched it, it is given back as well.
    """

    def __init__(
        self, postings: PostingCalls, holder: str, asset: str, reference: str, receipt: Receipt
    ) -> None:
        self._postings = postings
        self.holder = holder
        self.asset = asset
        self.reference = reference
        self.receipt = receipt
        self._touched = self._ended = False

    def __repr__(self) -> str:
        return f"Hold({self.holder!r}, {self.asset!r}, reference={self.reference!r})"

    def capture(
        self,
        amount: int | None = None,
        *,
        keep_rest: bool = False,
        reference: str | None = None,
        source: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Spend the hold, all of it or ``amount``; the rest is released unless ``keep_rest``."""
        command = Capture(
            holder=self.holder,
            asset=self.asset,
            hold=self.reference,
            amount=amount,
            keep_rest=keep_rest,
            reference=reference,
            source=source,
            metadata=metadata,
            reason=reason,
        )
        receipt = self._postings.post(command)
        self._touched, self._ended = True, not keep_rest
        return receipt

    def release(self, *, reference: str | None = None, reason: str | None = None) -> Receipt:
        """Give the hold back."""
        command = Release(
            holder=self.holder,
            asset=self.asset,
            hold=self.reference,
            reference=reference,
            reason=reason,
        )
        receipt = self._postings.post(command)
        self._touched = self._ended = True
        return receipt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended or (error is None and self._touched):
            return
        try:
            self.release(reason="the work failed" if error is not None else None)
        except BursarError as failure:
            if error is None:
                raise
            # what went wrong in the block matters more; the hold has ended, or its deadline will
            error.add_note(f"{self!r} was not released: {failure}")


class HoldCalls:
    """Setting credit aside."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._postings = PostingCalls(connection)

    def place(
        self,
        holder: str,
        asset: str,
        amount: int,
        *,
        deadline: datetime | None = None,
        reference: str | None = None,
        source: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> Hold:
        """Set credit aside until ``deadline``, or for good; raises `InsufficientFunds`.

        A deadline is the net under it: were this process to die, the hold would lapse by itself.
        """
        command = PlaceHold(
            holder=holder,
            asset=asset,
            amount=amount,
            deadline=deadline,
            reference=reference or new_reference(),
            source=source,
            metadata=metadata,
            reason=reason,
        )
        return self._place(holder, command)

    def _place(self, holder: str, command: PlaceHold) -> Hold:
        receipt = self._postings.post(command)
        return Hold(self._postings, holder, command.asset, receipt.reference, receipt)

    def capture(
        self,
        holder: str,
        asset: str,
        hold: str,
        *,
        amount: int | None = None,
        keep_rest: bool = False,
        reference: str | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Spend a hold that was placed before, by its reference."""
        command = Capture(
            holder=holder,
            asset=asset,
            hold=hold,
            amount=amount,
            keep_rest=keep_rest,
            reference=reference,
            reason=reason,
        )
        return self._postings.post(command)

    def release(
        self,
        holder: str,
        asset: str,
        hold: str,
        *,
        reference: str | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Give back a hold that was placed before, by its reference."""
        command = Release(holder=holder, asset=asset, hold=hold, reference=reference, reason=reason)
        return self._postings.post(command)

    def all(self, holder: str, asset: str) -> list[HoldShown]:
        """List a wallet's open holds, the oldest first."""
        path = ("holders", holder, "wallets", asset, "holds")
        return (self._connection.get(HoldsShown, *path)).items

"""Assets and wallets."""

from datetime import datetime
from typing import Literal

from bursar.client.answers.ledger import (
    Asset,
    Assets,
    BalanceAt,
    Entry,
    Explanation,
    Receipt,
    Total,
    Totals,
    Wallet,
    Wallets,
)
from bursar.client.asking import new_reference
from bursar.client.commands import WalletState
from bursar.client.synchronous.connection import Connection
from bursar.client.synchronous.pages import PAGE_SIZE, Pages


class AssetCalls:
    """Kinds of credit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Asset]:
        """List the kinds of credit."""
        return (self._connection.get(Assets, "assets")).items

    def add(self, code: str, *, reason: str, scale: int = 0) -> Asset:
        """Add a kind of credit; the same again is no error, another scale is a `Conflict`."""
        body = {"code": code, "scale": scale, "reason": reason}
        return self._connection.post(Asset, "assets", body=body)


class WalletCalls:
    """What somebody has, where it came from, what it may do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, holder: str) -> list[Wallet]:
        """Show all wallets of a holder."""
        return (self._connection.get(Wallets, "holders", holder, "wallets")).items

    def get(self, holder: str, asset: str) -> Wallet:
        """Show a wallet as it stands now; raises `Missing`."""
        return self._connection.get(Wallet, "holders", holder, "wallets", asset)

    def entries(
        self,
        holder: str,
        asset: str,
        *,
        kind: str | None = None,
        source: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Entry]:
        """List a wallet's entries, the newest first, in [since, until)."""
        return Pages(
            self._connection,
            Entry,
            *("holders", holder, "wallets", asset, "entries"),
            query={"kind": kind, "source": source, "since": since, "until": until},
            page_size=page_size,
            cursor=cursor,
        )

    def balance_at(
        self,
        holder: str,
        asset: str,
        at: datetime,
        *,
        by: Literal["recorded", "effective"] = "recorded",
    ) -> int:
        """Tell the balance as of an instant, as the books said then, or as they now say of then."""
        path = ("holders", holder, "wallets", asset, "balance")
        found = self._connection.get(BalanceAt, *path, query={"at": at, "by": by})
        return found.balance

    def totals(self, holder: str, asset: str) -> list[Total]:
        """Add up a wallet's life by kind and source."""
        path = ("holders", holder, "wallets", asset, "totals")
        return (self._connection.get(Totals, *path)).items

    def explain(self, holder: str, asset: str) -> Explanation:
        """Explain a balance: what came and went, what is left of which lot."""
        path = ("holders", holder, "wallets", asset, "explain")
        return self._connection.get(Explanation, *path)

    def set_limit(
        self, holder: str, asset: str, limit: int, *, reason: str, reference: str | None = None
    ) -> Receipt:
        """Let a wallet go down to ``-limit``; 0 takes the credit line away."""
        return self._set(holder, asset, "limit", limit, reason, reference)

    def set_state(
        self,
        holder: str,
        asset: str,
        state: WalletState,
        *,
        reason: str,
        reference: str | None = None,
    ) -> Receipt:
        """Freeze, unfreeze, close (only an empty wallet) or reopen."""
        return self._set(holder, asset, "state", state, reason, reference)

    def _set(
        self,
        holder: str,
        asset: str,
        what: str,
        value: str | int,
        reason: str,
        reference: str | None,
    ) -> Receipt:
        key = reference or new_reference()
        path = ("holders", holder, "wallets", asset, what)
        body = {what: value, "reason": reason, "reference": key}
        return self._connection.put(Receipt, *path, body=body, key=key, in_body=True)

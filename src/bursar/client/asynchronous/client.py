"""The client: everything the API offers, by subject."""

from types import TracebackType
from typing import Self

import httpx

from bursar.client.asynchronous.access import KeyCalls, TokenCalls
from bursar.client.asynchronous.connection import Connection
from bursar.client.asynchronous.deliveries import DeliveryCalls, DispatchCalls
from bursar.client.asynchronous.economy import EconomyCalls
from bursar.client.asynchronous.holds import HoldCalls
from bursar.client.asynchronous.inbox import InboxCalls
from bursar.client.asynchronous.notices import NoticeCalls
from bursar.client.asynchronous.operation import AuditCalls, OperationCalls
from bursar.client.asynchronous.people import ClaimCalls, HolderCalls, MyCalls
from bursar.client.asynchronous.postings import PostingCalls
from bursar.client.asynchronous.programs import GrantCalls, ProgramCalls, RunCalls
from bursar.client.asynchronous.wallets import AssetCalls, WalletCalls
from bursar.client.asynchronous.webhooks import WebhookCalls
from bursar.client.patience import Patience

MAX_CONNECTIONS = 32


class AsyncClient:
    """A Bursar, with an API key or a holder token.

    Share one among all tasks, and close it, best by using it as a context manager. What fails in
    a way that may pass is tried again, as ``patience`` says; a movement is never made twice by it.
    ``transport`` replaces the network, for tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: Patience | None = None,
        max_connections: int = MAX_CONNECTIONS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        connection = Connection(
            url,
            key,
            patience=patience or Patience(),
            max_connections=max_connections,
            transport=transport,
        )
        self._connection = connection
        self.assets = AssetCalls(connection)
        self.holders = HolderCalls(connection)
        self.wallets = WalletCalls(connection)
        self.postings = PostingCalls(connection)
        self.holds = HoldCalls(connection)
        self.programs = ProgramCalls(connection)
        self.runs = RunCalls(connection)
        self.grants = GrantCalls(connection)
        self.claims = ClaimCalls(connection)
        self.economy = EconomyCalls(connection)
        self.keys = KeyCalls(connection)
        self.tokens = TokenCalls(connection)
        self.audit = AuditCalls(connection)
        self.operation = OperationCalls(connection)
        self.notices = NoticeCalls(connection)
        self.webhooks = WebhookCalls(connection)
        self.deliveries = DeliveryCalls(connection)
        self.dispatches = DispatchCalls(connection)
        self.me = MyCalls(connection)
        self.inbox = InboxCalls(connection)

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

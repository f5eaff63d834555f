"""Receivers on loopback that answer as a test says, and an economy that sends there."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import trustme

from bursar.ledger import Ledger
from bursar.notices.model import Channel, Delivery, DeliveryState, Kind, NoticeId
from bursar.notices.webhooks.carrier import WebhookCarrier
from bursar.notices.webhooks.service import Endpoints
from bursar.platform.database import Database
from bursar.platform.sealing import Seal, new_key

LOOPBACK = ("127.0.0.0/8", "::1/128")
WHO = {"actor": "cli:ann", "reason": "as agreed"}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    """What came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server on 127.0.0.1 that keeps what it is sent; ``answer`` is what it says, or does."""

    port: int = 0
    scheme: str = "http"
    answer: Answer = OK
    got: list[Request] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def connections(self) -> int:
        return len(self.writers)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?token=t0psecret"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := (await reader.readline()).decode().strip():
                headers = {}
                while header := (await reader.readline()).decode().strip():
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                body = await reader.readexactly(int(headers["content-length"]))
                self.got.append(Request(line, headers, body))
                if isinstance(self.answer, bytes):
                    writer.write(self.answer)
                    await writer.drain()
                else:
                    await self.answer(writer)
        writer.close()


async def serving(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()
    for writer in receiver.writers:
        writer.transport.abort()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async for made in serving(Receiver()):
        yield made


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_receiver(authority: trustme.CA) -> AsyncIterator[Receiver]:
    """One with a certificate for 127.0.0.1 and hooks.example."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "hooks.example").configure_cert(context)
    async for made in serving(Receiver(scheme="https"), context):
        yield made


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def ledger(database: Any) -> AsyncIterator[Ledger]:
    pool = Database(database.url, max_connections=4)
    await pool.open()
    async with Ledger(pool) as made:
        yield made


@pytest.fixture
def key() -> str:
    return new_key()


@pytest.fixture
def seal(key: str) -> Seal:
    return Seal((key,))


@pytest.fixture
def endpoints(ledger: Ledger, seal: Seal) -> Endpoints:
    return Endpoints(ledger.database, seal, LOOPBACK)


@pytest.fixture
async def carrier(ledger: Ledger, seal: Seal) -> AsyncIterator[WebhookCarrier]:
    async for made in carrying(ledger, seal):
        yield made


async def carrying(ledger: Ledger, seal: Seal, **options: Any) -> AsyncIterator[WebhookCarrier]:
    given = {"networks": LOOPBACK, "connect_s": 30.0, "total_s": 30.0} | options
    made = WebhookCarrier(ledger, seal, given.pop("networks"), **given)
    yield made
    await made.close()


THEN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ID = UUID("0192f0c1-7b1a-8c3d-9e4f-000000000001")


def delivery(endpoint_id: int, *holder_ids: int | None, run: str | None = None) -> Delivery:
    """A deposit of each holder, on its way."""
    notices = [
        {
            "id": str(UUID(int=number)),
            "holder_id": holder_id,
            "happened_at": "2026-11-01T12:00:00Z",
            "data": {"asset": "coins", "amount": 500},
        }
        for number, holder_id in enumerate(holder_ids, 1)
    ]
    return Delivery(
        delivery_id=1,
        notice_id=NoticeId(ID),
        channel=Channel.WEBHOOK,
        kind=Kind.DEPOSIT,
        state=DeliveryState.WAITING,
        attempts=1,
        tries=1,
        happened_at=THEN,
        made_at=THEN,
        due_at=THEN,
        ended_at=None,
        holder_id=None,
        endpoint_id=endpoint_id,
        dispatch_id=None,
        address="",
        note="",
        data={"notices": notices, "run": run},
    )

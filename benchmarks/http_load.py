"""A lean client of the API: raw HTTP/1.1 over kept connections, in a process of its own.

``python -m benchmarks.http_load`` reads one JSON object from standard input (see `Load`), sends,
counts, and writes one JSON object (see `Told`). It does as little as it can: generator, API and
database share the machine's cores, and what it takes, they lack.
"""

import asyncio
import itertools
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import uvloop

Kind = Literal["single", "empty", "bulk", "read"]
BULK = 1_000


class Load(msgspec.Struct, kw_only=True):
    """What to send: to ``port`` of the loopback, with ``key``, over ``holders`` holders."""

    kind: Kind
    port: int
    key: str
    asset: str
    holders: int
    connections: int
    seconds: float


class Told(msgspec.Struct, kw_only=True):
    """What was answered: requests by status, their times, and this process's own share."""

    requests: int
    statuses: dict[str, int]
    a_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    own_us: float


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last is here."""

    def __init__(self, requests: Iterator[bytes], until: float, seen: "_Seen") -> None:
        self._requests = requests
        self._until = until
        self._seen = seen
        self._buffer = b""
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed a connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._buffer.find(b"content-length: ", 0, head) + 16
        length = int(self._buffer[at : self._buffer.find(b"\r", at)])
        if len(self._buffer) < head + 4 + length:
            return
        now = time.perf_counter()
        self._seen.times.append(now - self._sent)
        self._seen.statuses[self._buffer[9:12].decode()] += 1
        self._buffer = b""
        if now >= self._until:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._send()

    def _send(self) -> None:
        request = next(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(request)


class _Seen:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()


async def _go(load: Load) -> Told:
    loop = asyncio.get_running_loop()
    seen = _Seen()
    run = os.urandom(6).hex()
    began = time.perf_counter()
    made = []
    for number in range(load.connections):
        requests = _requests(load, f"{run}:{number}", number)
        _, protocol = await loop.create_connection(
            lambda requests=requests: _Connection(requests, began + load.seconds, seen),
            "127.0.0.1",
            load.port,
        )
        made.append(protocol)
    await asyncio.gather(*(protocol.done for protocol in made))
    took = time.perf_counter() - began
    times = sorted(seen.times)
    return Told(
        requests=len(times),
        statuses=dict(seen.statuses),
        a_second=len(times) / took,
        p50_ms=times[len(times) // 2] * 1e3,
        p99_ms=times[int(len(times) * 0.99)] * 1e3,
        worst_ms=times[-1] * 1e3,
        own_us=time.process_time() / len(times) * 1e6,
    )


def _requests(load: Load, name: str, seed: int) -> Iterator[bytes]:
    """Make requests without end, no two with one reference."""
    choose = random.Random(seed).randrange
    shared = f"Host: bench\r\nAuthorization: Bearer {load.key}\r\n".encode()
    holders, asset = load.holders, load.asset
    if load.kind == "read":
        head = b"GET /v1/holders/user-%d/wallets/%s HTTP/1.1\r\n" + shared + b"\r\n"
        while True:
            yield head % (choose(holders) + 1, asset.encode())
    path = {"single": "/v1/postings", "empty": "/empty", "bulk": "/v1/postings/bulk"}[load.kind]
    head = (
        f"POST {path} HTTP/1.1\r\n".encode()
        + shared
        + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    command = (
        f'{{"op":"credit","holder":"user-%d","asset":"{asset}","amount":5,"reference":"{name}:%d"}}'
    )
    for number in itertools.count():
        if load.kind == "bulk":
            first = number * BULK
            each = (command % (choose(holders) + 1, first + n) for n in range(BULK))
            body = ('{"commands":[' + ",".join(each) + '],"reason":"benchmark"}').encode()
        else:
            body = (command % (choose(holders) + 1, number)).encode()
        yield head % len(body) + body


def main() -> None:
    """Do what standard input says."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_go(load))))


if __name__ == "__main__":
    main()

"""Connecting to where a webhook may go, and to nowhere else (N3).

The name is resolved here, every address that it has is judged, and the connection goes to one that
was judged: a name server that answers something else the second time is not asked a second time.
TLS still asks the other side for the name. No proxy of the environment is used.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

import httpcore

from bursar.notices.webhooks.address import (
    Address,
    Network,
    allowed_in_clear,
    forbidden,
    literal,
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a name and a port to addresses as text; raises `OSError` where there is none."""

_LOOKUPS: Final = 16
_MOST: Final = 4
"""Addresses that are tried at most, one after the other."""


class Forbidden(Exception):
    """The place has an address that must not be reached."""


class Unresolved(httpcore.ConnectError):
    """The name has no address, or nobody says which."""


class Guard(httpcore.AsyncNetworkBackend):
    """Connects to judged addresses only; raises `Forbidden`.

    Without TLS (``clear``) the networks that are allowed are all that may be reached.
    """

    def __init__(self, networks: Sequence[Network], resolve: Resolve, *, clear: bool) -> None:
        self._networks = networks
        self._resolve = resolve
        self._clear = clear
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, in ``timeout`` seconds for all of it."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._judged(host, port)
        except TimeoutError:
            raise Unresolved("no answer in time") from None
        failure: Exception = Unresolved("no address")
        for position, address in enumerate(addresses):
            share = None
            if deadline is not None:
                share = max(deadline - loop.time(), 0) / (len(addresses) - position)
            try:
                stream = await self._plain.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            peer = stream.get_extra_info("server_addr")
            if not peer or ip_address(peer[0]) != address:
                await stream.aclose()
                raise Forbidden(f"{host}: connected to another address than {address}")
            return stream
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, for httpcore."""
        await asyncio.sleep(seconds)

    async def _judged(self, host: str, port: int) -> list[Address]:
        """Find the addresses of a host; one that is forbidden forbids the host."""
        written = literal(host)
        if written is not None:
            addresses = [written]
        else:
            try:
                found = await self._resolve(host, port)
            except OSError as error:
                raise Unresolved(error.strerror or "no such name") from None
            except UnicodeError:
                raise Unresolved("no such name") from None
            addresses = list(dict.fromkeys(ip_address(text) for text in found))
        for address in addresses:
            why = forbidden(address, self._networks)
            if why is not None:
                raise Forbidden(f"{host} leads to {address}, which is {why}")
            if self._clear and not allowed_in_clear(address, self._networks):
                raise Forbidden(f"{host} leads to {address}, which needs https://")
        return addresses[:_MOST]


class Resolver:
    """Asks the system's resolver, in threads of its own: a dead name server holds up no others."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="webhook-names")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Find the addresses of a name; raises `OSError`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        """Ask for nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

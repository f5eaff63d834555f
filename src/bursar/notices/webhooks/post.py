"""One request to one endpoint, bounded in time and size whatever the other side does (N3)."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import certifi
import httpcore

from bursar.notices.webhooks.address import Network, WebAddress
from bursar.notices.webhooks.guarded import Guard, Resolve, Resolver, Unresolved
from bursar.notices.webhooks.verdict import Answer, one_line

_READ_BYTES: Final = 2_048
_READ_S: Final = 2.0
_IDLE_S: Final = 4.0
"""Shorter than most servers keep a connection, so that they seldom close it as it is used."""

_CONNECTIONS: Final = 200
_IDLE_CONNECTIONS: Final = 20


class Unreached(Exception):
    """No answer came; the text says why, fit for a log."""


class Poster:
    """Posts to endpoints; connections are kept for a while and used again. `close` it.

    ``total_s`` is for everything from the name to the answer's head, ``connect_s`` for the
    connection, and as much again for TLS.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        connect_s: float,
        total_s: float,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connect_s = connect_s
        self._total_s = total_s
        self._resolver = Resolver()
        trusting = tls or _trusting()
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=trusting,
                max_connections=_CONNECTIONS,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_IDLE_S,
                network_backend=Guard(networks, resolve or self._resolver, clear=scheme == "http"),
            )
            for scheme in ("http", "https")
        }

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            await pool.aclose()
        self._resolver.close()

    async def post(self, where: WebAddress, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post, and read how the answer begins.

        An answer counts once its head is here: what becomes of the rest changes nothing, so that
        who took it and then dawdles is not sent it again. Raises `Unreached`, and `Forbidden` where
        nothing may be sent.
        """
        own = {"host": where.place, "content-length": str(len(body)), "accept-encoding": "identity"}
        given = {**headers, **own}
        request = httpcore.Request(
            "POST",
            httpcore.URL(
                scheme=where.scheme.encode(),
                host=where.host.encode(),
                port=where.port,
                target=where.target.encode(),
            ),
            headers=[(k.encode(), v.encode()) for k, v in given.items()],
            content=body,
            extensions={"timeout": {"connect": self._connect_s}},
        )
        deadline = asyncio.get_running_loop().time() + self._total_s
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._pools[where.scheme].handle_async_request(request)
        except TimeoutError:
            raise Unreached("no answer in time") from None
        except _FAILURES as error:
            raise Unreached(one_line(_why(error))) from None
        try:
            text = await _beginning(response, deadline)
        finally:
            with suppress(*_FAILURES):
                await response.aclose()
        return Answer(response.status, _header(response, b"retry-after"), text)


_FAILURES: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
)


async def _beginning(response: httpcore.Response, deadline: float) -> str:
    """Read some of an answer, as long as that is quick; what comes after it is not waited for."""
    read = bytearray()
    soon = min(deadline, asyncio.get_running_loop().time() + _READ_S)
    with suppress(TimeoutError, *_FAILURES):
        async with asyncio.timeout_at(soon):
            async for chunk in response.aiter_stream():
                read += chunk[: _READ_BYTES - len(read)]
                if len(read) >= _READ_BYTES:
                    break
    return read.decode("utf-8", errors="replace")


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("ascii", errors="replace")
    return None


def _why(error: Exception) -> str:
    """Say in a few words why there is no answer."""
    match error:
        case Unresolved():
            return f"name: {error}"
        case httpcore.ConnectTimeout():
            return "no connection in time"
        case httpcore.ConnectError():
            cause = error.args[0] if error.args else None
            if isinstance(cause, ssl.SSLError):
                return f"TLS: {getattr(cause, 'verify_message', '') or cause.reason or 'no'}"
            return f"no connection: {error}"
        case httpcore.RemoteProtocolError():
            return f"no HTTP: {error}"
        case _:
            return f"connection lost: {type(error).__name__}"


def _trusting() -> ssl.SSLContext:
    """Trust the authorities of the system, and those that everybody does."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context

"""Sending requests, and sending them again where that is right (I5)."""

import asyncio
import time
from collections.abc import Awaitable, Callable  # sync: from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

import httpx

from bursar.client.asking import Ask, Query, at, check_key, check_url, encode
from bursar.client.errors import BursarError, NoAnswer
from bursar.client.patience import Patience, may_repeat, retry_after_s
from bursar.client.reading import error_of, read

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]  # sync: Sleep = Callable[[float], None]

# Shorter than servers and balancers keep idle connections, so that none is used as it closes.
_IDLE_S: Final = 30.0

_NOT_CONNECTED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Connection:
    """One Bursar, one set of credentials, a pool of connections."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: Patience,
        max_connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.url = check_url(url)
        self._patience = patience
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            headers={"authorization": f"Bearer {check_key(key)}", "user-agent": "bursar-client"},
            timeout=patience.timeout_s,
            limits=httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=_IDLE_S,
            ),
            transport=transport,
        )

    async def get(self, kind: type[T], *segments: str | int, query: Query | None = None) -> T:
        """Read something."""
        return await self.send(kind, Ask(method="GET", path=at(*segments, query=query or {})))

    async def post(
        self,
        kind: type[T],
        *segments: str | int,
        body: object,
        key: str | None = None,
        in_body: bool = False,
        if_match: str | None = None,
        safe: bool = True,
    ) -> T:
        """Do something; ``safe`` where doing it twice does no more than once."""
        ask = Ask(
            method="POST",
            path=at(*segments),
            body=encode(body),
            key=key,
            in_body=in_body,
            if_match=if_match,
            safe=safe,
        )
        return await self.send(kind, ask)

    async def put(
        self,
        kind: type[T],
        *segments: str | int,
        body: object,
        key: str | None = None,
        in_body: bool = False,
        if_match: str | None = None,
        safe: bool = True,
    ) -> T:
        """Set something."""
        ask = Ask(
            method="PUT",
            path=at(*segments),
            body=encode(body),
            key=key,
            in_body=in_body,
            if_match=if_match,
            safe=safe,
        )
        return await self.send(kind, ask)

    async def patch(
        self,
        kind: type[T],
        *segments: str | int,
        body: object,
        if_match: str | None = None,
        safe: bool = True,
    ) -> T:
        """Change something."""
        ask = Ask(
            method="PATCH", path=at(*segments), body=encode(body), if_match=if_match, safe=safe
        )
        return await self.send(kind, ask)

    async def delete(self, kind: type[T], *segments: str | int, query: Query | None = None) -> T:
        """Remove something; again does no more."""
        return await self.send(kind, Ask(method="DELETE", path=at(*segments, query=query or {})))

    def listen(self, ask: Ask, silence_s: float) -> AbstractAsyncContextManager[httpx.Response]:
        """Ask for what comes bit by bit; nothing for ``silence_s`` is a failure."""
        times = httpx.Timeout(self._patience.timeout_s, read=silence_s)
        return self._http.stream(
            ask.method, self.url + ask.path, headers=ask.headers(), timeout=times
        )

    async def wait_to_listen(
        self,
        answer: httpx.Response | None,
        failure: httpx.RequestError | None,
        attempt: int,
        since: float,
        retry_s: float,
    ) -> None:
        """Wait before the next attempt, or raise what came of this one.

        ``since`` is when the last one that went well came to its end, by the monotonic clock.
        """
        left_s = self._patience.deadline_s - (time.monotonic() - since)
        after_s, wait_s = retry_s, None
        if answer is not None:
            after_s = max(after_s, retry_after_s(answer.headers.get("retry-after")) or 0.0)
        if may_repeat(None if answer is None else answer.status_code, safe=True):
            wait_s = self._patience.wait_s(attempt, left_s, after_s)
        if wait_s is not None:
            await self._sleep(wait_s)
        elif answer is not None:
            raise error_of(answer)
        else:
            raise _no_answer(failure, attempt + 1) from failure

    async def send(self, kind: type[T], ask: Ask) -> T:
        """Send until there is an answer that is final, or no time is left; see `Patience`."""
        until = time.monotonic() + self._patience.deadline_s
        attempt, lost = 0, False
        while True:
            answer, failure = await self._attempt(ask)
            lost = lost or (failure is not None and not isinstance(failure, _NOT_CONNECTED))
            lost = lost or (answer is not None and answer.status_code >= 500)
            wait_s = self._wait_s(ask, answer, failure, attempt, until - time.monotonic())
            if wait_s is None:
                break
            await self._sleep(wait_s)
            attempt += 1
        try:
            if answer is None:
                raise _no_answer(failure, attempt + 1) from failure
            return read(answer, kind)
        except BursarError as error:
            error.uncertain, error.idempotency_key = lost, ask.key
            raise

    async def _attempt(self, ask: Ask) -> tuple[httpx.Response | None, httpx.RequestError | None]:
        try:
            answer = await self._http.request(
                ask.method, self.url + ask.path, content=ask.body, headers=ask.headers()
            )
        except httpx.RequestError as error:
            return None, error
        return answer, None

    def _wait_s(
        self,
        ask: Ask,
        answer: httpx.Response | None,
        failure: httpx.RequestError | None,
        attempt: int,
        left_s: float,
    ) -> float | None:
        """Say how long to wait before the next attempt; None where there is to be none."""
        if answer is not None and answer.is_success:
            return None
        status = None if answer is None else answer.status_code
        connected = not isinstance(failure, _NOT_CONNECTED)
        if not may_repeat(status, safe=ask.safe, connected=connected):
            return None
        after_s = None if answer is None else retry_after_s(answer.headers.get("retry-after"))
        return self._patience.wait_s(attempt, left_s, after_s)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _no_answer(failure: httpx.RequestError | None, attempts: int) -> NoAnswer:
    words = str(failure) or type(failure).__name__ if failure else "the stream has ended"
    return NoAnswer(
        "no_answer",
        f"no answer after {attempts} attempt{'s' if attempts > 1 else ''}: {words}",
        fields={"attempts": attempts},
    )

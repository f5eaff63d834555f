"""What every request passes before the application and every answer after it.

A request gets an id, a size that is not exceeded and a time for its body; an answer gets the id,
the headers that keep browsers from guessing, and what is left of the caller's rate.
"""

import asyncio
import re
import secrets
import time
from typing import Any, Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from bursar.api.guard import rate_headers
from bursar.api.problems import MEDIA_TYPE, encode, headers_of, problem_of
from bursar.api.segments import separate
from bursar.api.telemetry import Telemetry
from bursar.platform.errors import BursarError, Invalid, Unavailable

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,80}")
_SAFE: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
_BODY_S: Final = 20.0
_SLOW_S: Final = 1.0

_log: Final = structlog.get_logger("bursar.api")


class Gate:
    """Wraps the application; see the module."""

    def __init__(
        self, app: ASGIApp, telemetry: Telemetry, *, max_body: int, access_log: bool
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._max_body = max_body
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        await self._request(scope, receive, send)

    async def _request(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        given, length = _read(scope)
        request_id = given or secrets.token_hex(8).encode()
        scope["request_id"] = request_id.decode()  # type: ignore[typeddict-unknown-key]
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id)]
                names = {name for name, _ in message["headers"]}
                headers += [pair for pair in _SAFE if pair[0] not in names]
                if (allowance := scope.get("allowance")) is not None:
                    headers += rate_headers(allowance)  # type: ignore[arg-type]
                message["headers"] = headers
            await send(message)

        try:
            if length > self._max_body:
                raise Invalid(
                    "body_too_large",
                    f"a request's body has at most {self._max_body} bytes",
                    bytes=self._max_body,
                )
            if b"%" in scope["raw_path"]:
                scope["path"] = separate(scope["raw_path"])
            await self._app(scope, _patient(receive) if length else receive, answer)
        except BursarError as error:
            if not status:
                await _refuse(error, request_id, answer)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: HTTPScope, status: int, took_s: float) -> None:
        route = str(scope.get("path_template", "unknown"))
        self._telemetry.count(scope["method"], route, status, took_s)
        if self._access_log or status >= 500 or status == 0 or took_s > _SLOW_S:
            caller: Any = scope.get("caller")
            _log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                took_ms=round(took_s * 1000, 1),
                request_id=scope["request_id"],  # type: ignore[typeddict-item]
                actor=caller.actor if caller is not None else None,
            )


def _read(scope: HTTPScope) -> tuple[bytes | None, int]:
    """Find the request's id, if it has a sane one, and its length; -1 where it is chunked."""
    request_id, length = None, 0
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value
        elif name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 20 else -1
        elif name == b"transfer-encoding":
            length = -1
    return request_id, length


def _patient(receive: Receive) -> Receive:
    """Wait for a body, but not for ever."""
    until = asyncio.get_running_loop().time() + _BODY_S

    async def patient() -> Any:
        try:
            async with asyncio.timeout_at(until):
                return await receive()
        except TimeoutError:
            raise Unavailable("request_timeout", "the body did not arrive in time") from None

    return patient


async def _refuse(error: BursarError, request_id: bytes, send: Send) -> None:
    problem = problem_of(error, request_id.decode())
    body = encode(problem)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *[(name.encode(), value.encode()) for name, value in headers_of(problem).items()],
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

"""What every request passes before the application and every answer after it.

A request gets an id and a size that is not exceeded; an answer gets the id, the headers that keep
browsers from guessing, and what is left of the caller's rate. What is asked thousands of times a
second goes past the framework, by the express lane, and through the same gate.
"""

import re
import secrets
import time
from collections.abc import Mapping
from itertools import count
from typing import Any, Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from bursar.api.call import too_large
from bursar.api.guard import rate_headers
from bursar.api.problems import answer_problem
from bursar.api.segments import separate, spare_names
from bursar.api.telemetry import Telemetry
from bursar.platform.errors import BursarError, Missing

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,80}")
_SAFE: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_SLOW_S: Final = 1.0

_log: Final = structlog.get_logger("bursar.api")

Lanes = Mapping[tuple[str, str], ASGIApp]


class Gate:
    """Wraps the application; see the module. ``lanes`` are by method and path."""

    def __init__(
        self,
        app: ASGIApp,
        telemetry: Telemetry,
        lanes: Lanes,
        *,
        max_body: int,
        access_log: bool,
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._lanes = lanes
        self._max_body = max_body
        self._access_log = access_log
        self._process = secrets.token_hex(6)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        given, length = _read(scope)
        request_id = given or f"{self._process}-{next(self._numbers):x}"
        notes: dict[str, Any] = scope  # type: ignore[assignment]
        notes["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode()), *_SAFE]
                if (allowance := notes.get("allowance")) is not None:
                    headers += rate_headers(allowance)
                message["headers"] = headers
                if "stream" in notes:
                    self._telemetry.begin_stream(scope["method"], _route(notes), status)
            await send(message)

        try:
            if length > self._max_body:
                raise too_large(self._max_body)
            if _has_empty_part(scope["raw_path"]):
                raise Missing("path_unknown", "the path has an empty part, or ends in a slash")
            if b"%" in scope["raw_path"]:
                scope["path"] = separate(scope["raw_path"])
            lane = self._lanes.get((scope["method"], scope["path"]))
            if lane is None:
                lane, scope["path"] = self._app, spare_names(scope["method"], scope["path"])
            await lane(scope, receive, answer)
        except BursarError as error:
            if status:
                raise
            await answer_problem(error, request_id, answer, close=True)
        finally:
            self._count(scope, notes, status, time.perf_counter() - began)

    def _count(
        self, scope: HTTPScope, notes: Mapping[str, Any], status: int, took_s: float
    ) -> None:
        route, is_stream = _route(notes), "stream" in notes and status != 0
        if is_stream:
            self._telemetry.end_stream(route)
        else:
            self._telemetry.count(scope["method"], route, status, took_s)
        slow = took_s > _SLOW_S and not is_stream  # that it takes long is what a stream is for
        if self._access_log or status >= 500 or status == 0 or slow:
            caller = notes.get("caller")
            _log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                took_ms=round(took_s * 1000, 1),
                request_id=notes["request_id"],
                actor=caller.actor if caller is not None else None,
                client=peer[0] if (peer := scope["client"]) else None,
            )


def _route(notes: Mapping[str, Any]) -> str:
    return str(notes.get("path_template", "unknown"))


def _has_empty_part(raw_path: bytes) -> bool:
    """Say whether the framework would take the path for a shorter one."""
    return b"//" in raw_path or (raw_path.endswith(b"/") and raw_path != b"/")


def _read(scope: HTTPScope) -> tuple[str | None, int]:
    """Find the request's id, if it has a sane one, and its length; 0 where it is not told."""
    request_id, length = None, 0
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])
    return request_id, length

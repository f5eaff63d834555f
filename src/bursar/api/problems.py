"""Errors as problem details (RFC 9457): one table from families to status codes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.types import ExceptionHandlersMap, Send

from bursar.platform.database import translated
from bursar.platform.errors import Broken, BursarError, Family, Invalid

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[Family, int]] = {
    "invalid": 400,
    "denied": 403,
    "missing": 404,
    "conflict": 409,
    "rejected": 422,
    "broken": 500,
    "unavailable": 503,
}

STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "credential_missing": 401,
    "credential_invalid": 401,
    "token_expired": 401,
    "request_timeout": 408,
    "precondition_failed": 412,
    "webhook_moved": 412,
    "body_too_large": 413,
    "headers_too_large": 431,
    "rate_limited": 429,
    "too_many_streams": 429,
}
"""Where HTTP is more exact than the family."""

_CODES: Final = {404: "path_unknown", 405: "method_not_allowed", 413: "body_too_large",
                 415: "media_type"}  # fmt: skip
"""What Litestar says by itself, in our words."""

_SAID: Final[Mapping[str, str]] = {
    "database_unavailable": "the database does not answer now; the operator's log says why",
}
"""Instead of the message, which names addresses, paths and roles: anybody may ask for it."""

_log: Final = structlog.get_logger("bursar.api")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. ``code`` is stable (docs/errors.md), ``detail`` is for people.

    ``fields`` are what a program needs to act; ``request_id`` finds the request in the logs.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: dict[str, Any] = {}
    request_id: str = ""


def problem_of(error: BursarError, request_id: str = "") -> Problem:
    """Describe an error of the domain."""
    detail = _SAID.get(error.code, error.message)
    if error.family == "broken":
        detail = "something is wrong inside; the operator has been told"
    return Problem(
        type=f"urn:bursar:error:{error.code}",
        title=_TITLES[error.family],
        status=STATUS_OF_CODE.get(error.code, STATUS[error.family]),
        detail=detail,
        code=error.code,
        fields={} if error.family == "broken" else dict(error.fields),
        request_id=request_id,
    )


def encode(problem: Problem) -> bytes:
    """Write a problem; what JSON does not know is written as text."""
    return msgspec.json.encode(problem, enc_hook=str)


def headers_of(problem: Problem) -> dict[str, str]:
    """Say what a client should know before it reads the body."""
    if problem.status == 401:
        return {"www-authenticate": 'Bearer realm="bursar"'}
    if problem.status == 413:
        return {"connection": "close"}  # rather than to read on to the end of the body
    if problem.status in (429, 503):
        return {"retry-after": str(problem.fields.get("retry_after_s", 1))}
    if problem.status == 405 and (allowed := problem.fields.get("allow")):
        return {"allow": str(allowed)}
    return {}


_TITLES: Final[Mapping[Family, str]] = {
    "invalid": "The request is malformed",
    "denied": "These credentials do not allow it",
    "missing": "What it names does not exist",
    "conflict": "It conflicts with what is there",
    "rejected": "A rule says no",
    "broken": "Something is broken",
    "unavailable": "Try again later",
}


def known(error: Exception, request_id: str) -> BursarError:
    """Say of any error what the caller may know; tell the log what nobody foresaw."""
    if isinstance(error, RecursionError):
        return Invalid("body_too_deep", "the JSON is nested too deep")
    try:
        with translated():
            raise error
    except BursarError as told:
        found = told
    except Exception:
        found = Broken("unforeseen", "unforeseen")
    if found.code in _SAID:
        _log.warning("unavailable", code=found.code, message=found.message, request_id=request_id)
    if found.family == "broken":
        _log.error(
            "broken",
            code=found.code,
            message=found.message,
            request_id=request_id,
            exc_info=error,
        )
    return found


async def answer_problem(
    error: BursarError, request_id: str, send: Send, *, close: bool = False
) -> None:
    """Answer a request with a problem, outside the framework."""
    problem = problem_of(error, request_id)
    body = encode(problem)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *[(name.encode(), value.encode()) for name, value in headers_of(problem).items()],
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _answer(problem: Problem) -> Response[bytes]:
    return Response(
        content=encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers_of(problem),
    )


def _of_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    request_id = _request_id(request)
    return _answer(problem_of(known(error, request_id), request_id))


def _of_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status = error.status_code
    if status >= 500:
        return _of_anything(request, error)
    fields: dict[str, Any] = {}
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        asked = _asked(request)
        fields["problems"] = [_told(item, asked) for item in error.extra]
    if status == 405 and error.headers:
        fields["allow"] = error.headers.get("allow", "")
    code = _CODES.get(status, "request_invalid")
    problem = Problem(
        type=f"urn:bursar:error:{code}",
        title=_LITESTAR_TITLES.get(status, _TITLES["invalid"]),
        status=status,
        detail=_detail(error),
        code=code,
        fields=fields,
        request_id=_request_id(request),
    )
    return _answer(problem)


_LITESTAR_TITLES: Final = {
    404: "What it names does not exist",
    405: "Not with this method",
    413: "The request is too large",
    415: "Not of this media type",
}


def _asked(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Say by which names an endpoint's parameters are asked for, by those of its arguments."""
    handler = request.scope.get("route_handler")
    if not isinstance(handler, HTTPRouteHandler):
        return {}
    rules = {
        name: at.kwarg_definition for name, at in handler.parsed_fn_signature.parameters.items()
    }
    return {name: of.name or name for name, of in rules.items() if isinstance(of, ParameterKwarg)}


def _told(item: Any, asked: Mapping[str, str]) -> Any:
    """Keep of a validation error what helps: which parameter, and what is wrong with it."""
    if isinstance(item, dict):
        said = {k: getattr(v, "value", v) for k, v in item.items()}
        told = {k: str(v)[:300] for k, v in said.items() if k in ("key", "message", "source")}
        if told.get("source") != "body" and told.get("key") in asked:
            told["key"] = asked[told["key"]]
        return told
    return str(item)[:300]


def _detail(error: HTTPException) -> str:
    return (error.detail or "the request cannot be read").split("\n", maxsplit=1)[0][:500]


def _request_id(request: Request[Any, Any, Any]) -> str:
    notes: Mapping[str, Any] = request.scope
    return str(notes.get("request_id", ""))


HANDLERS: Final[ExceptionHandlersMap] = {
    HTTPException: _of_litestar,
    Exception: _of_anything,
}

"""Who calls, may they, and not too often: asked before anything of the request is read (I2)."""

from math import ceil
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import HTTPScope

from bursar.access import Allowance, Caller
from bursar.api.scopes import EVERYBODY, Scopes
from bursar.api.services import Services
from bursar.platform.errors import Denied, Unavailable

_BEARER: Final = b"bearer "
_WINDOW_S: Final = 60


async def authorize(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Let a request in, or raise what `admit` raises.

    Every handler names its scopes in ``opt``; one that does not is closed to all.
    """
    scopes: Scopes | None = handler.opt.get("scopes")
    services: Services = connection.app.state.services
    opened = handler.opt.get("open_by_setting", False) and services.settings.open_metrics
    if scopes is not EVERYBODY and not opened:
        await admit(connection.scope, services, scopes or frozenset())


async def admit(scope: Any, services: Services, scopes: Scopes) -> Caller:
    """Find out who calls, and note it in the request's scope.

    What they may not do counts as well: who tries all doors is slowed down, and named in the log.
    Raises `Denied` for who is not known or has none of the scopes, `Unavailable` ``rate_limited``.
    """
    caller = await services.access.authenticate(credential_of(scope))
    scope["caller"] = caller
    allowance = await services.limiter.take(_subject(caller), caller.per_minute)
    scope["allowance"] = allowance
    if not allowance.allowed:
        raise Unavailable(
            "rate_limited",
            f"more than {allowance.limit} requests in a minute",
            limit=allowance.limit,
            retry_after_s=max(1, ceil(allowance.reset_s)),
        )
    if scopes.isdisjoint(caller.scopes):
        raise Denied(
            "scope_missing",
            "these credentials have none of the scopes that this needs",
            scopes=sorted(scopes),
        )
    return caller


def rate_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """Tell what is left, as the draft of the IETF's working group writes it."""
    left, reset = max(allowance.remaining, 0), max(0, ceil(allowance.reset_s))
    return [
        (b"ratelimit-policy", b'"default";q=%d;w=%d' % (allowance.limit, _WINDOW_S)),
        (b"ratelimit", b'"default";r=%d;t=%d' % (left, reset)),
    ]


def credential_of(scope: HTTPScope) -> str:
    """Find what a request shows of who sends it; raises `Denied` ``credential_missing``."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == _BEARER:
            return value[7:].strip().decode("latin-1")
    raise Denied("credential_missing", "send an API key or a holder token: Authorization: Bearer …")


def _subject(caller: Caller) -> str:
    return f"holder:{caller.holder}" if caller.key_id is None else f"key:{caller.key_id}"

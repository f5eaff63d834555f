"""Who calls, may they, and not too often: asked before anything of the request is read (I2)."""

from math import ceil
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from bursar.access import Allowance, Caller
from bursar.api.scopes import EVERYBODY, Scopes
from bursar.api.services import Services
from bursar.platform.errors import Denied, Unavailable

_BEARER: Final = "bearer "
_WINDOW_S: Final = 60


async def authorize(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Let a request in, or raise `Denied`, or `Unavailable` ``rate_limited``.

    Every handler names its scopes in ``opt``; one that does not is closed to all.
    """
    scopes: Scopes | None = handler.opt.get("scopes")
    if scopes is EVERYBODY:
        return
    services: Services = connection.scope["litestar_app"].state.services
    given = connection.headers.get("authorization")
    if given is None or given[:7].lower() != _BEARER:
        raise Denied(
            "credential_missing", "send an API key or a holder token: Authorization: Bearer …"
        )
    caller = await services.access.authenticate(given[7:].strip())
    if scopes is None or scopes.isdisjoint(caller.scopes):
        raise Denied(
            "scope_missing",
            "these credentials have none of the scopes that this needs",
            scopes=sorted(scopes or ()),
        )
    allowance = await services.limiter.take(_subject(caller), caller.per_minute)
    connection.scope["caller"] = caller  # type: ignore[typeddict-unknown-key]
    connection.scope["allowance"] = allowance  # type: ignore[typeddict-unknown-key]
    if not allowance.allowed:
        raise Unavailable(
            "rate_limited",
            f"more than {allowance.limit} requests in a minute",
            limit=allowance.limit,
            retry_after_s=max(1, ceil(allowance.reset_s)),
        )


def rate_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """Tell what is left, as the draft of the IETF's working group writes it."""
    left, reset = max(allowance.remaining, 0), max(0, ceil(allowance.reset_s))
    return [
        (b"ratelimit-policy", b'"default";q=%d;w=%d' % (allowance.limit, _WINDOW_S)),
        (b"ratelimit", b'"default";r=%d;t=%d' % (left, reset)),
    ]


def _subject(caller: Caller) -> str:
    return f"holder:{caller.holder}" if caller.key_id is None else f"key:{caller.key_id}"

"""Instants in queries: written out, never as a number.

The framework would take a number for seconds since 1970, so that whoever asks for ``since=2026``
would be answered about a minute of that year.
"""

import re
from datetime import datetime
from functools import cache
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from bursar.platform.errors import Invalid

_BEGINNING: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


async def exact_instants(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse what is no instant where one is asked for; raises `Invalid` ``request_invalid``.

    The rest of it is looked at where it is read.
    """
    for name in _names(handler):
        for given in connection.query_params.getall(name, []):
            if not _BEGINNING.match(given):
                raise Invalid(
                    "request_invalid",
                    f"{name} is an instant with a zone, as 2026-01-31T08:00:00Z",
                    field=name,
                )


@cache
def _names(handler: BaseRouteHandler) -> tuple[str, ...]:
    """Name the parameters that are instants."""
    return tuple(
        name
        for name, field in handler.parsed_fn_signature.parameters.items()
        if any(kind.annotation is datetime for kind in (field, *field.inner_types))
    )

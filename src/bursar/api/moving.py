"""Movements that have an endpoint of their own: made into a command, and answered as one."""

from typing import Any, Final

from litestar import Response

from bursar.access import Caller
from bursar.api.call import Call
from bursar.api.services import Services
from bursar.api.wire.entries import Receipt, entry_view
from bursar.api.wire.text import BY_API
from bursar.ledger import AnyCommand, Status
from bursar.platform.errors import Invalid

ANSWERS: Final = {200: Receipt, 201: Receipt}
"""201 for what was done now, 200 for what was in the books already."""


async def moved(services: Services, caller: Caller, command: AnyCommand) -> tuple[int, Receipt]:
    """Do one command, once; the status of the answer, and what it is; raises the refusal."""
    result = await services.ledger.submit(
        command, actor=caller.actor, reason=command.reason or BY_API
    )
    view = entry_view(result.unwrap(), asset=command.asset, holder=command.holder)
    status = 201 if result.status is Status.APPLIED else 200
    return status, Receipt(status=result.status, entry=view)


async def move(request: Call, command: AnyCommand) -> Response[Receipt]:
    """Do one command, and answer with its receipt."""
    status, receipt = await moved(request.services, request.caller, command)
    return Response(receipt, status_code=status)


def named(request: Call, reference: str | None, **fields: Any) -> dict[str, Any]:
    """Name a movement; see `reference_of`."""
    return {"reference": reference_of(request, reference), **fields}


def reference_of(request: Call, reference: str | None = None) -> str:
    """Take a movement's own reference, else the `Idempotency-Key`.

    Raises `Invalid` ``reference_missing``: what has no name could not be sent again.
    """
    found = reference or request.idempotency_key
    if found is None:
        raise Invalid(
            "reference_missing",
            "a movement has a reference, or an Idempotency-Key: sent again it is the same one",
            field="reference",
        )
    return found

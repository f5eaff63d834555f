"""Grants by hand: what an operator gives for once, as a run (P14)."""

from typing import Final

from litestar import post
from litestar.handlers import BaseRouteHandler

from bursar.api.call import Call
from bursar.api.scopes import OPERATORS
from bursar.api.wire.runs import NewGrant, RunView, run_id_of, run_view
from bursar.platform.errors import Invalid


@post("/v1/grants", opt={"scopes": OPERATORS}, tags=["Grants"])
async def grant(request: Call, data: NewGrant) -> RunView:
    """Give by hand; answers the run that does it, which a worker carries out.

    With an `Idempotency-Key` it is done once, however often it is sent: the same again is answered
    with the run there is, something else under the same key is a conflict `grant_reference`. The
    key is the run's ``reference``.
    """
    if (data.holders is not None) + data.everybody + (data.run is not None) != 1:
        raise Invalid("grant_to", "a grant is to holders, to everybody or to a run's: name one")
    runs = request.services.programs.runs
    made = await runs.grant(
        program=data.program,
        asset=data.asset,
        amount=data.amount,
        holders=data.holders,
        run=None if data.run is None else run_id_of(data.run),
        reference=request.idempotency_key,
        dry_run=data.dry_run,
        actor=request.caller.actor,
        reason=data.reason,
    )
    return run_view(await runs.report(made))


ROUTES: Final[list[BaseRouteHandler]] = [grant]

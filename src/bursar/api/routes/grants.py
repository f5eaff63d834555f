"""Grants by hand: what an operator gives for once, as a run (P14)."""

from typing import Final

from litestar import Response, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from bursar.api.call import Call
from bursar.api.moving import reference_of
from bursar.api.scopes import OPERATORS
from bursar.api.wire.runs import NewGrant, RunView, run_id_of, run_view
from bursar.platform.errors import Invalid


@post(
    "/v1/grants",
    opt={"scopes": OPERATORS, "answers": {200: RunView, 201: RunView}},
    tags=["Grants"],
)
async def grant(request: Call, data: JSONBody[NewGrant]) -> Response[RunView]:
    """Give by hand; answers the run that does it, which a worker carries out.

    The `Idempotency-Key` is needed, and is the run's `reference`: under one key it is done once,
    however often it is sent. The same again is answered with the run there is, and 200; something
    else under the same key is a conflict `grant_reference`.
    """
    if (data.holders is not None) + data.everybody + (data.run is not None) != 1:
        raise Invalid("grant_to", "a grant is to holders, to everybody or to a run's: name one")
    reference = reference_of(request)
    runs = request.services.programs.runs
    before = await runs.granted(reference)
    made = await runs.grant(
        program=data.program,
        asset=data.asset,
        amount=data.amount,
        holders=data.holders,
        run=None if data.run is None else run_id_of(data.run),
        reference=reference,
        dry_run=data.dry_run,
        actor=request.caller.actor,
        reason=data.reason,
    )
    report = run_view(await runs.report(made))
    return Response(report, status_code=200 if made == before else 201)


ROUTES: Final[list[BaseRouteHandler]] = [grant]

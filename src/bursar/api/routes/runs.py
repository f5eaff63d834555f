"""Runs: started by hand, looked at, steered; done by workers (P5-P8, P10)."""

from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from bursar.api.call import Call
from bursar.api.scopes import OPERATORS, READERS
from bursar.api.segments import Segment
from bursar.api.wire.runs import (
    Approval,
    ExclusionPage,
    ExclusionView,
    FailurePage,
    FailureView,
    NewRunOf,
    Retried,
    RevertOf,
    RunPage,
    RunView,
    run_id_of,
    run_view,
)
from bursar.api.wire.text import Because, QueryWord
from bursar.platform.pages import MAX_PAGE, place_of
from bursar.programs.model import RunId

_RUN: Final = "/v1/runs/{run:str}"

_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]


@post("/v1/programs/{program:str}/runs", opt={"scopes": OPERATORS}, tags=["Runs"])
async def start_run(request: Call, program: Segment, data: JSONBody[NewRunOf]) -> RunView:
    """Start the run of a period that has begun, the current one by default.

    It is answered at once: the run is `running` until a worker (`bursar worker`) has done it, or
    `waiting` if a limit asks for a second person. A period is run once: to ask again is a conflict
    `period_run` that names the run there is, unless that has been reverted.
    """
    run_id = await request.services.programs.runs.start(
        program,
        data.period,
        actor=request.caller.actor,
        reason=data.reason,
        dry_run=data.dry_run,
    )
    return await _shown(request, run_id)


@get("/v1/runs", opt={"scopes": READERS}, tags=["Runs"])
async def list_runs(
    request: Call,
    program: QueryWord = None,
    limit: _Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> RunPage:
    """List runs, of one program or all, the newest first."""
    programs = request.services.programs
    if program is not None:
        await programs.program(program)
    before = None if cursor is None else place_of(cursor)
    found = await programs.runs.recent(program, before=before, limit=limit)
    following = str(found[-1].run.run_id) if len(found) == limit else None
    return RunPage(items=[run_view(report) for report in found], cursor=following)


@get(_RUN, opt={"scopes": READERS}, tags=["Runs"])
async def show_run(request: Call, run: Segment) -> RunView:
    """Show a run: what it is, how it stands, what it has come to."""
    return await _shown(request, run_id_of(run))


@get(_RUN + "/failures", opt={"scopes": READERS}, tags=["Runs"])
async def list_failures(
    request: Call,
    run: Segment,
    resolved: FromQuery[bool] = False,
    limit: _Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> FailurePage:
    """List the holders whom a run has set aside; with `resolved` also those given since."""
    after = 0 if cursor is None else place_of(cursor)
    found = await request.services.programs.runs.failures(
        run_id_of(run), after=after, everything=resolved, limit=limit
    )
    items = [
        FailureView(
            holder=one.holder,
            attempts=one.attempts,
            failed_at=one.failed_at,
            retry_at=one.retry_at,
            resolved_at=one.resolved_at,
            code=one.code,
            message=one.message,
        )
        for one in found
    ]
    return FailurePage(
        items=items, cursor=str(found[-1].holder_id) if len(found) == limit else None
    )


@get(_RUN + "/exclusions", opt={"scopes": READERS}, tags=["Runs"])
async def list_exclusions(
    request: Call, run: Segment, limit: _Limit = 50, cursor: FromQuery[str | None] = None
) -> ExclusionPage:
    """List the holders whom a run has left out, of the reasons that its program keeps."""
    after = 0 if cursor is None else place_of(cursor)
    found = await request.services.programs.runs.exclusions(
        run_id_of(run), after=after, limit=limit
    )
    items = [
        ExclusionView(holder=one.holder, reason=one.reason, period=one.period_key or None)
        for one in found
    ]
    return ExclusionPage(
        items=items, cursor=str(found[-1].holder_id) if len(found) == limit else None
    )


@post(_RUN + "/approve", opt={"scopes": OPERATORS}, tags=["Runs"], status_code=200)
async def approve_run(request: Call, run: Segment, data: JSONBody[Approval]) -> RunView:
    """Let a run that waits begin, as a second person, with the total that was looked at.

    Neither who started it nor who made the program's version may; two keys of one owner are one
    person.
    """
    run_id = run_id_of(run)
    await request.services.programs.runs.approve(
        run_id, data.total, actor=request.caller.actor, reason=data.reason
    )
    return await _shown(request, run_id)


@post(_RUN + "/pause", opt={"scopes": OPERATORS}, tags=["Runs"], status_code=200)
async def pause_run(request: Call, run: Segment, data: JSONBody[Because]) -> RunView:
    """Stop a run where it is; what is under way is finished."""
    run_id = run_id_of(run)
    await request.services.programs.runs.pause(
        run_id, actor=request.caller.actor, reason=data.reason
    )
    return await _shown(request, run_id)


@post(_RUN + "/resume", opt={"scopes": OPERATORS}, tags=["Runs"], status_code=200)
async def resume_run(request: Call, run: Segment, data: JSONBody[Because]) -> RunView:
    """Let a paused run go on."""
    run_id = run_id_of(run)
    await request.services.programs.runs.resume(
        run_id, actor=request.caller.actor, reason=data.reason
    )
    return await _shown(request, run_id)


@post(_RUN + "/cancel", opt={"scopes": OPERATORS}, tags=["Runs"], status_code=200)
async def cancel_run(request: Call, run: Segment, data: JSONBody[Because]) -> RunView:
    """End a run for good; what it has given stays until it is reverted."""
    run_id = run_id_of(run)
    await request.services.programs.runs.cancel(
        run_id, actor=request.caller.actor, reason=data.reason
    )
    return await _shown(request, run_id)


@post(_RUN + "/revert", opt={"scopes": OPERATORS}, tags=["Runs"])
async def revert_run(request: Call, run: Segment, data: JSONBody[RevertOf]) -> RunView:
    """Take back what a run gave; answers the run that does it, which a worker carries out."""
    made = await request.services.programs.runs.revert(
        run_id_of(run), data.policy, actor=request.caller.actor, reason=data.reason
    )
    return await _shown(request, made)


@post(_RUN + "/retry", opt={"scopes": OPERATORS}, tags=["Runs"], status_code=200)
async def retry_run(request: Call, run: Segment, data: JSONBody[Because]) -> Retried:
    """Try the holders whom a run has set aside again at once; a worker does it."""
    run_id = run_id_of(run)
    retried = await request.services.programs.runs.retry(
        run_id, actor=request.caller.actor, reason=data.reason
    )
    return Retried(retried=retried, run=await _shown(request, run_id))


async def _shown(request: Call, run_id: RunId) -> RunView:
    return run_view(await request.services.programs.runs.report(run_id))


ROUTES: Final[list[BaseRouteHandler]] = [
    start_run,
    list_runs,
    show_run,
    list_failures,
    list_exclusions,
    approve_run,
    pause_run,
    resume_run,
    cancel_run,
    revert_run,
    retry_run,
]

"""Programs: looked at, looked ahead, switched; overrides and claims (P1-P3, P6, P10, P20)."""

from typing import Final

from litestar import Response, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from bursar.api.call import Call
from bursar.api.etags import etag, if_match
from bursar.api.patience import patiently
from bursar.api.scopes import APPS, OPERATORS, READERS
from bursar.api.segments import Segment
from bursar.api.wire.previews import Sample
from bursar.api.wire.programs import (
    Claimant,
    NewOverride,
    OverrideView,
    PreviewOf,
    PreviewView,
    ProgramList,
    ProgramVersionList,
    ProgramView,
    SwitchTo,
    program_view,
    version_view,
)
from bursar.programs.claims.claim import ClaimAnswer
from bursar.programs.model import Override
from bursar.programs.overrides import mark_of

_PROGRAM: Final = "/v1/programs/{program:str}"


@get("/v1/programs", opt={"scopes": READERS}, tags=["Programs"])
async def list_programs(request: Call) -> ProgramList:
    """List the programs in force, by name."""
    found = await request.services.programs.programs()
    return ProgramList(items=[program_view(one) for one in found])


@get(_PROGRAM, opt={"scopes": READERS}, tags=["Programs"])
async def show_program(request: Call, program: Segment) -> ProgramView:
    """Show a program, in force or retired, with its definition."""
    return program_view(await request.services.programs.program(program))


@get(_PROGRAM + "/versions", opt={"scopes": READERS}, tags=["Programs"])
async def list_program_versions(request: Call, program: Segment) -> ProgramVersionList:
    """List a program's versions, the newest first: what they say, who made them and why."""
    found = await request.services.programs.versions(program)
    return ProgramVersionList(items=[version_view(one) for one in found])


@post(_PROGRAM + "/switch", opt={"scopes": OPERATORS}, tags=["Programs"], status_code=200)
async def switch_program(request: Call, program: Segment, data: JSONBody[SwitchTo]) -> ProgramView:
    """Stop a program at once, or let it go on; runs that have begun are not stopped by it."""
    programs = request.services.programs
    await programs.switch(program, on=data.on, actor=request.caller.actor, reason=data.reason)
    return program_view(await programs.program(program))


@post(_PROGRAM + "/preview", opt={"scopes": READERS}, tags=["Programs"], status_code=200)
async def preview_program(
    request: Call, program: Segment, data: JSONBody[PreviewOf]
) -> PreviewView:
    """Decide a period as its run would, for everybody or these holders, and write nothing.

    The totals are of all; awards and failures are the first 1,000 of each. It is decided while the
    request waits: a minute at most, then `too_long`; it ends when the client goes away.
    """
    sample, runs = Sample(), request.services.programs.runs
    asked = runs.preview(program, data.period, holders=data.holders, seen=sample.see)
    period, found = await patiently(asked, request.receive, request.services.turnstile)
    names = await request.services.ledger.holders(sample.holder_ids)
    return sample.view(program, period, found, names)


@get(
    _PROGRAM + "/overrides/{holder:str}",
    opt={"scopes": READERS, "headers": {"ETag": "What is set now, for `If-Match`."}},
    tags=["Programs"],
)
async def show_override(request: Call, program: Segment, holder: Segment) -> Response[OverrideView]:
    """Show what is set for one holder alone; its `ETag` is for changing it."""
    found = await request.services.programs.override(program, holder)
    return _override(program, holder, found)


@put(
    _PROGRAM + "/overrides/{holder:str}",
    opt={"scopes": OPERATORS, "headers": {"ETag": "What is set now, for `If-Match`."}},
    tags=["Programs"],
)
async def set_override(
    request: Call, program: Segment, holder: Segment, data: JSONBody[NewOverride]
) -> Response[OverrideView]:
    """Give one holder an amount, a pause or a refresh day of their own, in place of what was set.

    With nothing set the holder is as all others again. With `If-Match` only if nobody has changed
    it since it was read, else 412 `precondition_failed`.
    """
    override = Override(amount=data.amount, refresh_day=data.refresh_day, paused=data.paused)
    await request.services.programs.set_override(
        program,
        holder,
        override,
        expect=if_match(request.headers),
        actor=request.caller.actor,
        reason=data.reason,
    )
    return _override(program, holder, override)


@post(
    _PROGRAM + "/claims",
    opt={"scopes": APPS, "answers": {201: ClaimAnswer, 200: ClaimAnswer}},
    tags=["Programs"],
)
async def claim(request: Call, program: Segment, data: JSONBody[Claimant]) -> Response[ClaimAnswer]:
    """Claim for a holder; a period claimed before is no error: 200, `already`, 0 awarded."""
    answer = await request.services.programs.claim(program, data.holder, actor=request.caller.actor)
    return Response(answer, status_code=200 if answer.already else 201)


def _override(program: str, holder: str, override: Override) -> Response[OverrideView]:
    view = OverrideView(
        program=program,
        holder=holder,
        amount=override.amount,
        refresh_day=override.refresh_day,
        paused=override.paused,
    )
    return Response(view, headers={"etag": etag(mark_of(override))})


ROUTES: Final[list[BaseRouteHandler]] = [
    list_programs,
    show_program,
    list_program_versions,
    switch_program,
    preview_program,
    show_override,
    set_override,
    claim,
]

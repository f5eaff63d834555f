"""The economy file in force, looked ahead to and applied; the clock of a sandbox (I7, P10, O4)."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from litestar import Response, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from bursar.api.call import Call
from bursar.api.etags import etag, if_match
from bursar.api.patience import patiently
from bursar.api.scopes import ADMINS, READERS
from bursar.api.wire.economy import (
    AppliedView,
    ApplyOf,
    ClockView,
    EconomyView,
    MoveOf,
    PlanOf,
    VersionPage,
    VersionView,
    clock_view,
    economy_view,
    version_view,
)
from bursar.api.wire.text import Because
from bursar.economy.model import Plan
from bursar.platform.errors import Invalid
from bursar.platform.pages import place_of

_VERSION: Final = "/v1/economy/versions/{version:int}"
_FURTHEST: Final = timedelta(days=31)
_MOST_VERSIONS: Final = 100


@get(
    "/v1/economy",
    opt={
        "scopes": READERS,
        "headers": {"ETag": "The version, for `If-Match`."},
        "missing": True,
    },
    tags=["Economy"],
)
async def show_economy(request: Call) -> Response[EconomyView]:
    """Show the economy file in force; its `ETag` is its version."""
    found = await request.services.economy.show()
    return Response(economy_view(found), headers={"etag": etag(found.version)})


@get("/v1/economy/versions", opt={"scopes": READERS}, tags=["Economy"])
async def list_versions(
    request: Call,
    limit: Annotated[int, QueryParameter(ge=1, le=_MOST_VERSIONS)] = 20,
    cursor: FromQuery[str | None] = None,
) -> VersionPage:
    """List the versions that were handed in, the newest first, without their texts."""
    below = None if cursor is None else place_of(cursor)
    found = await request.services.economy.history(below=below, limit=limit)
    following = str(found[-1].version) if len(found) == limit else None
    return VersionPage(items=[version_view(one) for one in found], cursor=following)


@get(_VERSION, opt={"scopes": READERS}, tags=["Economy"])
async def show_version(request: Call, version: FromPath[int]) -> EconomyView:
    """Show one version with its text."""
    return economy_view(await request.services.economy.show(version))


@post("/v1/economy/plan", opt={"scopes": READERS}, tags=["Economy"], status_code=200)
async def plan_economy(request: Call, data: JSONBody[PlanOf]) -> Plan:
    """Tell what a file would change on the version in force, and what it would cost.

    Nothing is written. The next periods are looked at for every holder while the request waits: a
    minute at most, then `too_long`; it ends when the client goes away.
    """
    asked = request.services.economy.plan(data.text, rename=data.rename, costs=data.costs)
    return await patiently(asked, request.receive, request.services.turnstile)


@post(
    "/v1/economy/apply",
    opt={"scopes": ADMINS, "answers": {201: AppliedView, 200: AppliedView}},
    tags=["Economy"],
)
async def apply_economy(request: Call, data: JSONBody[ApplyOf]) -> Response[AppliedView]:
    """Make a file's economy so, in one transaction; the same text again is nothing to do.

    A file that raises a limit waits, all of it, for a second person. With `If-Match` only on the
    version in force that was read ("0" where there is none), else 412 `precondition_failed`.
    """
    base = if_match(request.headers)
    applied = await request.services.economy.apply(
        data.text,
        actor=request.caller.actor,
        reason=data.reason,
        expect=data.expect,
        base=None if base is None else place_of(base),
        rename=data.rename,
    )
    view = AppliedView(unchanged=applied.unchanged, version=version_view(applied.version))
    return Response(view, status_code=200 if applied.unchanged else 201)


@post(_VERSION + "/approve", opt={"scopes": ADMINS}, tags=["Economy"], status_code=200)
async def approve_version(
    request: Call, version: FromPath[int], data: JSONBody[Because]
) -> VersionView:
    """Put a version that waits in force, as another person than who handed it in."""
    done = await request.services.economy.approve(
        version, actor=request.caller.actor, reason=data.reason
    )
    return version_view(done)


@post(_VERSION + "/refuse", opt={"scopes": ADMINS}, tags=["Economy"], status_code=200)
async def refuse_version(
    request: Call, version: FromPath[int], data: JSONBody[Because]
) -> VersionView:
    """Refuse a version that waits; whoever handed it in may withdraw it so."""
    done = await request.services.economy.refuse(
        version, actor=request.caller.actor, reason=data.reason
    )
    return version_view(done)


@get("/v1/clock", opt={"scopes": READERS}, tags=["Economy"])
async def show_clock(request: Call) -> ClockView:
    """Show the economy's clock."""
    return clock_view(await request.services.clock.read())


@post("/v1/clock/move", opt={"scopes": ADMINS}, tags=["Economy"], status_code=200)
async def move_clock(request: Call, data: JSONBody[MoveOf]) -> ClockView:
    """Move a sandbox's clock ahead, at most 31 days a call, and do all that falls due on the way.

    If the request is broken off the clock stands where it last stopped; the same call with `to`
    goes on from there.
    """
    clock = request.services.clock
    target = _target(data, (await clock.read()).now)
    moved = await clock.move_to(target, actor=request.caller.actor, reason=data.reason)
    return clock_view(moved)


def _target(data: MoveOf, now: datetime) -> datetime:
    """Find where to; raises `Invalid` ``clock_target``."""
    furthest = _FURTHEST.total_seconds()
    if (data.to is None) == (data.by_s is None):
        raise Invalid("clock_target", "a clock is moved to an instant or by seconds: name one")
    if data.by_s is not None:
        seconds: float = data.by_s
    elif data.to is None or data.to.utcoffset() is None:
        raise Invalid("clock_target", "a clock is moved to an instant with a zone")
    else:
        seconds = (data.to - now).total_seconds()
    if seconds > furthest or (data.by_s is not None and seconds < 0):
        raise Invalid(
            "clock_target", f"a clock is moved ahead, at most {_FURTHEST.days} days a call"
        )
    return data.to if data.to is not None else now + timedelta(seconds=data.by_s or 0)


ROUTES: Final[list[BaseRouteHandler]] = [
    show_economy,
    list_versions,
    show_version,
    plan_economy,
    apply_economy,
    approve_version,
    refuse_version,
    show_clock,
    move_clock,
]

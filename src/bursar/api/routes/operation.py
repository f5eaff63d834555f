"""Operation: alerts, outages, who did what, checks, exports, ticks (O2, I2, L10, L11)."""

from datetime import datetime
from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from bursar.api.call import Call
from bursar.api.downloads import MEDIA_TYPES, begun
from bursar.api.scopes import ADMINS, OPERATORS, READERS
from bursar.api.wire.operation import (
    ActPage,
    AlertList,
    NewOutage,
    OutageList,
    Ticked,
    VerificationList,
    VerificationView,
    act_view,
    ticked,
    verification_view,
)
from bursar.api.wire.text import Because, QueryWord
from bursar.ledger.audit.export import Format
from bursar.platform.errors import Invalid, Missing
from bursar.platform.pages import MAX_PAGE
from bursar.programs.outages import Declared
from bursar.trail.model import Wanted

_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]
_HIGHEST: Final = 2**63 - 1


@get("/v1/alerts", opt={"scopes": READERS}, tags=["Operation"])
async def list_alerts(
    request: Call, resolved: FromQuery[bool] = False, limit: _Limit = 100
) -> AlertList:
    """List the open matters that operators should know of; with `resolved` the others too."""
    found = await request.services.programs.alerts(everything=resolved, limit=limit)
    return AlertList(items=found)


@post(
    "/v1/alerts/{alert:int}/resolve", opt={"scopes": OPERATORS}, tags=["Operation"], status_code=204
)
async def resolve_alert(request: Call, alert: FromPath[int], data: JSONBody[Because]) -> None:
    """Close a matter; if it comes up again it is a new one."""
    if not 0 < alert <= _HIGHEST:
        raise Missing("alert_unknown", f"there is no open alert {alert}"[:80])
    await request.services.programs.resolve_alert(
        alert, actor=request.caller.actor, reason=data.reason
    )


@get("/v1/outages", opt={"scopes": READERS}, tags=["Operation"])
async def list_outages(request: Call) -> OutageList:
    """List the outages declared, the earliest first."""
    return OutageList(items=await request.services.programs.outages())


@post("/v1/outages", opt={"scopes": ADMINS}, tags=["Operation"])
async def declare_outage(request: Call, data: JSONBody[NewOutage]) -> Declared:
    """Declare that holders could not act between two instants, and make it good to them.

    Streaks do not break; what would end within it lasts longer, what has expired is given back.
    The same again is safe: nothing is given back twice, and what was broken off is finished.
    """
    return await request.services.programs.declare_outage(
        data.starts_at, data.ends_at, actor=request.caller.actor, reason=data.reason
    )


@get("/v1/audit", opt={"scopes": READERS}, tags=["Operation"])
async def list_acts(
    request: Call,
    actor: QueryWord = None,
    act: QueryWord = None,
    subject: QueryWord = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    limit: _Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> ActPage:
    """List privileged acts, the newest first: who did what to what, when and why.

    `act` is like `run.approve`, or `run.*` for all of them; `since` is included, `until` is not.
    """
    if any(at is not None and at.utcoffset() is None for at in (since, until)):
        raise Invalid("act_filter", "since and until are instants with a zone")
    wanted = Wanted(actor=actor, act=act, subject=subject, since=since, until=until)
    page = await request.services.trail.acts(wanted, limit=limit, cursor=cursor)
    return ActPage(items=[act_view(one) for one in page.items], cursor=page.cursor)


@get("/v1/verification", opt={"scopes": READERS}, tags=["Operation"])
async def list_verifications(request: Call, limit: _Limit = 1) -> VerificationList:
    """Show the latest check of the books; with `limit` those before it too."""
    found = await request.services.operation.verifications(limit=limit)
    return VerificationList(items=[verification_view(one) for one in found])


@post("/v1/verification", opt={"scopes": OPERATORS}, tags=["Operation"], status_code=202)
async def start_verification(request: Call, data: JSONBody[Because]) -> VerificationView:
    """Start to check all the books in this server; GET tells what has come of it.

    While one is under way, anywhere, this is a conflict `verification_under_way`. If the server
    stops meanwhile, a worker goes on with it.
    """
    services = request.services
    begun, checking = await services.operation.start_verify(
        actor=request.caller.actor, reason=data.reason
    )
    services.background.start(checking)
    return verification_view(begun)


@get(
    "/v1/export",
    opt={"scopes": READERS, "answers": {200: tuple(MEDIA_TYPES.values())}},
    tags=["Operation"],
)
async def export_books(
    request: Call, form: Annotated[Format, QueryParameter(name="format")]
) -> Stream:
    """Take the books out, as CSV or as Beancount.

    It is one picture of them, whatever is posted meanwhile, and is streamed. Whoever takes nothing
    for a minute, or goes away, ends it; an answer that was cut off has no last chunk, and is to be
    thrown away.
    """
    services = request.services
    pieces = await begun(services.ledger.pieces(form), services.turnstile)
    return Stream(
        pieces,
        media_type=MEDIA_TYPES[form],
        headers={"content-disposition": f'attachment; filename="bursar.{form}"'},
    )


@post("/v1/tick", opt={"scopes": OPERATORS}, tags=["Operation"], status_code=200)
async def tick(request: Call) -> Ticked:
    """Make what is due now into runs, as a worker does every minute; workers do the runs."""
    return ticked(await request.services.programs.tick())


ROUTES: Final[list[BaseRouteHandler]] = [
    list_alerts,
    resolve_alert,
    list_outages,
    declare_outage,
    list_acts,
    list_verifications,
    start_verification,
    export_books,
    tick,
]

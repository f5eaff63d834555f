"""What is on its way: deliveries, dispatches, blocked addresses (N3, N5)."""

from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from bursar.api.call import Call
from bursar.api.numbers import known
from bursar.api.routes.mine import Limit
from bursar.api.scopes import OPERATORS, READERS
from bursar.api.wire.notices import NoticeKind
from bursar.api.wire.notices_sending import (
    BouncePage,
    ChannelRelease,
    DeliveryPage,
    DeliveryWhole,
    DispatchPage,
    DispatchView,
    Released,
    ReplayOfMail,
    SentBy,
    bounce_view,
    delivery_view,
    delivery_whole,
    dispatch_view,
    holders_in,
)
from bursar.api.wire.notices_webhooks import Replayed
from bursar.api.wire.text import Because, QueryWord
from bursar.notices.model import Channel, DeliveryState, Kind
from bursar.notices.sending.model import WantedDeliveries

_DELIVERY: Final = "/v1/deliveries/{delivery:int}"
_DISPATCH: Final = "/v1/dispatches/{dispatch:int}"
_State = Annotated[
    DeliveryState | None, QueryParameter(name="state")
]  # the framework has a `state`
_Webhook = Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1)]


@get("/v1/deliveries", opt={"scopes": READERS, "missing": True}, tags=["Deliveries"])
async def list_deliveries(
    request: Call,
    channel: FromQuery[SentBy | None] = None,
    standing: _State = None,
    kind: FromQuery[NoticeKind | None] = None,
    webhook: _Webhook = None,
    holder: QueryWord = None,
    limit: Limit = 50,
    cursor: QueryWord = None,
) -> DeliveryPage:
    """List what is on its way or was, the newest first."""
    notices = request.services.notices
    wanted = WantedDeliveries(
        channel=None if channel is None else Channel(channel),
        state=standing,
        kind=None if kind is None else Kind(kind),
        endpoint_id=webhook,
        holder_id=None if holder is None else await notices.inboxes.number_of(holder),
    )
    page = await notices.deliveries.page(wanted, limit=limit, cursor=cursor)
    names = await request.services.ledger.holders(holders_in(page.items))
    return DeliveryPage(items=[delivery_view(d, names) for d in page.items], cursor=page.cursor)


@get(_DELIVERY, opt={"scopes": READERS}, tags=["Deliveries"])
async def show_delivery(request: Call, delivery: FromPath[int]) -> DeliveryWhole:
    """Show a delivery with what it says and how each attempt went."""
    found = await request.services.notices.deliveries.get(known(delivery))
    names = await request.services.ledger.holders(holders_in([found.delivery]))
    return delivery_whole(found, names)


@post(_DELIVERY + "/replay", opt={"scopes": OPERATORS}, tags=["Deliveries"], status_code=204)
async def replay_delivery(request: Call, delivery: FromPath[int], data: JSONBody[Because]) -> None:
    """Send a delivery now, again if it was sent, with the same notice id.

    What a paused dispatch or a webhook that is off holds back still waits.
    """
    await request.services.notices.deliveries.replay(
        known(delivery), actor=request.caller.actor, reason=data.reason
    )


@post("/v1/deliveries/replay", opt={"scopes": OPERATORS}, tags=["Deliveries"], status_code=200)
async def replay_mail(request: Call, data: JSONBody[ReplayOfMail]) -> Replayed:
    """Send the letters again that were made in a span of time, with the same ids.

    Without `states` those that no mail server has taken: `parked`, or `failing` and waiting for
    their next try. Who has unsubscribed since is sent none.
    """
    replayed = await request.services.notices.deliveries.replay_mail(
        data.since,
        data.until,
        kinds=[Kind(kind) for kind in data.kinds],
        states=data.states,
        actor=request.caller.actor,
        reason=data.reason,
    )
    return Replayed(replayed=replayed)


@post("/v1/deliveries/release", opt={"scopes": OPERATORS}, tags=["Deliveries"], status_code=200)
async def release_deliveries(request: Call, data: JSONBody[ChannelRelease]) -> Released:
    """Send what a restore has parked on a channel.

    For when nothing was sent between the backup and the restore; else some of it goes twice.
    """
    released = await request.services.notices.deliveries.release(
        Channel(data.channel), actor=request.caller.actor, reason=data.reason
    )
    return Released(released=released)


@get("/v1/dispatches", opt={"scopes": READERS}, tags=["Deliveries"])
async def list_dispatches(
    request: Call, limit: Limit = 50, cursor: QueryWord = None
) -> DispatchPage:
    """List what is sent of runs and ahead of periods, the newest first."""
    page = await request.services.notices.dispatches.list(limit=limit, cursor=cursor)
    return DispatchPage(items=[dispatch_view(one) for one in page.items], cursor=page.cursor)


@get(_DISPATCH, opt={"scopes": READERS}, tags=["Deliveries"])
async def show_dispatch(request: Call, dispatch: FromPath[int]) -> DispatchView:
    """Show how far the notices of a run, or ahead of a period, have come."""
    return dispatch_view(await request.services.notices.dispatches.get(known(dispatch)))


@post(_DISPATCH + "/pause", opt={"scopes": OPERATORS}, tags=["Deliveries"], status_code=200)
async def pause_dispatch(
    request: Call, dispatch: FromPath[int], data: JSONBody[Because]
) -> DispatchView:
    """Make no more of it, and let what is made wait."""
    dispatches = request.services.notices.dispatches
    by = {"actor": request.caller.actor, "reason": data.reason}
    return dispatch_view(await dispatches.pause(known(dispatch), **by))


@post(_DISPATCH + "/resume", opt={"scopes": OPERATORS}, tags=["Deliveries"], status_code=200)
async def resume_dispatch(
    request: Call, dispatch: FromPath[int], data: JSONBody[Because]
) -> DispatchView:
    """Go on where it was paused."""
    dispatches = request.services.notices.dispatches
    by = {"actor": request.caller.actor, "reason": data.reason}
    return dispatch_view(await dispatches.resume(known(dispatch), **by))


@post(_DISPATCH + "/cancel", opt={"scopes": OPERATORS}, tags=["Deliveries"], status_code=200)
async def cancel_dispatch(
    request: Call, dispatch: FromPath[int], data: JSONBody[Because]
) -> DispatchView:
    """End it for good; what still waits of it is dropped, what was sent is sent."""
    dispatches = request.services.notices.dispatches
    by = {"actor": request.caller.actor, "reason": data.reason}
    return dispatch_view(await dispatches.cancel(known(dispatch), **by))


@get("/v1/bounces", opt={"scopes": READERS}, tags=["Deliveries"])
async def list_bounces(
    request: Call, holder: QueryWord = None, limit: Limit = 50, cursor: QueryWord = None
) -> BouncePage:
    """List the addresses to which nothing is sent, for what a mail server said of them."""
    page = await request.services.notices.bounces.list(holder=holder, limit=limit, cursor=cursor)
    names = await request.services.ledger.holders(holders_in(page.items))
    return BouncePage(items=[bounce_view(one, names) for one in page.items], cursor=page.cursor)


ROUTES: Final[list[BaseRouteHandler]] = [
    list_deliveries,
    show_delivery,
    replay_delivery,
    replay_mail,
    release_deliveries,
    list_dispatches,
    show_dispatch,
    pause_dispatch,
    resume_dispatch,
    cancel_dispatch,
    list_bounces,
]

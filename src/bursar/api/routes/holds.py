"""Holds: credit set aside, then spent or given back (L6)."""

from typing import Final

from litestar import Response, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from bursar.api.call import Call
from bursar.api.moving import ANSWERS, move, named
from bursar.api.routes.wallets import WALLET
from bursar.api.scopes import APPS, APPS_AND_READERS
from bursar.api.segments import Segment
from bursar.api.wire.entries import Receipt
from bursar.api.wire.wallets import CaptureOf, HoldList, NewHold, ReleaseOf
from bursar.ledger import Capture, Hold, PlaceHold, Release

_HOLDS: Final = WALLET + "/holds"
_HOLD: Final = _HOLDS + "/{hold:str}"


@get(_HOLDS, opt={"scopes": APPS_AND_READERS}, tags=["Holds"])
async def list_holds(request: Call, holder: Segment, asset: Segment) -> HoldList:
    """List the open holds of a wallet, the oldest first."""
    wallet = await request.services.ledger.wallet(holder, asset)
    return HoldList(items=list(wallet.holds))


@post(_HOLDS, opt={"scopes": APPS, "answers": ANSWERS}, tags=["Holds"])
async def place_hold(
    request: Call, holder: Segment, asset: Segment, data: JSONBody[NewHold]
) -> Response[Receipt]:
    """Set credit aside under a reference, until a deadline or for good."""
    fields = named(request, data.reference, holder=holder, asset=asset, reason=data.reason)
    return await move(
        request,
        PlaceHold(
            amount=data.amount,
            deadline=data.deadline,
            source=data.source,
            metadata=data.metadata,
            **fields,
        ),
    )


@get(_HOLD, opt={"scopes": APPS_AND_READERS}, tags=["Holds"])
async def show_hold(request: Call, holder: Segment, asset: Segment, hold: Segment) -> Hold:
    """Show a hold by the reference that placed it, open or ended."""
    return await request.services.ledger.hold(holder, asset, hold)


@post(_HOLD + "/capture", opt={"scopes": APPS, "answers": ANSWERS}, tags=["Holds"])
async def capture_hold(
    request: Call, holder: Segment, asset: Segment, hold: Segment, data: JSONBody[CaptureOf]
) -> Response[Receipt]:
    """Spend a hold, all of it or an amount; the rest is given back unless it is to be kept."""
    fields = named(request, data.reference, holder=holder, asset=asset, reason=data.reason)
    return await move(
        request,
        Capture(
            hold=hold,
            amount=data.amount,
            keep_rest=data.keep_rest,
            source=data.source,
            metadata=data.metadata,
            **fields,
        ),
    )


@post(_HOLD + "/release", opt={"scopes": APPS, "answers": ANSWERS}, tags=["Holds"])
async def release_hold(
    request: Call, holder: Segment, asset: Segment, hold: Segment, data: JSONBody[ReleaseOf]
) -> Response[Receipt]:
    """Give a hold back."""
    fields = named(request, data.reference, holder=holder, asset=asset, reason=data.reason)
    return await move(
        request, Release(hold=hold, source=data.source, metadata=data.metadata, **fields)
    )


ROUTES: Final[list[BaseRouteHandler]] = [
    list_holds,
    place_hold,
    show_hold,
    capture_hold,
    release_hold,
]

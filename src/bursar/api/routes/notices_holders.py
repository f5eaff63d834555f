"""One holder's notices, for those who answer their questions (N1, N3, N5)."""

from typing import Final

from litestar import Response, delete, get, patch
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody

from bursar.api.call import Call
from bursar.api.etags import if_match
from bursar.api.routes.mine import Limit
from bursar.api.routes.notices_mine import revision_of, shown
from bursar.api.scopes import OPERATORS, READERS
from bursar.api.segments import Segment
from bursar.api.wire.notices import (
    InboxPage,
    PreferencesView,
    Wishes,
    choices_of,
    inbox_items,
    quiet_of,
)
from bursar.api.wire.notices_sending import BouncesCleared
from bursar.api.wire.text import QueryReason, QueryWord

_HOLDER: Final = "/v1/holders/{holder:str}"
_PREFERENCES: Final = _HOLDER + "/notice-preferences"
_TAGGED: Final = {"ETag": "What is wished now, for `If-Match`."}


@get(_HOLDER + "/inbox", opt={"scopes": READERS}, tags=["Notices"])
async def list_notices(
    request: Call,
    holder: Segment,
    unread: FromQuery[bool] = False,
    limit: Limit = 50,
    cursor: QueryWord = None,
) -> InboxPage:
    """Show a holder's inbox as the holder sees it, the newest first; nothing is read by that."""
    page = await request.services.notices.inboxes.page(
        holder, unread=unread, limit=limit, cursor=cursor
    )
    items = await inbox_items(request.services.notices, holder, page.items)
    return InboxPage(items=items, cursor=page.cursor)


@get(_PREFERENCES, opt={"scopes": READERS, "headers": _TAGGED}, tags=["Notices"])
async def show_preferences(request: Call, holder: Segment) -> Response[PreferencesView]:
    """Show which notices come to a holder by which way, and when e-mail waits."""
    return shown(await request.services.notices.preferences.show(holder))


@patch(_PREFERENCES, opt={"scopes": OPERATORS, "headers": _TAGGED}, tags=["Notices"])
async def change_preferences(
    request: Call, holder: Segment, data: JSONBody[Wishes]
) -> Response[PreferencesView]:
    """Choose for a holder which notices come by which way, and when e-mail waits.

    What is left out stays, null is the economy's default again. With `If-Match` only if nobody has
    changed it since it was read, else 412 `precondition_failed`.
    """
    found = await request.services.notices.preferences.change(
        holder,
        choices=choices_of(data),
        quiet=quiet_of(data),
        expect=revision_of(if_match(request.headers)),
        actor=request.caller.actor,
        reason=data.reason,
    )
    return shown(found)


@delete(_HOLDER + "/bounces", opt={"scopes": OPERATORS}, tags=["Notices"], status_code=200)
async def clear_bounces(request: Call, holder: Segment, reason: QueryReason) -> BouncesCleared:
    """Let letters go to a holder again, whose address a mail server said to be nobody's."""
    cleared = await request.services.notices.bounces.clear(
        holder=holder, actor=request.caller.actor, reason=reason
    )
    return BouncesCleared(cleared=cleared)


ROUTES: Final[list[BaseRouteHandler]] = [
    list_notices,
    show_preferences,
    change_preferences,
    clear_bounces,
]

"""A holder's own inbox, and what they wish of notices (N1, N5)."""

from typing import Final

from litestar import Response, delete, get, patch, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody

from bursar.api.call import Call
from bursar.api.etags import etag, if_match
from bursar.api.routes.mine import Limit
from bursar.api.scopes import HOLDERS
from bursar.api.segments import Segment
from bursar.api.wire.notices import (
    InboxItem,
    InboxPage,
    MyWishes,
    PreferencesView,
    ReadUpTo,
    Unread,
    WasRead,
    choices_of,
    inbox_items,
    preferences_view,
    quiet_of,
)
from bursar.api.wire.text import QueryWord
from bursar.notices.preferences import Effective

_INBOX: Final = "/v1/me/inbox"
_PREFERENCES: Final = "/v1/me/notice-preferences"
_TAGGED: Final = {"ETag": "What is wished now, for `If-Match`."}
_THEIR_OWN: Final = "chosen by the holder"


@get(_INBOX, opt={"scopes": HOLDERS}, tags=["Mine"])
async def list_my_notices(
    request: Call, unread: FromQuery[bool] = False, limit: Limit = 50, cursor: QueryWord = None
) -> InboxPage:
    """List what the holder was told, the newest first; with `unread` only what was not read.

    The inbox is made of the books when it is read: what has just been committed is in it. What
    was dismissed, or is older than the economy keeps notices, is not.
    """
    page = await request.services.notices.inboxes.page(
        request.holder, unread=unread, limit=limit, cursor=cursor
    )
    items = await inbox_items(request.services.notices, request.holder, page.items)
    return InboxPage(items=items, cursor=page.cursor)


@get(_INBOX + "/unread", opt={"scopes": HOLDERS}, tags=["Mine"])
async def count_my_unread(request: Call) -> Unread:
    """Count what was not read, up to 1,000: the number on a status icon."""
    return Unread(unread=await request.services.notices.inboxes.unread(request.holder))


@post(_INBOX + "/{notice:str}/read", opt={"scopes": HOLDERS}, tags=["Mine"], status_code=200)
async def read_my_notice(request: Call, notice: Segment) -> InboxItem:
    """Note that a notice was read, and show it; one that was read before stays as it is."""
    found = await request.services.notices.inboxes.read(request.holder, notice)
    [item] = await inbox_items(request.services.notices, request.holder, [found])
    return item


@post(_INBOX + "/read", opt={"scopes": HOLDERS}, tags=["Mine"], status_code=200)
async def read_my_notices(request: Call, data: JSONBody[ReadUpTo]) -> WasRead:
    """Note that all was read, or all up to a place.

    Whoever shows a page sends the place of its newest notice: what has come meanwhile stays unread.
    """
    read = await request.services.notices.inboxes.read_all(request.holder, data.up_to)
    return WasRead(read=read)


@delete(_INBOX + "/{notice:str}", opt={"scopes": HOLDERS}, tags=["Mine"])
async def dismiss_my_notice(request: Call, notice: Segment) -> None:
    """Put a notice away for good; again is no error."""
    await request.services.notices.inboxes.dismiss(request.holder, notice)


@get(_PREFERENCES, opt={"scopes": HOLDERS, "headers": _TAGGED}, tags=["Mine"])
async def show_my_preferences(request: Call) -> Response[PreferencesView]:
    """Show which notices come by which way, and when e-mail waits."""
    return shown(await request.services.notices.preferences.show(request.holder))


@patch(_PREFERENCES, opt={"scopes": HOLDERS, "headers": _TAGGED}, tags=["Mine"])
async def change_my_preferences(
    request: Call, data: JSONBody[MyWishes]
) -> Response[PreferencesView]:
    """Choose which notices come by which way, and when e-mail waits.

    What is left out stays, null is the economy's default again. With `If-Match` only if nobody has
    changed it since it was read, else 412 `precondition_failed`.
    """
    found = await request.services.notices.preferences.change(
        request.holder,
        choices=choices_of(data),
        quiet=quiet_of(data),
        expect=revision_of(if_match(request.headers)),
        actor=request.caller.actor,
        reason=_THEIR_OWN,
    )
    return shown(found)


def shown(found: Effective) -> Response[PreferencesView]:
    """Answer with what is wished, and its version."""
    return Response(preferences_view(found), headers={"etag": etag(found.revision)})


def revision_of(tag: str | None) -> int | None:
    """Read the revision that an `If-Match` names; what is no number is none that there was."""
    if tag is None:
        return None
    return int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else -1


ROUTES: Final[list[BaseRouteHandler]] = [
    list_my_notices,
    count_my_unread,
    read_my_notice,
    read_my_notices,
    dismiss_my_notice,
    show_my_preferences,
    change_my_preferences,
]

"""The inbox as it fills, for the one whose it is (N1)."""

from typing import Annotated, Final

from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter
from litestar.types import ASGIApp

from bursar.api.call import Call
from bursar.api.guard import credential_of
from bursar.api.scopes import HOLDERS
from bursar.api.streams import MEDIA_TYPE

LastEventId = Annotated[str | None, HeaderParameter(name="Last-Event-ID")]


@get("/v1/me/inbox/events", opt={"scopes": HOLDERS, "answers": {200: MEDIA_TYPE}}, tags=["Mine"])
async def listen_to_my_inbox(request: Call, last_event_id: LastEventId = None) -> ASGIApp:
    """Tell of notices as they come, as server-sent events.

    `unread` comes first, and whenever it changes: `{"unread": 3}`. `notice` is an item of the
    inbox, its id a number. With `Last-Event-ID` what has come after that is sent first; without
    it nothing old. `end` says in its `code` why the token no longer opens this; any other end is
    a reason to connect again. A holder may have 5 streams open.
    """
    token = credential_of(request.scope)
    return request.services.streams.stream(request.holder, token, last_event_id)


ROUTES: Final[list[BaseRouteHandler]] = [listen_to_my_inbox]

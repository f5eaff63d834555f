"""The link in a letter, for whoever has it: no login, one click (N5, RFC 8058)."""

from typing import Final

from litestar import MediaType, Response, get, post
from litestar.handlers import BaseRouteHandler

from bursar.api.call import Call
from bursar.api.problems import STATUS, STATUS_OF_CODE
from bursar.api.scopes import EVERYBODY
from bursar.api.segments import Segment
from bursar.api.unsubscribe_page import HEADERS, Step, page_of
from bursar.notices.model import Kind
from bursar.platform.errors import BursarError

_PATH: Final = "/v1/unsubscribe/{token:str}"
_OPT: Final = {"scopes": EVERYBODY, "answers": {200: "text/html"}, "rejected": True}


@get(_PATH, opt=_OPT, tags=["Notices"])
async def ask_to_unsubscribe(request: Call, token: Segment) -> Response[bytes]:
    """Show a page with one button, and change nothing: mail scanners open every link.

    A token that is none is a readable page for who accepts HTML, else a problem; both are 400.
    """
    try:
        kind = await request.services.notices.whose(token)
    except BursarError as error:
        return _refused(request, error)
    return _page(request, "ask", kind)


@post(_PATH, opt=_OPT, tags=["Notices"], status_code=200)
async def unsubscribe(request: Call, token: Segment) -> Response[bytes]:
    """End a kind of e-mail for whom the letter was to; again is no error.

    This is what mail programs send by themselves (`List-Unsubscribe-Post`), and what the page's
    button sends; the body does not matter.
    """
    try:
        _, kind = await request.services.notices.unsubscribe(token)
    except BursarError as error:
        return _refused(request, error)
    return _page(request, "done", kind)


def _refused(request: Call, error: BursarError) -> Response[bytes]:
    """Say it to a person; a program is answered as everywhere."""
    if error.family == "broken" or "text/html" not in request.headers.get("accept", ""):
        raise error
    status = STATUS_OF_CODE.get(error.code, STATUS[error.family])
    step: Step = "wrong" if error.family in ("invalid", "missing") else "later"
    return _page(request, step, None, status)


def _page(request: Call, step: Step, kind: Kind | None, status: int = 200) -> Response[bytes]:
    return Response(
        page_of(step, request.headers.get("accept-language", ""), kind),
        status_code=status,
        media_type=MediaType.HTML,
        headers=HEADERS,
    )


ROUTES: Final[list[BaseRouteHandler]] = [ask_to_unsubscribe, unsubscribe]

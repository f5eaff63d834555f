"""What may be asked, for programs and for people (I1)."""

from typing import Final

from litestar import MediaType, Response, get
from litestar.handlers import BaseRouteHandler

from bursar.api.call import Call
from bursar.api.reference import POLICY
from bursar.api.scopes import EVERYBODY


@get(
    "/openapi.json",
    opt={"scopes": EVERYBODY, "answers": {200: "application/json"}},
    tags=["Reference"],
    sync_to_thread=False,
)
def read_openapi(request: Call) -> Response[bytes]:
    """Read this document, OpenAPI 3.1."""
    return Response(request.app.state.published.document, media_type=MediaType.JSON)


@get(
    "/reference",
    opt={"scopes": EVERYBODY, "answers": {200: "text/html"}},
    tags=["Reference"],
    sync_to_thread=False,
)
def read_reference(request: Call) -> Response[bytes]:
    """Read this document as a page; it needs nothing from elsewhere."""
    return Response(
        request.app.state.published.page,
        media_type=MediaType.HTML,
        headers={"content-security-policy": POLICY, "referrer-policy": "no-referrer"},
    )


ROUTES: Final[list[BaseRouteHandler]] = [read_openapi, read_reference]

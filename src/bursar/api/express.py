"""The express lane: what is asked thousands of times a second, past the framework.

The framework costs a single posting as much again as its movement does. Here the same admission,
the same reading and the same answer are done with nothing in between; whatever goes wrong is
answered as everywhere else.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from bursar.access import Caller
from bursar.api.call import idempotency_key, read_body
from bursar.api.gate import Lanes
from bursar.api.guard import admit
from bursar.api.problems import answer_problem, known
from bursar.api.routes.postings import PATH, post_one
from bursar.api.scopes import APPS, Scopes
from bursar.api.services import Services

_JSON: Final = (b"content-type", b"application/json")

Act = Callable[[Services, Caller, bytes, str | None], Awaitable[tuple[int, bytes]]]
"""What a lane does: from who calls, a body and an idempotency key to a status and an answer."""


def lanes(app: Litestar, max_body: int) -> Lanes:
    """Name what goes by the express lane, by method and path."""
    return {("POST", PATH): lane(app, PATH, APPS, post_one, max_body=max_body)}


def lane(app: Litestar, path: str, scopes: Scopes, act: Act, *, max_body: int) -> ASGIApp:
    """Make a lane for one endpoint."""

    async def go(scope: Scope, receive: Receive, send: Send) -> None:
        notes: dict[str, Any] = scope  # type: ignore[assignment]
        notes["path_template"] = path
        try:
            services: Services = app.state.services
            caller = await admit(scope, services, scopes)
            body = await read_body(receive, max_body)
            status, answer = await act(services, caller, body, idempotency_key(scope))
        except Exception as error:
            request_id = notes["request_id"]
            await answer_problem(known(error, request_id), request_id, send)
            return
        headers = [_JSON, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    return go

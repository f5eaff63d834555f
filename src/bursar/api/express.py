"""The express lane: what is asked thousands of times a second, past the framework.

The framework costs a single posting as much again as its movement does. Here the same admission,
the same reading and the same answer are done with nothing in between; whatever goes wrong is
answered as everywhere else.
"""

from typing import Any, Final

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from bursar.api.call import idempotency_key, read_body
from bursar.api.gate import Lanes
from bursar.api.guard import admit
from bursar.api.problems import answer_problem, known
from bursar.api.routes.postings import PATH, post_one
from bursar.api.scopes import APPS

_JSON: Final = (b"content-type", b"application/json")


def lanes(app: Litestar, max_body: int) -> Lanes:
    """Name what goes by the express lane."""
    return {("POST", PATH): _postings(app, max_body)}


def _postings(app: Litestar, max_body: int) -> ASGIApp:
    async def lane(scope: Scope, receive: Receive, send: Send) -> None:
        notes: dict[str, Any] = scope  # type: ignore[assignment]
        notes["path_template"] = PATH
        try:
            services = app.state.services
            caller = await admit(scope, services, APPS)
            body = await read_body(receive, max_body)
            status, answer = await post_one(services, caller, body, idempotency_key(scope))
        except Exception as error:
            await answer_problem(known(error), notes["request_id"], send)
            return
        headers = [_JSON, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    return lane

"""Keys, holder tokens, and who one is (I2)."""

from typing import Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from bursar.api.call import Call
from bursar.api.scopes import ADMINS, ANYBODY_KNOWN, APPS
from bursar.api.wire.access import (
    CallerView,
    KeyList,
    KeyMade,
    KeyView,
    KeyWanted,
    Rotation,
    TokenMade,
    TokenWanted,
    caller_view,
    key_made,
    key_view,
    token_made,
)
from bursar.api.wire.text import Because

_KEY: Final = "/v1/keys/{key:int}"


@get("/v1/keys", opt={"scopes": ADMINS}, tags=["Keys"])
async def list_keys(request: Call, everything: FromQuery[bool] = False) -> KeyList:
    """List the keys that work, or with `everything` all there ever were, the oldest first."""
    found = await request.services.access.keys(everything=everything)
    return KeyList(items=[key_view(key) for key in found])


@post("/v1/keys", opt={"scopes": ADMINS}, tags=["Keys"])
async def add_key(request: Call, data: JSONBody[KeyWanted]) -> KeyMade:
    """Make a key; its secret is told this once.

    This is not once by nature: asked twice, it makes two. Who gets no answer lists the keys, and
    revokes what nobody has.
    """
    made = await request.services.access.add_key(
        data.name,
        data.owner,
        data.scopes,
        per_minute=data.per_minute,
        expires_at=data.expires_at,
        actor=request.caller.actor,
        reason=data.reason,
    )
    return key_made(made)


@post(_KEY + "/rotate", opt={"scopes": ADMINS}, tags=["Keys"], status_code=200)
async def rotate_key(request: Call, key: FromPath[int], data: JSONBody[Rotation]) -> KeyMade:
    """Give a key a new secret; those it had work for the overlap at most."""
    made = await request.services.access.rotate_key(
        key, overlap_s=data.overlap_s, actor=request.caller.actor, reason=data.reason
    )
    return key_made(made)


@post(_KEY + "/revoke", opt={"scopes": ADMINS}, tags=["Keys"], status_code=200)
async def revoke_key(request: Call, key: FromPath[int], data: JSONBody[Because]) -> KeyView:
    """End a key for good: no request that comes after the answer is let in with it."""
    revoked = await request.services.access.revoke_key(
        key, actor=request.caller.actor, reason=data.reason
    )
    return key_view(revoked)


@get("/v1/key", opt={"scopes": ANYBODY_KNOWN}, tags=["Keys"])
async def show_caller(request: Call) -> CallerView:
    """Tell what these credentials are: whose, with which scopes, how often they may ask."""
    return caller_view(request.caller)


@post("/v1/holder-tokens", opt={"scopes": APPS}, tags=["Keys"])
async def issue_token(request: Call, data: JSONBody[TokenWanted]) -> TokenMade:
    """Make a token with which one holder's app or browser may read what is theirs, and claim."""
    made = await request.services.access.issue_token(
        data.holder, ttl_s=data.ttl_s, actor=request.caller.actor
    )
    return token_made(made)


ROUTES: Final[list[BaseRouteHandler]] = [
    list_keys,
    add_key,
    rotate_key,
    revoke_key,
    show_caller,
    issue_token,
]

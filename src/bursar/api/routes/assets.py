"""Kinds of credit."""

from typing import Final

import msgspec
from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from bursar.api.call import Call
from bursar.api.scopes import ADMINS, ANYBODY_KNOWN


class AssetView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of credit; ``scale`` is the number of decimal places of its minor unit."""

    code: str
    scale: int


class NewAsset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of credit to be added; its scale is for good."""

    code: str
    scale: int = 0
    reason: str


class AssetList(msgspec.Struct, frozen=True, kw_only=True):
    """Every asset, by code."""

    items: list[AssetView]


@get("/v1/assets", opt={"scopes": ANYBODY_KNOWN}, tags=["Assets"])
async def list_assets(request: Call) -> AssetList:
    """List the kinds of credit."""
    found = await request.services.ledger.assets()
    return AssetList(items=[AssetView(code=a.code, scale=a.scale) for a in found])


@post("/v1/assets", status_code=200, opt={"scopes": ADMINS}, tags=["Assets"])
async def add_asset(request: Call, data: JSONBody[NewAsset]) -> AssetView:
    """Add a kind of credit; the same again is no error, another scale is a conflict."""
    added = await request.services.ledger.add_asset(
        data.code, scale=data.scale, actor=request.caller.actor, reason=data.reason
    )
    return AssetView(code=added.code, scale=added.scale)


ROUTES: Final[list[BaseRouteHandler]] = [list_assets, add_asset]

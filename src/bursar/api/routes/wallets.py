"""Wallets: what somebody has, what it came from, what it may do (L4-L9, L12, L13)."""

from typing import Annotated, Final

from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.params import Parameter

from bursar.api.call import Call
from bursar.api.scopes import APPS_AND_READERS
from bursar.api.segments import Segment
from bursar.api.wire.entries import EntryPage, entry_view
from bursar.ledger import Wallet
from bursar.platform.pages import MAX_PAGE

_WALLET: Final = "/v1/holders/{holder:str}/wallets/{asset:str}"


@get(_WALLET, opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def show_wallet(request: Call, holder: Segment, asset: Segment) -> Wallet:
    """Show a wallet as it stands now: balance, held, available, its open holds and lots."""
    return await request.services.ledger.wallet(holder, asset)


@get(_WALLET + "/entries", opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def list_entries(
    request: Call,
    holder: Segment,
    asset: Segment,
    limit: Annotated[int, Parameter(ge=1, le=MAX_PAGE)] = 50,
    cursor: str | None = None,
) -> EntryPage:
    """List a wallet's entries, the newest first."""
    page = await request.services.ledger.statement(holder, asset, limit=limit, cursor=cursor)
    items = [entry_view(entry, asset=asset, holder=holder) for entry in page.items]
    return EntryPage(items=items, cursor=page.cursor)


ROUTES: Final[list[BaseRouteHandler]] = [show_wallet, list_entries]

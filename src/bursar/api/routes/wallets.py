"""Wallets: what somebody has, what it came from, what it may do (L4-L9, L12, L13)."""

from datetime import datetime
from typing import Annotated, Final, Literal

from litestar import Response, get, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from bursar.api.call import Call
from bursar.api.moving import ANSWERS, move, named
from bursar.api.scopes import APPS_AND_READERS, OPERATORS
from bursar.api.segments import Segment
from bursar.api.wire.entries import EntryPage, Receipt, entry_view
from bursar.api.wire.text import QueryWord
from bursar.api.wire.wallets import (
    BalanceView,
    ExplanationView,
    NewLimit,
    NewState,
    TotalList,
    WalletList,
    explanation_view,
)
from bursar.ledger import Filter, Kind, SetLimit, SetState, Wallet
from bursar.platform.pages import MAX_PAGE

WALLET: Final = "/v1/holders/{holder:str}/wallets/{asset:str}"


@get("/v1/holders/{holder:str}/wallets", opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def list_wallets(request: Call, holder: Segment) -> WalletList:
    """Show all wallets of a holder as they stand at one moment, by asset."""
    return WalletList(items=await request.services.ledger.wallets(holder))


@get(WALLET, opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def show_wallet(request: Call, holder: Segment, asset: Segment) -> Wallet:
    """Show a wallet as it stands now: balance, held, available, its open holds and lots."""
    return await request.services.ledger.wallet(holder, asset)


@get(WALLET + "/entries", opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def list_entries(
    request: Call,
    holder: Segment,
    asset: Segment,
    kind: FromQuery[Kind | None] = None,
    source: QueryWord = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 50,
    cursor: QueryWord = None,
) -> EntryPage:
    """List a wallet's entries, the newest first, of a kind, a source, in [since, until), or all."""
    wanted = Filter(
        kinds=() if kind is None else (kind,),
        sources=() if source is None else (source,),
        since=since,
        until=until,
    )
    page = await request.services.ledger.statement(
        holder, asset, wanted=wanted, limit=limit, cursor=cursor
    )
    items = [entry_view(entry, asset=asset, holder=holder) for entry in page.items]
    return EntryPage(items=items, cursor=page.cursor)


@get(WALLET + "/balance", opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def show_balance(
    request: Call,
    holder: Segment,
    asset: Segment,
    at: FromQuery[datetime],
    by: FromQuery[Literal["recorded", "effective"]] = "recorded",
) -> BalanceView:
    """Tell a balance as of an instant.

    By what the books said at that instant, or by when movements took effect, late ones included.
    """
    balance = await request.services.ledger.balance_at(holder, asset, at=at, by=by)
    return BalanceView(asset=asset, at=at, by=by, balance=balance)


@get(WALLET + "/totals", opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def list_totals(request: Call, holder: Segment, asset: Segment) -> TotalList:
    """Add up a wallet's life by kind and source: granted, earned, purchased, spent."""
    return TotalList(items=await request.services.ledger.totals(holder, asset))


@get(WALLET + "/explain", opt={"scopes": APPS_AND_READERS}, tags=["Wallets"])
async def explain_wallet(request: Call, holder: Segment, asset: Segment) -> ExplanationView:
    """Say why a balance is what it is: its lots, what opened each and why, what drew from it."""
    return explanation_view(await request.services.ledger.explain(holder, asset))


@put(WALLET + "/limit", opt={"scopes": OPERATORS, "answers": ANSWERS}, tags=["Wallets"])
async def set_limit(
    request: Call, holder: Segment, asset: Segment, data: JSONBody[NewLimit]
) -> Response[Receipt]:
    """Let a wallet go down to minus the limit; 0 takes the credit line away."""
    await request.services.ledger.wallets(holder)  # a mistyped name opens no wallet
    fields = named(request, data.reference, holder=holder, asset=asset, reason=data.reason)
    return await move(request, SetLimit(limit=data.limit, **fields))


@put(WALLET + "/state", opt={"scopes": OPERATORS, "answers": ANSWERS}, tags=["Wallets"])
async def set_state(
    request: Call, holder: Segment, asset: Segment, data: JSONBody[NewState]
) -> Response[Receipt]:
    """Freeze a wallet, unfreeze it, close it if it is empty, or open it again."""
    await request.services.ledger.wallets(holder)  # a mistyped name opens no wallet
    fields = named(request, data.reference, holder=holder, asset=asset, reason=data.reason)
    return await move(request, SetState(state=data.state, **fields))


ROUTES: Final[list[BaseRouteHandler]] = [
    list_wallets,
    show_wallet,
    list_entries,
    show_balance,
    list_totals,
    explain_wallet,
    set_limit,
    set_state,
]

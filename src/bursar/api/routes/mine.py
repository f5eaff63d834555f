"""What a holder token may ask: one person's own, and nothing of anybody else (I2)."""

from typing import Annotated, Final

from litestar import Response, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from bursar.api.call import Call
from bursar.api.scopes import HOLDERS
from bursar.api.segments import Segment
from bursar.api.wire.holders import NextGrantList, next_view
from bursar.api.wire.mine import Me, MyAwardPage, MyEntryPage, my_award, my_entry
from bursar.api.wire.text import QueryWord
from bursar.api.wire.wallets import WalletList
from bursar.ledger import Wallet
from bursar.platform.pages import MAX_PAGE
from bursar.programs.claims.claim import ClaimAnswer

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]


@get("/v1/me", opt={"scopes": HOLDERS}, tags=["Mine"])
async def show_me(request: Call) -> Me:
    """Tell whose token this is."""
    return Me(holder=request.holder)


@get("/v1/me/wallets", opt={"scopes": HOLDERS}, tags=["Mine"])
async def list_my_wallets(request: Call) -> WalletList:
    """Show all wallets of the token's holder."""
    return WalletList(items=await request.services.ledger.wallets(request.holder))


@get("/v1/me/wallets/{asset:str}", opt={"scopes": HOLDERS}, tags=["Mine"])
async def show_my_wallet(request: Call, asset: Segment) -> Wallet:
    """Show a wallet as it stands now."""
    return await request.services.ledger.wallet(request.holder, asset)


@get("/v1/me/wallets/{asset:str}/entries", opt={"scopes": HOLDERS}, tags=["Mine"])
async def list_my_entries(
    request: Call, asset: Segment, limit: Limit = 50, cursor: QueryWord = None
) -> MyEntryPage:
    """List a wallet's entries, the newest first: what moved and when, not how it is kept."""
    page = await request.services.ledger.statement(
        request.holder, asset, limit=limit, cursor=cursor
    )
    items = [my_entry(entry, asset) for entry in page.items]
    return MyEntryPage(items=items, cursor=page.cursor)


@get("/v1/me/next-grants", opt={"scopes": HOLDERS}, tags=["Mine"])
async def list_my_next_grants(request: Call) -> NextGrantList:
    """Tell what comes next from every program: when, how much, and why."""
    found = await request.services.programs.next_grants(request.holder)
    return NextGrantList(items=[next_view(following) for following in found])


@get("/v1/me/grants", opt={"scopes": HOLDERS}, tags=["Mine"])
async def list_my_awards(
    request: Call, program: QueryWord = None, limit: Limit = 50, cursor: QueryWord = None
) -> MyAwardPage:
    """List what programs gave or took back, the newest first."""
    page = await request.services.programs.awards(
        request.holder, program=program, limit=limit, cursor=cursor
    )
    return MyAwardPage(items=[my_award(award) for award in page.items], cursor=page.cursor)


@post(
    "/v1/me/claims/{program:str}",
    opt={"scopes": HOLDERS, "answers": {201: ClaimAnswer, 200: ClaimAnswer}},
    tags=["Mine"],
)
async def claim_mine(request: Call, program: Segment) -> Response[ClaimAnswer]:
    """Claim; a period claimed before is no error: 200, `already`, 0 awarded."""
    answer = await request.services.programs.claim(
        program, request.holder, actor=request.caller.actor
    )
    return Response(answer, status_code=200 if answer.already else 201)


ROUTES: Final[list[BaseRouteHandler]] = [
    show_me,
    list_my_wallets,
    show_my_wallet,
    list_my_entries,
    list_my_next_grants,
    list_my_awards,
    claim_mine,
]

"""The directory of people, and what programs have for each (H1, H2, H4, P12, P13)."""

from typing import Annotated, Final

from litestar import Response, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from bursar.api.call import Call
from bursar.api.etags import etag, if_match, if_none_match
from bursar.api.scopes import ADMINS, APPS, APPS_AND_READERS, READERS
from bursar.api.segments import Segment
from bursar.api.wire.holders import (
    AwardPage,
    ChangedMany,
    Erasure,
    HolderChanges,
    HolderFields,
    HolderPage,
    HolderView,
    Logins,
    LoginsNoted,
    NewUniqueNames,
    NextGrantList,
    PastPage,
    UniqueNames,
    award_view,
    change_of,
    changed,
    holder_view,
    logins_of,
    next_view,
    past_view,
)
from bursar.api.wire.text import QueryWord
from bursar.holders import Wanted, version_of
from bursar.platform.pages import MAX_PAGE

_HOLDER: Final = "/v1/holders/{holder:str}"
_TAGGED: Final = {"ETag": "What the holder is now, for `If-Match`."}

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]


@get("/v1/holders", opt={"scopes": READERS}, tags=["Holders"])
async def list_holders(
    request: Call,
    status: QueryWord = None,
    tier: QueryWord = None,
    verified: FromQuery[bool | None] = None,
    erased: FromQuery[bool] = False,
    limit: Limit = 50,
    cursor: QueryWord = None,
) -> HolderPage:
    """List holders in the order of their enrolment, of a status, a tier, verified ones, or all."""
    wanted = Wanted(status=status, tier=tier, verified=verified, erased=erased)
    page = await request.services.holders.list(wanted, limit=limit, cursor=cursor)
    return HolderPage(items=[holder_view(h) for h in page.items], cursor=page.cursor)


@get(_HOLDER, opt={"scopes": APPS_AND_READERS, "headers": _TAGGED}, tags=["Holders"])
async def show_holder(request: Call, holder: Segment) -> Response[HolderView]:
    """Show a holder; the `ETag` is for changing what was read."""
    found = await request.services.holders.get(holder)
    return Response(holder_view(found), headers={"etag": etag(version_of(found))})


@put(
    _HOLDER,
    opt={
        "scopes": APPS,
        "headers": _TAGGED,
        "answers": {200: HolderView, 201: HolderView},
    },
    tags=["Holders"],
)
async def put_holder(
    request: Call, holder: Segment, data: JSONBody[HolderFields]
) -> Response[HolderView]:
    """Enrol a holder, or change what is said of one; what is left out stays.

    With `If-Match` only if the holder is still what was read (`*` is whoever is there), with
    `If-None-Match: *` only if there is no such holder, else 412 `precondition_failed`.
    """
    done, found = await request.services.holders.change(
        change_of(holder, data),
        expect=if_match(request.headers, star="*"),
        new=if_none_match(request.headers),
        actor=request.caller.actor,
        reason=data.reason,
    )
    status = 201 if done.outcome == "created" else 200
    headers = {"etag": etag(version_of(found))}
    return Response(holder_view(found), status_code=status, headers=headers)


@post("/v1/holders/bulk", opt={"scopes": APPS}, tags=["Holders"], status_code=200)
async def change_holders(request: Call, data: JSONBody[HolderChanges]) -> ChangedMany:
    """Enrol or change up to 10,000 holders in one transaction.

    A refused change does not hold up the others; several of one holder are made in their order.
    """
    changes = [change_of(one.external_id, one) for one in data.changes]
    done = await request.services.holders.upsert(
        changes, actor=request.caller.actor, reason=data.reason
    )
    return ChangedMany(results=[changed(one) for one in done])


@post("/v1/holders/logins", opt={"scopes": APPS}, tags=["Holders"], status_code=200)
async def note_logins(request: Call, data: JSONBody[Logins]) -> LoginsNoted:
    """Note when holders were in the app, up to 10,000 at a time."""
    seen = await request.services.holders.note(logins_of(data))
    return LoginsNoted(noted=seen.noted, unknown=list(seen.unknown))


@get(_HOLDER + "/changes", opt={"scopes": READERS}, tags=["Holders"])
async def list_changes(
    request: Call, holder: Segment, limit: Limit = 50, cursor: QueryWord = None
) -> PastPage:
    """List what was in force of a holder before, and who ended it why, the newest first."""
    page = await request.services.holders.history(holder, limit=limit, cursor=cursor)
    return PastPage(items=[past_view(past) for past in page.items], cursor=page.cursor)


@post(_HOLDER + "/erase", opt={"scopes": ADMINS}, tags=["Holders"], status_code=200)
async def erase_holder(request: Call, holder: Segment, data: JSONBody[Erasure]) -> HolderView:
    """Remove what is personal of a holder; the books and their checksums stay.

    The app's own id gives way to a tombstone. Who still has credit is refused
    (`holder_has_credit`), unless `with_credit` says that it may stay.
    """
    erased = await request.services.holders.erase(
        holder, with_credit=data.with_credit, actor=request.caller.actor, reason=data.reason
    )
    return holder_view(erased)


@get("/v1/directory/unique", opt={"scopes": READERS}, tags=["Holders"])
async def show_unique(request: Call) -> UniqueNames:
    """Tell which names only one holder may have."""
    found = await request.services.holders.unique()
    return UniqueNames(username=found.username, email=found.email)


@put("/v1/directory/unique", opt={"scopes": ADMINS}, tags=["Holders"])
async def set_unique(request: Call, data: JSONBody[NewUniqueNames]) -> UniqueNames:
    """Say which names only one holder may have; refused while several have the same."""
    now = await request.services.holders.unique(
        username=data.username, email=data.email, actor=request.caller.actor, reason=data.reason
    )
    return UniqueNames(username=now.username, email=now.email)


@get(_HOLDER + "/next-grants", opt={"scopes": APPS_AND_READERS}, tags=["Holders"])
async def list_next_grants(request: Call, holder: Segment) -> NextGrantList:
    """Tell what comes next to a holder from every program: when, how much, and why."""
    found = await request.services.programs.next_grants(holder)
    return NextGrantList(items=[next_view(following) for following in found])


@get(_HOLDER + "/grants", opt={"scopes": APPS_AND_READERS}, tags=["Holders"])
async def list_awards(
    request: Call,
    holder: Segment,
    program: QueryWord = None,
    limit: Limit = 50,
    cursor: QueryWord = None,
) -> AwardPage:
    """List what programs gave to a holder or took back, with before and after, the newest first."""
    page = await request.services.programs.awards(
        holder, program=program, limit=limit, cursor=cursor
    )
    return AwardPage(items=[award_view(award) for award in page.items], cursor=page.cursor)


ROUTES: Final[list[BaseRouteHandler]] = [
    list_holders,
    change_holders,
    note_logins,
    show_holder,
    put_holder,
    list_changes,
    erase_holder,
    show_unique,
    set_unique,
    list_next_grants,
    list_awards,
]

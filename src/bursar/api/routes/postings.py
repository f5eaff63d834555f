"""Movements: one command, a batch of them, and the journal (L2, L3, L9)."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
from litestar import MediaType, Response, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from bursar.access import Caller
from bursar.api.call import Call
from bursar.api.moving import moved
from bursar.api.scopes import APPS, OPERATORS, READERS
from bursar.api.services import Services
from bursar.api.wire.entries import EntryPage, Outcome, Receipt, entry_view, outcome_of
from bursar.api.wire.postings import PostingView, posting_view
from bursar.api.wire.text import BY_API
from bursar.ledger import MAX_BATCH, AnyCommand, Kind, SetLimit, SetState, Status
from bursar.platform.errors import Denied, Invalid, Missing
from bursar.platform.pages import MAX_PAGE

_ENCODER: Final = msgspec.json.Encoder()
_COMMAND: Final[msgspec.json.Decoder[AnyCommand]] = msgspec.json.Decoder(AnyCommand)


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 10,000 commands in one transaction, each answered for itself.

    Commands that share a ``group`` are applied together or not at all. ``reason`` is for those
    that name none of their own.
    """

    commands: Annotated[list[AnyCommand], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
    reason: str = BY_API


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each command, in the order of the commands."""

    results: list[Outcome]
    applied: int
    replayed: int
    refused: int


PATH: Final = "/v1/postings"


@post(
    PATH,
    opt={"scopes": APPS, "body": AnyCommand, "answers": {201: Receipt, 200: Receipt}},
    tags=["Postings"],
)
async def post_command(request: Call) -> Response[bytes]:
    """Move credit by one command.

    It is applied once, however often it is sent: the same reference with the same content is
    answered as the first time, with status 200 and ``replayed``. Without a ``reference`` the
    `Idempotency-Key` is it. Limits and states of wallets are for operators: `scope_missing`.
    """
    body = await request.body()
    status, answer = await post_one(request.services, request.caller, body, request.idempotency_key)
    return Response(answer, status_code=status, media_type=MediaType.JSON)


async def post_one(
    services: Services, caller: Caller, body: bytes, key: str | None
) -> tuple[int, bytes]:
    """Do one command as it came; the status of the answer, and its body."""
    command = read_command(body, key)
    permit(caller, (command,))
    status, receipt = await moved(services, caller, command)
    return status, _ENCODER.encode(receipt)


@post("/v1/postings/bulk", opt={"scopes": APPS}, tags=["Postings"], status_code=200)
async def post_batch(request: Call, data: JSONBody[Batch]) -> BatchAnswer:
    """Move credit by up to 10,000 commands in one transaction.

    A refused command does not hold up the others; whoever sends the batch again is answered with
    ``replayed`` for what is in the books. Every command carries its own reference. A batch with a
    command that these credentials may not give is refused whole: `scope_missing`.
    """
    permit(request.caller, data.commands)
    results = await request.services.ledger.post(
        data.commands, actor=request.caller.actor, reason=data.reason
    )
    answers = [
        outcome_of(result, asset=command.asset, holder=command.holder)
        for command, result in zip(data.commands, results, strict=True)
    ]
    statuses = [result.status for result in results]
    applied, replayed = statuses.count(Status.APPLIED), statuses.count(Status.REPLAYED)
    return BatchAnswer(
        results=answers,
        applied=applied,
        replayed=replayed,
        refused=len(results) - applied - replayed,
    )


@get("/v1/journal", opt={"scopes": READERS}, tags=["Postings"])
async def read_journal(
    request: Call,
    kind: FromQuery[Kind | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 50,
    cursor: FromQuery[str | None] = None,
) -> EntryPage:
    """List the entries of all wallets, of one kind or all, the newest posting first."""
    ledger = request.services.ledger
    page = await ledger.journal(kind=kind, limit=limit, cursor=cursor)
    codes: dict[int, str] = {asset.asset_id: asset.code for asset in await ledger.assets()}
    names = await ledger.holders({entry.holder_id for entry in page.items})
    items = [
        entry_view(e, asset=codes[e.asset_id], holder=names.get(e.holder_id)) for e in page.items
    ]
    return EntryPage(items=items, cursor=page.cursor)


@get("/v1/postings/{posting_id:int}", opt={"scopes": READERS}, tags=["Postings"])
async def show_posting(request: Call, posting_id: FromPath[int]) -> PostingView:
    """Tell who made a posting, and why."""
    found = (await request.services.ledger.postings([posting_id])).get(posting_id)
    if found is None:
        raise Missing("posting_unknown", f"there is no posting {posting_id}", posting=posting_id)
    return posting_view(found)


def permit(caller: Caller, commands: Iterable[AnyCommand]) -> None:
    """Refuse what has a narrower endpoint of its own, whichever way it comes (I2).

    Raises `Denied` ``scope_missing`` for limits and states, which are an operator's.
    """
    if OPERATORS.isdisjoint(caller.scopes) and any(
        isinstance(command, (SetLimit, SetState)) for command in commands
    ):
        raise Denied(
            "scope_missing",
            "a wallet's limit and state are set by operators",
            scopes=sorted(OPERATORS),
        )


def read_command(body: bytes, key: str | None) -> AnyCommand:
    """Read a command; where it has no reference, the key is it (L3)."""
    try:
        return _COMMAND.decode(body)
    except msgspec.ValidationError as error:
        given = _parsed(body) if key is not None else None
        if key is None or not isinstance(given, dict) or "reference" in given:
            raise Invalid("request_invalid", str(error)) from None
        return _with_reference(given, key)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("request_invalid", f"the body is no JSON: {error}") from None


def _parsed(body: bytes) -> Any:
    """Parse what is no command; raises `Invalid` where no JSON of ours can be it, as 1e999."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Invalid("request_invalid", str(error)) from None


def _with_reference(given: dict[str, Any], key: str) -> AnyCommand:
    try:
        command: AnyCommand = msgspec.convert(given | {"reference": key}, AnyCommand)
    except msgspec.ValidationError as error:
        raise Invalid("request_invalid", str(error)) from None
    return command


ROUTES: Final[list[BaseRouteHandler]] = [post_command, post_batch, show_posting, read_journal]

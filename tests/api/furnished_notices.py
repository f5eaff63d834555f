"""What requests about notices need to be there: inboxes, webhooks, deliveries, dispatches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bursar.notices.mail.unsubscribe import Unsubscribing
from bursar.notices.model import Channel, Kind, notice_id_of
from bursar.notices.sending import store
from bursar.notices.sending.model import NewDelivery
from bursar.platform.sealing import Seal

if TYPE_CHECKING:
    from tests.api.furnished import Furniture

    Names = dict[str, list[Any]]

WHO: Final[Mapping[str, str]] = {"actor": "api:founder", "reason": "a club is founded"}
NOBODY_LISTENS: Final = "http://127.0.0.1:9/hook"


async def webhook_of(f: Furniture) -> int:
    """Add a webhook, in the place of another where there are many."""
    endpoints = f.services.notices.endpoints
    there = await endpoints.list()
    if len(there) > 20:
        await endpoints.remove(there[0].endpoint_id, **WHO)
    made = await endpoints.add(f"{NOBODY_LISTENS}/{f.new('hook')}", **WHO)
    return int(made.endpoint.endpoint_id)


async def put(f: Furniture, **fields: Any) -> int:
    """Put a delivery into the queue; its number."""
    notices = f.services.notices
    now = datetime.now(UTC)
    new = NewDelivery(
        notice_id=notice_id_of(0, f.new("fact")),
        kind=Kind.DEPOSIT,
        happened_at=now,
        data={"notices": [], "run": None},
        **fields,
    )
    async with f.services.ledger.database.transaction() as connection:
        assert await store.add(connection, [new]) == 1
    [newest] = (await notices.deliveries.page(limit=1)).items
    return newest.delivery_id


async def _told(f: Furniture) -> Names:
    """Somebody with an inbox of their own."""
    name = await f.person(coins=100)
    for _ in range(3):
        await f.hold(name)
    page = await f.services.notices.inboxes.page(name)
    return {
        "holder": [name],
        "notice": [str(notice.notice_id) for notice in page.items],
        "up_to": [notice.number for notice in page.items],
        "quiet": [{"from": "21:15", "until": "06:00"}, None],
        "choices": [{"deposit": {"email": False}}, {"reminder": {"inbox": None}}],
    }


async def _webhook(f: Furniture) -> Names:
    """Several, one of which has something waiting."""
    webhooks = [await webhook_of(f) for _ in range(3)]
    for state in (None, "restored"):
        await put(f, channel=Channel.WEBHOOK, endpoint_id=webhooks[0], parked_note=state)
    return {"webhook": webhooks, "url": _urls(f)}


async def _span(f: Furniture) -> Names:
    begin, end = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"
    return {**await _webhook(f), "since": [begin], "until": [end]}


async def _letters(f: Furniture) -> Names:
    await put(f, channel=Channel.EMAIL, address="ops@club.example", parked_note="failed")
    return {"since": ["2020-01-01T00:00:00Z"], "until": ["2090-01-01T00:00:00Z"]}


async def _new_webhook(f: Furniture) -> Names:
    await webhook_of(f)
    return {"url": _urls(f)}


def _urls(f: Furniture) -> list[str]:
    return [f"{NOBODY_LISTENS}/{f.new('hook')}" for _ in range(9)]


async def _delivery(f: Furniture) -> Names:
    [webhook, *_] = (await _webhook(f))["webhook"]
    letter = await put(f, channel=Channel.EMAIL, address="ops@club.example")
    more = {"channel": Channel.WEBHOOK, "endpoint_id": webhook, "parked_note": "failed"}
    return {"delivery": [letter, await put(f, **more)], "webhook": [webhook], "holder": ["maria"]}


async def _dispatch(f: Furniture) -> Names:
    """Begun, of a run that has ended, and not done: another run is under way."""
    await webhook_of(f)
    await f.run(work=True)
    await f.services.notices.maker.dispatch()
    [newest] = (await f.services.notices.dispatches.list(limit=1)).items
    assert newest.state in ("running", "finished"), newest
    return {"dispatch": [newest.dispatch_id]}


async def _paused(f: Furniture) -> Names:
    names = await _dispatch(f)
    await f.services.notices.dispatches.pause(names["dispatch"][0], **WHO)
    return names


async def _bounced(f: Furniture) -> Names:
    name = await f.person()
    number = await f.services.notices.inboxes.number_of(name)
    for address in (f"{name}@example.org", f"{name}@old.example.org"):
        await f.services.notices.bounces.keep(
            address, holder_id=number, status=550, detail="550 no such mailbox"
        )
    return {"holder": [name]}


async def _letter(f: Furniture) -> Names:
    number = await f.services.notices.inboxes.number_of("maria")
    links = Unsubscribing(Seal(f.services.settings.secrets_key), "http://b")
    url = links.url(number, Kind.DEPOSIT)
    return {"token": [url.rsplit("/", 1)[1]]}


async def _kind(_f: Furniture) -> Names:
    return {"kind": ["deposit", "reminder"]}


PREPARED: Final[Mapping[str, Callable[[Furniture], Awaitable[Names]]]] = {
    "addWebhook": _new_webhook,
    "askToUnsubscribe": _letter,
    "cancelDispatch": _dispatch,
    "changeMyPreferences": _told,
    "changePreferences": _told,
    "changeWebhook": _webhook,
    "clearBounces": _bounced,
    "dismissMyNotice": _told,
    "listBounces": _bounced,
    "listDeliveries": _delivery,
    "listDispatches": _dispatch,
    "listMyNotices": _told,
    "listNotices": _told,
    "pauseDispatch": _dispatch,
    "pingWebhook": _webhook,
    "previewNotice": _kind,
    "readMyNotice": _told,
    "readMyNotices": _told,
    "removeWebhook": _webhook,
    "replayDelivery": _delivery,
    "replayMail": _letters,
    "replayWebhook": _span,
    "resealWebhooks": _webhook,
    "resumeDispatch": _paused,
    "rotateWebhook": _webhook,
    "showDelivery": _delivery,
    "showDispatch": _dispatch,
    "showWebhook": _webhook,
    "unsubscribe": _letter,
}

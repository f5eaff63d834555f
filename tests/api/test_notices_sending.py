"""What is on its way, over HTTP: deliveries, dispatches, blocked addresses (N3, N5)."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from bursar.holders import HolderChange
from bursar.notices.model import Channel, Kind, notice_id_of
from bursar.notices.sending import store
from bursar.notices.sending.model import NewDelivery
from bursar.notices.sending.service import on_new_epoch
from tests.api.clubs import CLUB, found, said
from tests.api.conftest import As, Headers, problem
from tests.api.told import WHO, give, tell, with_key
from tests.notices.webhooks.conftest import Receiver, receiver  # noqa: F401 - a fixture

WHY = {"reason": "as agreed"}
TELLING = CLUB.replace("amount = 100\n", 'amount = 100\nterms = { notices = ["deposit"] }\n')


@pytest.fixture(autouse=True)
def keyed(services: Services) -> None:
    with_key(services)


@pytest.fixture
def chief(as_: As) -> Headers:
    return as_("operator")


async def hook(services: Services, url: str = "http://127.0.0.1:9/hook") -> int:
    made = await services.notices.endpoints.add(url, **WHO)
    return made.endpoint.endpoint_id


async def listed(api: httpx.AsyncClient, headers: Headers, **query: Any) -> list[dict[str, Any]]:
    return said(await api.get("/v1/deliveries", params=query, headers=headers))["items"]


async def test_a_delivery_tells_how_each_attempt_went(
    api: httpx.AsyncClient,
    services: Services,
    chief: Headers,
    receiver: Receiver,  # noqa: F811
) -> None:
    number = await hook(services, receiver.url)
    await tell(services)
    await give(services, "maria", 50)
    await services.notices.maker.make_all_due()
    receiver.answer = b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n"
    await services.notices.send_webhooks()
    [waiting] = await listed(api, chief)
    assert (waiting["state"], waiting["attempts"], waiting["webhook_id"]) == ("waiting", 1, number)
    path = f"/v1/deliveries/{waiting['delivery_id']}"
    whole = said(await api.get(path, headers=chief))
    assert whole["delivery"] == waiting
    [told] = whole["data"]["notices"]
    assert (told["id"], told["data"]["amount"]) == (waiting["notice_id"], 50)
    [attempt] = whole["attempts"]
    assert (attempt["outcome"], attempt["status"]) == ("failed", 500)
    receiver.answer = b"HTTP/1.1 200 ok\r\ncontent-length: 0\r\n\r\n"
    again = await api.post(path + "/replay", json=WHY, headers=chief)
    assert (again.status_code, again.content) == (204, b"")
    await services.notices.send_webhooks()
    whole = said(await api.get(path, headers=chief))
    assert [one["outcome"] for one in whole["attempts"]] == ["failed", "sent"]
    assert whole["delivery"]["state"] == "sent"


async def test_letters_that_were_parked_in_a_span_are_sent_after_all(
    api: httpx.AsyncClient, services: Services, as_: As
) -> None:
    letter = NewDelivery(
        notice_id=notice_id_of(0, "alert"),
        channel=Channel.EMAIL,
        kind=Kind.OPERATOR_ALERT,
        happened_at=datetime.now(UTC),
        data={},
        address="ops@club.example",
        parked_note="no server for a week",
    )
    async with services.ledger.database.transaction() as connection:
        assert await store.add(connection, [letter]) == 1
    [parked] = (await services.notices.deliveries.page()).items
    span = {"since": "2020-01-01T00:00:00Z", "until": "2090-01-01T00:00:00Z", **WHY}
    path, by = "/v1/deliveries/replay", as_("operator")
    none = span | {"states": ["sent", "dropped"]}
    assert said(await api.post(path, json=none, headers=by)) == {"replayed": 0}
    assert said(await api.post(path, json=span, headers=by)) == {"replayed": 1}
    [due] = (await services.notices.deliveries.page()).items
    assert (due.delivery_id, due.state) == (parked.delivery_id, "waiting")
    for wrong in ({"states": []}, {"states": ["waiting"]}, {"until": "2020-01-01T00:00:00Z"}):
        refused = await api.post(path, json=span | wrong, headers=by)
        assert problem(refused, 400) in ("request_invalid", "delivery_span")


async def test_a_list_is_narrowed_and_goes_on(
    api: httpx.AsyncClient, services: Services, chief: Headers
) -> None:
    first, second = await hook(services), await hook(services, "http://127.0.0.1:9/other")
    await tell(services, maria="en", ben="en")
    await give(services, "maria", 50, 60)
    await services.notices.maker.make_all_due()
    everything = await listed(api, chief)
    assert len(everything) == 4
    assert await listed(api, chief, webhook=first) == [
        one for one in everything if one["webhook_id"] == first
    ]
    for query, number in (
        ({"channel": "webhook"}, 4),
        ({"channel": "email"}, 0),
        ({"state": "waiting", "kind": "deposit", "webhook": second}, 2),
        ({"state": "parked"}, 0),
        ({"kind": "reminder"}, 0),
        ({"holder": "ben"}, 0),
    ):
        assert len(await listed(api, chief, **query)) == number, query
    page = said(await api.get("/v1/deliveries?limit=3", headers=chief))
    rest = await listed(api, chief, cursor=page["cursor"])
    assert page["items"] + rest == everything


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("channel=inbox", 400),
        ("state=lost", 400),
        ("kind=party", 400),
        ("webhook=0", 400),
        (f"webhook={2**31}", 400),
        ("webhook=x", 400),
        ("cursor=x", 400),
        ("limit=0", 400),
        ("holder=nobody-at-all", 404),
        ("holder=a%00b", 400),
    ],
)
async def test_a_list_of_what_there_cannot_be_is_refused(
    api: httpx.AsyncClient, chief: Headers, query: str, status: int
) -> None:
    assert problem(await api.get(f"/v1/deliveries?{query}", headers=chief), status)


async def test_a_refusal_names_the_parameter_as_it_was_asked(
    api: httpx.AsyncClient, chief: Headers
) -> None:
    answer = await api.get("/v1/deliveries?state=lost", headers=chief)
    [told] = answer.json()["fields"]["problems"]
    assert (told["key"], told["source"]) == ("state", "query")
    answer = await api.get("/v1/export?format=pdf", headers=chief)
    assert problem(answer, 400) == "request_invalid"
    [told] = answer.json()["fields"]["problems"]
    assert (told["key"], told["source"]) == ("format", "query")


async def test_what_a_restore_has_parked_is_sent_after_all(
    api: httpx.AsyncClient, services: Services, chief: Headers
) -> None:
    await hook(services)
    await tell(services)
    await give(services, "maria", 50, 60)
    await services.notices.maker.make_all_due()
    async with services.ledger.database.transaction() as connection:
        await on_new_epoch(connection)
    assert {one["note"] for one in await listed(api, chief, state="parked")} == {"restored"}
    path = "/v1/deliveries/release"
    for channel, number in (("email", 0), ("webhook", 2), ("webhook", 0)):
        body = {"channel": channel, **WHY}
        assert said(await api.post(path, json=body, headers=chief)) == {"released": number}
    assert len(await listed(api, chief, state="waiting")) == 2
    inbox = await api.post(path, json={"channel": "inbox", **WHY}, headers=chief)
    assert problem(inbox, 400) == "request_invalid"


async def test_a_dispatch_is_watched_paused_resumed_and_canceled(
    api: httpx.AsyncClient, services: Services, chief: Headers
) -> None:
    await hook(services)
    await found(services, TELLING, people=("gus",))
    since = datetime(2020, 1, 1, tzinfo=UTC)
    joined = [HolderChange(name, created_at=since, at=since) for name in ("maria", "ben")]
    await services.holders.upsert(joined, **WHO)
    run = await services.programs.runs.start("monthly", "2020-02", **WHO)
    await services.programs.runs.work()
    await services.notices.maker.make_all_due()
    listed = said(await api.get("/v1/dispatches", headers=chief))["items"]
    [dispatch] = [one for one in listed if one["run"] == f"run_{run}"]
    assert dispatch["program"] == "monthly"
    assert (dispatch["looked"], dispatch["made"], dispatch["sent"]) == (2, 1, 0)
    path = f"/v1/dispatches/{dispatch['dispatch_id']}"
    assert said(await api.get(path, headers=chief)) == dispatch
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "canceled")):
        moved = said(await api.post(f"{path}/{verb}", json=WHY, headers=chief))
        assert moved["state"] == state
    again = await api.post(f"{path}/resume", json=WHY, headers=chief)
    assert problem(again, 409) == "dispatch_state"
    acts = said(await api.get("/v1/audit?act=dispatch.*", headers=chief))["items"]
    assert [act["act"] for act in acts] == ["dispatch.cancel", "dispatch.resume", "dispatch.pause"]


@pytest.mark.parametrize("number", ["0", "-1", "999", str(2**63 - 1), str(2**63), "9" * 40])
async def test_what_is_not_on_its_way_is_missing(
    api: httpx.AsyncClient, chief: Headers, number: str
) -> None:
    for path, code in (("deliveries", "delivery_unknown"), ("dispatches", "dispatch_unknown")):
        codes = (code, "path_unknown") if number == "-1" else (code,)
        assert problem(await api.get(f"/v1/{path}/{number}", headers=chief), 404) in codes
    replay = await api.post(f"/v1/deliveries/{number}/replay", json=WHY, headers=chief)
    assert problem(replay, 404) in ("delivery_unknown", "path_unknown")
    pause = await api.post(f"/v1/dispatches/{number}/pause", json=WHY, headers=chief)
    assert problem(pause, 404) in ("dispatch_unknown", "path_unknown")


async def test_an_address_that_is_blocked_is_listed_and_cleared(
    api: httpx.AsyncClient, services: Services, chief: Headers
) -> None:
    await tell(services, maria="en", ben="en")
    notices = services.notices
    for name in ("maria", "ben"):
        number = await notices.inboxes.number_of(name)
        await notices.bounces.keep(
            f"{name}@club.example", holder_id=number, status=550, detail="550 no such mailbox"
        )
    answer = await api.get("/v1/bounces", headers=chief)
    assert [one["holder"] for one in said(answer)["items"]] == ["ben", "maria"]
    assert "club.example" not in answer.text
    first = said(await api.get("/v1/bounces?limit=1", headers=chief))
    rest = said(await api.get(f"/v1/bounces?cursor={first['cursor']}", headers=chief))
    assert [one["holder"] for one in rest["items"]] == ["maria"]
    path = "/v1/holders/maria/bounces"
    assert said(await api.delete(path, params=WHY, headers=chief)) == {"cleared": 1}
    again = await api.delete(path, params=WHY, headers=chief)
    assert problem(again, 404) == "bounce_unknown"
    for bad in ({}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "a\nb"}):
        assert problem(await api.delete(path, params=bad, headers=chief), 400), bad
    assert said(await api.get("/v1/bounces?holder=maria", headers=chief))["items"] == []
    nobody = await api.get("/v1/bounces?holder=nobody-at-all", headers=chief)
    assert problem(nobody, 404) == "holder_unknown"
    assert problem(await api.get("/v1/bounces?cursor=7", headers=chief), 400) == "cursor"

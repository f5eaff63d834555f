"""Webhooks over HTTP: added, changed, removed, tried, and sent to again (N3)."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from bursar.api.services import Services
from bursar.platform.errors import Rejected
from bursar.trail.model import Wanted
from tests.api.clubs import said
from tests.api.conftest import As, Headers, problem
from tests.api.told import at_once, give, tell, with_key
from tests.notices.webhooks.conftest import Receiver, receiver  # noqa: F401 - a fixture

HOOKS = "/v1/webhooks"
URL = "https://app.example.org/hook?token=t0psecret"
WHY = {"reason": "as agreed"}


@pytest.fixture(autouse=True)
def keyed(services: Services) -> None:
    with_key(services)


@pytest.fixture
def chief(as_: As) -> Headers:
    return as_("admin")


async def add(
    api: httpx.AsyncClient, headers: Headers, url: str = URL, **more: Any
) -> dict[str, Any]:
    return said(await api.post(HOOKS, json={"url": url, **WHY, **more}, headers=headers), 201)


async def test_a_secret_is_told_once_and_signs_what_is_sent(
    api: httpx.AsyncClient,
    services: Services,
    chief: Headers,
    receiver: Receiver,  # noqa: F811
) -> None:
    made = await add(api, chief, receiver.url, kinds=["deposit"], description="the app")
    assert made["secret"].startswith("whsec_")
    number = made["webhook"]["webhook_id"]
    for shown in (
        await api.get(HOOKS, headers=chief),
        await api.get(f"{HOOKS}/{number}", headers=chief),
        await api.get("/v1/audit?act=webhook.*", headers=chief),
    ):
        assert shown.status_code == 200
        assert made["secret"] not in shown.text
    pinged = await api.post(f"{HOOKS}/{number}/ping", json=WHY, headers=chief)
    assert said(pinged) == {"outcome": "sent", "status": 200, "detail": ""}
    [got] = receiver.got
    assert Webhook(made["secret"]).verify(got.body, got.headers)["type"] == "ping"


async def test_what_is_in_a_query_is_shown_to_admins_alone(
    api: httpx.AsyncClient, as_: As, chief: Headers
) -> None:
    await add(api, chief)
    for scope, url in (
        ("admin", URL), ("operator", URL.partition("?")[0]), ("viewer", URL.partition("?")[0]),
    ):  # fmt: skip
        listed = await api.get(HOOKS, headers=as_(scope))
        assert [one["url"] for one in said(listed)["items"]] == [url], scope


async def test_a_url_is_added_once(api: httpx.AsyncClient, chief: Headers) -> None:
    await add(api, chief)
    again = await api.post(HOOKS, json={"url": URL, **WHY}, headers=chief)
    assert problem(again, 409) == "webhook_exists"
    others = await at_once(
        *(api.post(HOOKS, json={"url": URL + "2", **WHY}, headers=chief) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in others) == [201, 409, 409, 409, 409]


async def test_a_change_leaves_the_rest_and_is_refused_on_something_older(
    api: httpx.AsyncClient, chief: Headers
) -> None:
    made = (await add(api, chief, description="the app", kinds=["deposit"]))["webhook"]
    path = f"{HOOKS}/{made['webhook_id']}"
    read = (await api.get(path, headers=chief)).headers["etag"]
    first = await api.patch(path, json={"on": False, **WHY}, headers=chief | {"if-match": read})
    changed = said(first)
    assert (changed["on"], changed["why"]) == (False, "operator")
    assert (changed["kinds"], changed["description"]) == (["deposit"], "the app")
    late = await api.patch(path, json={"on": True, **WHY}, headers=chief | {"if-match": read})
    assert problem(late, 412) == "webhook_moved"
    known = chief | {"if-match": first.headers["etag"]}
    assert said(await api.patch(path, json={"kinds": [], **WHY}, headers=known))["kinds"] == []


async def test_a_rotation_tells_a_new_secret_and_how_long_the_old_one_signs(
    api: httpx.AsyncClient,
    chief: Headers,
    receiver: Receiver,  # noqa: F811
) -> None:
    made = await add(api, chief, receiver.url)
    path = f"{HOOKS}/{made['webhook']['webhook_id']}"
    rotated = said(await api.post(path + "/rotate", json=WHY, headers=chief))
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["old_until"] is not None
    said(await api.post(path + "/ping", json=WHY, headers=chief))
    [got] = receiver.got
    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(got.body, got.headers)
    for hours in (-1, 721, "1", 10**30):
        body = {"overlap_hours": hours, **WHY}
        assert problem(await api.post(path + "/rotate", json=body, headers=chief), 400), hours


async def test_what_waits_for_one_that_is_removed_is_dropped(
    api: httpx.AsyncClient, services: Services, chief: Headers
) -> None:
    number = (await add(api, chief))["webhook"]["webhook_id"]
    await tell(services)
    await give(services, "maria", 5, 6)
    await services.notices.maker.make_all_due()
    path = f"{HOOKS}/{number}"
    unexplained = await api.delete(path, headers=chief)
    assert problem(unexplained, 400) == "request_invalid"
    assert said(await api.delete(path, params=WHY, headers=chief)) == {"dropped": 2}
    assert said(await api.delete(path, params=WHY, headers=chief)) == {"dropped": 0}
    assert problem(await api.get(path, headers=chief), 404) == "webhook_unknown"
    [act] = (await services.trail.acts(Wanted(act="webhook.remove"))).items
    assert (act.actor, act.reason) == ("api:admin", "as agreed")


async def test_what_was_sent_in_a_span_is_sent_again_with_the_same_ids(
    api: httpx.AsyncClient, services: Services, as_: As, chief: Headers,
    receiver: Receiver,  # noqa: F811
) -> None:  # fmt: skip
    number = (await add(api, chief, receiver.url))["webhook"]["webhook_id"]
    await tell(services)
    await give(services, "maria", 50, 60)
    await services.notices.maker.make_all_due()
    assert await services.notices.send_webhooks() == 2
    span = {"since": "2020-01-01T00:00:00Z", "until": "2090-01-01T00:00:00+02:00", **WHY}
    path = f"{HOOKS}/{number}/replay"
    none = span | {"kinds": ["reminder"]}
    assert said(await api.post(path, json=none, headers=as_("operator"))) == {"replayed": 0}
    assert said(await api.post(path, json=span, headers=as_("operator"))) == {"replayed": 2}
    assert await services.notices.send_webhooks() == 2
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert len(ids) == 4
    assert sorted(ids[:2]) == sorted(ids[2:])


async def test_secrets_are_sealed_anew_by_admins_alone(
    api: httpx.AsyncClient, services: Services, as_: As, chief: Headers
) -> None:
    path = f"{HOOKS}/reseal"
    assert said(await api.post(path, json=WHY, headers=chief)) == {"resealed": 0}
    await add(api, chief)
    assert problem(await api.post(path, json=WHY, headers=as_("operator")), 403) == "scope_missing"
    assert problem(await api.post(path, json={}, headers=chief), 400) == "request_invalid"
    assert said(await api.post(path, json=WHY, headers=chief)) == {"resealed": 1}
    [act] = (await services.trail.acts(Wanted(act="webhook.reseal"))).items
    assert (act.actor, act.subject) == ("api:admin", "webhooks")


@pytest.mark.parametrize(
    "body",
    [
        {"since": "2026-01-01T00:00:00", "until": "2026-02-01T00:00:00"},
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": 0, "until": 2_000_000_000},
        {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", "states": []},
        {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", "states": ["waiting"]},
        {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", "kinds": ["party"]},
        {"since": "2026-01-01T00:00:00Z"},
    ],
)
async def test_a_span_that_is_none_sends_nothing(
    api: httpx.AsyncClient, chief: Headers, body: dict[str, Any]
) -> None:
    number = (await add(api, chief))["webhook"]["webhook_id"]
    answer = await api.post(f"{HOOKS}/{number}/replay", json={**body, **WHY}, headers=chief)
    assert problem(answer, 400) in ("request_invalid", "delivery_span")


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    ],
)
async def test_a_span_of_all_time_is_one(
    api: httpx.AsyncClient, chief: Headers, since: str, until: str
) -> None:
    number = (await add(api, chief))["webhook"]["webhook_id"]
    body = {"since": since, "until": until, **WHY}
    answer = await api.post(f"{HOOKS}/{number}/replay", json=body, headers=chief)
    assert said(answer) == {"replayed": 0}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://169.254.169.254/latest/meta-data", "webhook_url"),
        ("http://93.184.216.34/hook", "webhook_url"),
        ("https://user:pw@app.example.org/", "webhook_url"),
        ("https://[::1]:8600/v1/keys", "webhook_url"),
        ("file:///etc/passwd", "webhook_url"),
        ("https://app.example.org/\nhost: x", "webhook_url"),
        ("", "request_invalid"),
        ("https://app.example.org/" + "x" * 3_000, "request_invalid"),
    ],
)
async def test_where_no_webhook_may_go_none_is_added_or_moved(
    api: httpx.AsyncClient, chief: Headers, url: str, code: str
) -> None:
    answer = await api.post(HOOKS, json={"url": url, **WHY}, headers=chief)
    assert problem(answer, 400) == code
    number = (await add(api, chief))["webhook"]["webhook_id"]
    moved = await api.patch(f"{HOOKS}/{number}", json={"url": url, **WHY}, headers=chief)
    assert problem(moved, 400) == code
    assert [one["url"] for one in said(await api.get(HOOKS, headers=chief))["items"]] == [URL]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kinds": ["party"]},
        {"kinds": "deposit"},
        {"description": "a\0b"},
        {"description": "x" * 501},
        {"reason": ""},
        {"secret": "s"},
    ],
)
async def test_what_describes_no_webhook_makes_none(
    api: httpx.AsyncClient, chief: Headers, body: dict[str, Any]
) -> None:
    asked = {"url": URL, **WHY, **body} if body else {"url": URL}
    assert problem(await api.post(HOOKS, json=asked, headers=chief), 400)
    assert said(await api.get(HOOKS, headers=chief)) == {"items": []}


@pytest.mark.parametrize("number", ["0", "-1", "999", str(2**31), str(2**63), "9" * 40])
async def test_a_webhook_that_is_not_there_is_missing(
    api: httpx.AsyncClient, chief: Headers, number: str
) -> None:
    path = f"{HOOKS}/{number}"
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", **WHY}
    for answer in (
        await api.get(path, headers=chief),
        await api.patch(path, json=WHY, headers=chief),
        await api.delete(path, params=WHY, headers=chief),
        await api.post(path + "/rotate", json=WHY, headers=chief),
        await api.post(path + "/ping", json=WHY, headers=chief),
        await api.post(path + "/replay", json=span, headers=chief),
    ):
        assert problem(answer, 404) in ("webhook_unknown", "endpoint_unknown", "path_unknown")


async def test_without_a_key_for_secrets_it_is_said_what_is_missing(
    api: httpx.AsyncClient, services: Services, chief: Headers
) -> None:
    from bursar.notices.service import Notices
    from bursar.platform.settings import load_settings

    services.notices = Notices(services.ledger, load_settings({}))
    assert problem(await api.get(HOOKS, headers=chief), 422) == "secrets_key_missing"
    added = await api.post(HOOKS, json={"url": URL, **WHY}, headers=chief)
    assert problem(added, 422) == "secrets_key_missing"


async def test_a_key_that_is_awaited_is_no_fault_of_who_asks_or_follows_a_link(
    api: httpx.AsyncClient, services: Services, chief: Headers, tmp_path: Path
) -> None:
    from bursar.notices.service import Notices
    from bursar.platform.sealing import reserve_key
    from bursar.platform.settings import load_settings

    reserve_key(tmp_path)
    services.notices = Notices(services.ledger, load_settings({}), tmp_path)
    assert problem(await api.get(HOOKS, headers=chief), 422) == "secrets_key_awaited"
    shown = await api.get("/v1/unsubscribe/x", headers={"accept": "text/html"})
    assert shown.status_code == 422
    assert "does not work" not in shown.text, "it will"
    with pytest.raises(Rejected, match="is awaited"):
        await services.notices.send_webhooks()

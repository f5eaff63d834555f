"""The directory over HTTP: people, what they were, what comes to them (H1, H2, H4, P12, P13)."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bursar.api.services import Services
from tests.api.conftest import As, problem

MARIA = "/v1/holders/maria"
FAR = "2999-01-01T00:00:00Z"


async def put(
    api: httpx.AsyncClient, headers: dict[str, str], holder: str = "maria", **said: Any
) -> httpx.Response:
    path = f"/v1/holders/{quote(holder, safe='')}"
    return await api.put(path, json=said, headers=headers)


async def test_a_holder_is_enrolled_then_changed_and_what_is_left_out_stays(
    api: httpx.AsyncClient, as_: As
) -> None:
    app = as_("ingest")
    first = await put(api, app, tier="pro", email="m@b.org", attributes={"a": 1, "b": None})
    assert (first.status_code, first.json()["tier"]) == (201, "pro")
    second = await put(api, app, email=None, attributes={"c": [2]})
    assert second.status_code == 200, second.text
    said = second.json()
    assert (said["tier"], said["email"], said["attributes"]) == ("pro", None, {"a": 1, "c": [2]})
    shown = await api.get(MARIA, headers=app)
    assert (shown.json(), shown.headers["etag"]) == (said, second.headers["etag"])


@pytest.mark.parametrize("holder", ["a/b", "100%", "%2F", "ålesund ☕", "a?b#c", "x" * 200])
async def test_a_holder_of_any_id_is_enrolled_and_found(
    api: httpx.AsyncClient, as_: As, holder: str
) -> None:
    made = await put(api, as_("ingest"), holder)
    assert (made.status_code, made.json()["external_id"]) == (201, holder)
    for below in ("", "/changes", "/wallets", "/next-grants", "/grants"):
        path = f"/v1/holders/{quote(holder, safe='')}{below}"
        found = await api.get(path, headers=as_("viewer"))
        assert found.status_code == 200, found.text


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"email": "nowhere"}, 400, "holder_refused"),
        ({"tier": "Not A Word"}, 400, "holder_refused"),
        ({"time_zone": "Mars/Base"}, 400, "holder_refused"),
        ({"created_at": "2026-01-01T00:00:00"}, 400, "holder_refused"),
        ({"verified": "yes"}, 400, "request_invalid"),
        ({"teir": "pro"}, 400, "request_invalid"),
        ({"reason": ""}, 400, "request_invalid"),
        ({"last_login_at": FAR}, 422, "holder_refused"),
        ({"tier": "pro", "at": FAR}, 422, "holder_refused"),
    ],
)
async def test_a_change_that_is_wrong_enrols_nobody(
    api: httpx.AsyncClient, as_: As, said: dict[str, Any], status: int, code: str
) -> None:
    assert problem(await put(api, as_("ingest"), **said), status) == code
    assert problem(await api.get(MARIA, headers=as_("viewer")), 404) == "holder_unknown"


async def test_who_was_changed_since_it_was_read_is_not_overwritten(
    api: httpx.AsyncClient, as_: As
) -> None:
    read = (await put(api, as_("ingest"))).headers["etag"]
    moved = await put(api, as_("ingest", if_match=read), tier="pro")
    assert moved.status_code == 200, moved.text
    late = await put(api, as_("ingest", if_match=read), tier="basic")
    assert problem(late, 412) == "precondition_failed"
    assert f'"{late.json()["fields"]["version"]}"' == moved.headers["etag"]
    assert (await api.get(MARIA, headers=as_("viewer"))).json()["tier"] == "pro"


async def test_only_who_is_there_or_only_who_is_not(api: httpx.AsyncClient, as_: As) -> None:
    there, absent = as_("ingest", if_match="*"), as_("ingest", if_none_match="*")
    assert problem(await put(api, there), 412) == "precondition_failed"
    assert problem(await api.get(MARIA, headers=as_("viewer")), 404) == "holder_unknown"
    assert (await put(api, absent)).status_code == 201
    assert problem(await put(api, absent, tier="pro"), 412) == "precondition_failed"
    assert (await put(api, there)).json()["tier"] == ""


@pytest.mark.parametrize(
    "headers",
    [{"if_match": "abc"}, {"if_match": '"a", "b"'}, {"if_match": 'W/"a"'}, {"if_none_match": "a"}],
)
async def test_a_condition_that_cannot_be_read_is_refused(
    api: httpx.AsyncClient, as_: As, headers: dict[str, str]
) -> None:
    assert problem(await put(api, as_("ingest", **headers)), 400) == "if_match"


async def test_many_are_changed_at_once_and_each_is_answered(
    api: httpx.AsyncClient, as_: As
) -> None:
    changes = [
        {"external_id": "ada", "tier": "pro"},
        {"external_id": "ben", "email": "nowhere"},
        {"external_id": "ada", "tier": "pro"},
        {"external_id": "ada", "tier": "basic", "at": FAR},
    ]
    answer = await api.post("/v1/holders/bulk", json={"changes": changes}, headers=as_("ingest"))
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [one["outcome"] for one in results] == ["created", "refused", "unchanged", "refused"]
    assert [one["refusal"] and one["refusal"]["code"] for one in results] == [
        None, "invalid", None, "in_future",
    ]  # fmt: skip
    assert (results[1]["holder_id"], results[1]["refusal"]["field"]) == (None, "email")


@pytest.mark.parametrize(
    "body",
    [
        {"changes": []},
        {"changes": [{"tier": "pro"}]},
        {"changes": [{"external_id": "ada", "reason": "mine alone"}]},
        {"changes": [{"external_id": "ada"}] * 10_001},
        {"changes": [{"external_id": "ada"}], "why": "because"},
    ],
)
async def test_a_batch_that_cannot_be_read_changes_nobody(
    api: httpx.AsyncClient, as_: As, body: dict[str, Any]
) -> None:
    answer = await api.post("/v1/holders/bulk", json=body, headers=as_("ingest"))
    assert problem(answer, 400) == "request_invalid"
    assert (await api.get("/v1/holders", headers=as_("viewer"))).json()["items"] == []


async def test_holders_are_listed_in_pages_and_by_what_they_are(
    api: httpx.AsyncClient, as_: As
) -> None:
    for n in range(5):
        await put(api, as_("ingest"), f"p{n}", tier="pro" if n % 2 else None, verified=n == 4)

    async def listed(**asked: Any) -> tuple[list[str], str | None]:
        answer = await api.get("/v1/holders", params=asked, headers=as_("viewer"))
        assert answer.status_code == 200, answer.text
        return [one["external_id"] for one in answer.json()["items"]], answer.json()["cursor"]

    first, cursor = await listed(limit=3)
    second, end = await listed(limit=3, cursor=cursor)
    assert ([*first, *second], end) == (["p0", "p1", "p2", "p3", "p4"], None)
    assert (await listed(tier="pro"))[0] == ["p1", "p3"]
    assert (await listed(verified="true"))[0] == ["p4"]
    assert (await listed(status="paused"))[0] == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"limit": 0}, "request_invalid"),
        ({"limit": 1001}, "request_invalid"),
        ({"verified": "perhaps"}, "request_invalid"),
        ({"tier": "a\x00"}, "request_invalid"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "9" * 30}, "cursor"),
    ],
)
async def test_a_list_that_is_asked_for_wrongly_says_so(
    api: httpx.AsyncClient, as_: As, asked: dict[str, Any], code: str
) -> None:
    answer = await api.get("/v1/holders", params=asked, headers=as_("viewer"))
    assert problem(answer, 400) == code


async def test_what_was_before_is_told_with_who_ended_it_and_why(
    api: httpx.AsyncClient, as_: As
) -> None:
    await put(api, as_("ingest"), tier="basic")
    for tier in ("pro", "max"):
        await put(api, as_("operator"), tier=tier, reason=f"now {tier}")
    path = f"{MARIA}/changes"
    first = (await api.get(path, params={"limit": 1}, headers=as_("viewer"))).json()
    asked = {"limit": 1, "cursor": first["cursor"]}
    second = (await api.get(path, params=asked, headers=as_("viewer"))).json()
    told = [(p["tier"], p["actor"], p["reason"]) for p in [*first["items"], *second["items"]]]
    assert told == [("pro", "api:operator", "now max"), ("basic", "api:operator", "now pro")]
    assert second["cursor"] is None
    missing = await api.get("/v1/holders/nobody/changes", headers=as_("viewer"))
    assert problem(missing, 404) == "holder_unknown"


async def test_logins_are_noted_and_strangers_named(api: httpx.AsyncClient, as_: As) -> None:
    await put(api, as_("ingest"))
    logins = {"maria": "2026-06-01T12:00:00Z", "nobody": "2026-06-01T12:00:00+02:00"}
    path = "/v1/holders/logins"
    answer = await api.post(path, json={"logins": logins}, headers=as_("ingest"))
    assert answer.json() == {"noted": 1, "unknown": ["nobody"]}
    maria = (await api.get(MARIA, headers=as_("viewer"))).json()
    assert maria["last_login_at"] == "2026-06-01T12:00:00Z"
    for wrong, code in [
        ({}, "request_invalid"),
        ({"maria": "yesterday"}, "request_invalid"),
        ({"maria": "2026-06-02T12:00:00"}, "instant"),
        ({"maria": FAR}, "instant"),
        ({"": "2026-06-02T12:00:00Z"}, "external_id"),
    ]:
        answer = await api.post(path, json={"logins": wrong}, headers=as_("ingest"))
        assert problem(answer, 400) == code
    assert (await api.get(MARIA, headers=as_("viewer"))).json() == maria


async def test_erasure_empties_a_holder_and_keeps_the_books(
    api: httpx.AsyncClient, as_: As, give: Any
) -> None:
    number = (await put(api, as_("ingest"), email="m@b.org")).json()["holder_id"]
    await give("maria", 500)
    path, admin = f"{MARIA}/erase", as_("admin")
    refused = await api.post(path, json={"reason": "asked"}, headers=admin)
    assert problem(refused, 422) == "holder_has_credit"
    assert refused.json()["fields"]["wallets"] == [{"asset": "coins", "balance": 500, "held": 0}]
    assert problem(await api.post(path, json={}, headers=admin), 400) == "request_invalid"
    said = {"reason": "asked", "with_credit": True}
    erased = (await api.post(path, json=said, headers=admin)).json()
    assert (erased["email"], erased["status"]) == (None, "canceled")
    assert erased["external_id"] == f"erased:{number}"
    assert problem(await api.get(MARIA, headers=admin), 404) == "holder_unknown"
    assert problem(await api.post(path, json=said, headers=admin), 404) == "holder_unknown"
    wallet = await api.get(f"/v1/holders/erased:{number}/wallets/coins", headers=admin)
    assert wallet.json()["balance"] == 500


async def test_names_become_unique_unless_several_have_them(
    api: httpx.AsyncClient, as_: As
) -> None:
    path, admin = "/v1/directory/unique", as_("admin")
    for holder in ("maria", "ben"):
        await put(api, as_("ingest"), holder, username="Same")
    refused = await api.put(path, json={"username": True, "reason": "why not"}, headers=admin)
    assert problem(refused, 422) == "names_not_unique"
    await put(api, as_("ingest"), "ben", username="Ben")
    said = {"username": True, "reason": "why not"}
    now = (await api.put(path, json=said, headers=admin)).json()
    assert now == (await api.get(path, headers=as_("viewer"))).json()
    assert now == {"username": True, "email": False}
    taken = await put(api, as_("ingest"), "ben", username="SAME")
    assert (problem(taken, 422), taken.json()["fields"]["why"]) == (
        "holder_refused", "username_taken",
    )  # fmt: skip


async def test_what_came_and_what_comes_of_nobody_is_missing(
    api: httpx.AsyncClient, as_: As
) -> None:
    for below in ("next-grants", "grants"):
        answer = await api.get(f"/v1/holders/nobody/{below}", headers=as_("viewer"))
        assert problem(answer, 404) == "holder_unknown"


async def test_what_was_given_is_told_in_pages(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await put(api, as_("ingest"))
    runs = services.programs.runs
    for n in (1, 2, 3):
        asset = "gems" if n == 2 else "coins"
        await runs.grant(asset=asset, amount=n, holders=["maria"], actor="test", reason="sorry")
        await runs.work()
    first = (await api.get(f"{MARIA}/grants?limit=2", headers=as_("viewer"))).json()
    asked = {"limit": 2, "cursor": first["cursor"]}
    second = (await api.get(f"{MARIA}/grants", params=asked, headers=as_("viewer"))).json()
    found = [*first["items"], *second["items"]]
    assert [(a["asset"], a["added"], a["before"], a["after"]) for a in found] == [
        ("coins", 3, 1, 4), ("gems", 2, 0, 2), ("coins", 1, 0, 1),
    ]  # fmt: skip
    assert second["cursor"] is None
    for wrong in ("x", "coins:-1"):
        answer = await api.get(f"{MARIA}/grants", params={"cursor": wrong}, headers=as_("viewer"))
        assert problem(answer, 400) == "cursor"

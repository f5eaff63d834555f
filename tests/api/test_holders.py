"""The directory over HTTP: people enrolled, changed, listed, erased (H1, H2, H4)."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from litestar.handlers import BaseRouteHandler

from bursar.api.routes import ROUTES
from tests.api.clubs import found, said
from tests.api.conftest import As, problem

URL = "/v1/holders/maria"
GOLD: dict[str, Any] = {"tier": "gold", "verified": True, "email": "maria@example.org"}


@pytest.fixture
async def maria(api: httpx.AsyncClient, as_: As) -> httpx.Response:
    """Enrol maria; the answer."""
    answer = await api.put(URL, json=GOLD, headers=as_("ingest"))
    assert answer.status_code == 201, answer.text
    return answer


async def test_a_new_holder_is_enrolled_and_the_same_again_changes_nothing(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    again = await api.put(URL, json=GOLD, headers=as_("ingest"))
    assert said(again) == maria.json()
    assert again.headers["etag"] == maria.headers["etag"]
    assert (again.json()["external_id"], again.json()["tier"]) == ("maria", "gold")
    assert said(await api.get(URL, headers=as_("viewer"))) == maria.json()


async def test_what_is_left_out_stays_and_null_clears(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    body = {"email": None, "attributes": {"shoe": 42}}
    now = said(await api.put(URL, json=body, headers=as_("ingest")))
    assert (now["tier"], now["verified"], now["email"]) == ("gold", True, None)
    body = {"attributes": {"hat": "L"}}
    now = said(await api.put(URL, json=body, headers=as_("ingest")))
    assert now["attributes"] == {"shoe": 42, "hat": "L"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[]", "request_invalid"),
        ('{"tier": 5}', "request_invalid"),
        ('{"verified": "true"}', "request_invalid"),
        ('{"verified": null}', "request_invalid"),
        ('{"external_id": "ben"}', "request_invalid"),
        ('{"holder_id": 5}', "request_invalid"),
        ('{"reason": ""}', "request_invalid"),
        ('{"time_zone": "Mars/Olympus"}', "holder_refused"),
        ('{"created_at": "2026-01-01T00:00:00"}', "holder_refused"),
        ('{"tier": "a\\u0000b"}', "holder_refused"),
        ('{"attributes": {"a": "\\u0000"}}', "holder_refused"),
    ],
)
async def test_what_is_malformed_enrols_nobody(
    api: httpx.AsyncClient, as_: As, body: str, code: str
) -> None:
    headers = as_("ingest", content_type="application/json")
    assert problem(await api.put(URL, content=body, headers=headers), 400) == code
    assert problem(await api.get(URL, headers=as_("viewer")), 404) == "holder_unknown"


async def test_of_many_who_change_what_they_read_at_once_one_does(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    headers = as_("ingest", if_match=maria.headers["etag"])
    answers = await asyncio.gather(
        *(api.put(URL, json={"tier": f"t{i}"}, headers=headers) for i in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    [done] = [answer.json() for answer in answers if answer.status_code == 200]
    assert said(await api.get(URL, headers=as_("viewer"))) == done
    assert done["changes"] == 1


async def test_of_many_who_enrol_a_stranger_at_once_one_does(
    api: httpx.AsyncClient, as_: As
) -> None:
    headers = as_("ingest", if_none_match="*")
    answers = await asyncio.gather(
        *(api.put(URL, json={"tier": f"t{i}"}, headers=headers) for i in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 7
    [done] = [answer.json() for answer in answers if answer.status_code == 201]
    assert said(await api.get(URL, headers=as_("viewer"))) == done


def test_no_word_but_two_stands_where_a_holders_name_may() -> None:
    """Such a word hides whoever bears it, unless `spare_names` knows it."""
    paths = {
        path for route in ROUTES if isinstance(route, BaseRouteHandler) for path in route.paths
    }
    after = [path.removeprefix("/v1/holders/") for path in paths if path.startswith("/v1/holders/")]
    words = {path.split("/")[0] for path in after}
    assert words == {"{holder:str}", "bulk", "logins"}


async def test_what_is_to_come_is_refused_and_says_why(api: httpx.AsyncClient, as_: As) -> None:
    body = {"tier": "gold", "at": "2999-01-01T00:00:00Z"}
    answer = await api.put(URL, json=body, headers=as_("ingest"))
    assert problem(answer, 422) == "holder_refused"
    assert answer.json()["fields"]["why"] == "in_future"


async def test_a_change_of_what_was_read_is_made_and_of_what_has_moved_is_not(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    read = maria.headers["etag"]
    moved = await api.put(URL, json={"tier": "iron"}, headers=as_("ingest", if_match=read))
    assert said(moved)["tier"] == "iron"
    assert moved.headers["etag"] != read
    late = await api.put(URL, json={"tier": "tin"}, headers=as_("ingest", if_match=read))
    assert problem(late, 412) == "precondition_failed"
    assert said(await api.get(URL, headers=as_("viewer")))["tier"] == "iron"


async def test_a_star_means_whoever_is_there_and_nobody_new(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    any_ = as_("ingest", if_match="*")
    assert said(await api.put(URL, json={"tier": "iron"}, headers=any_))["tier"] == "iron"
    answer = await api.put("/v1/holders/ben", json={}, headers=any_)
    assert problem(answer, 412) == "precondition_failed"
    answer = await api.get("/v1/holders/ben", headers=as_("viewer"))
    assert problem(answer, 404) == "holder_unknown"


async def test_who_is_to_be_new_is_enrolled_once(api: httpx.AsyncClient, as_: As) -> None:
    new = as_("ingest", if_none_match="*")
    assert said(await api.put(URL, json=GOLD, headers=new), 201)["tier"] == "gold"
    answer = await api.put(URL, json={"tier": "tin"}, headers=new)
    assert problem(answer, 412) == "precondition_failed"
    assert said(await api.get(URL, headers=as_("viewer")))["tier"] == "gold"


async def test_a_version_that_is_not_to_be_is_refused(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.put(URL, json=GOLD, headers=as_("ingest", if_none_match='"a"'))
    assert problem(answer, 400) == "if_none_match"


async def test_who_is_new_has_no_version(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.put(URL, json={}, headers=as_("ingest", if_match='"0"'))
    assert problem(answer, 412) == "precondition_failed"


@pytest.mark.parametrize("tags", ['W/"a"', '"a", "b"', "a", '"a', '""', '"a\tb"'])
async def test_what_is_not_one_tag_is_refused(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response, tags: str
) -> None:
    answer = await api.put(URL, json={"tier": "tin"}, headers=as_("ingest", if_match=tags))
    assert problem(answer, 400) == "if_match"


async def test_of_two_if_match_headers_none_is_taken(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    headers = [*as_("ingest").items(), ("if-match", '"a"'), ("if-match", maria.headers["etag"])]
    answer = await api.put(URL, json={"tier": "tin"}, headers=headers)
    assert problem(answer, 400) == "if_match"


@pytest.mark.parametrize(
    "holder",
    ["a/b", "100%", "%2F", "%25/", "ålesund ☕", "a?b#c", "x" * 200, "bulk", "logins", "..", "a+b"],
)
async def test_a_holder_may_have_any_name(
    api: httpx.AsyncClient, as_: As, give, holder: str
) -> None:
    path = "/v1/holders/" + quote(holder, safe="").replace(".", "%2E")
    made = await api.put(path, json={}, headers=as_("ingest"))
    assert said(made, 201)["external_id"] == holder
    assert said(await api.get(path, headers=as_("viewer"))) == made.json()
    assert said(await api.get(path + "/changes", headers=as_("viewer")))["items"] == []
    await give(holder, 5)
    [wallet] = said(await api.get(path + "/wallets", headers=as_("viewer")))["items"]
    assert (wallet["holder"], wallet["balance"]) == (holder, 5)
    erased = await api.post(
        path + "/erase", json={"reason": "asked", "with_credit": True}, headers=as_("admin")
    )
    assert said(erased)["external_id"] == f"erased:{made.json()['holder_id']}"


@pytest.mark.parametrize("holder", ["x" * 201, "a%00b", "a%0Ab", "erased:1", "%FF"])
async def test_a_name_that_nobody_can_bear_is_refused(
    api: httpx.AsyncClient, as_: As, holder: str
) -> None:
    path = f"/v1/holders/{holder}"
    assert problem(await api.put(path, json={}, headers=as_("ingest")), 400) in (
        "holder_refused", "path_invalid",
    )  # fmt: skip
    assert (await api.get(path, headers=as_("viewer"))).status_code in (400, 404)


async def test_holders_are_listed_by_what_they_are_page_by_page(
    api: httpx.AsyncClient, as_: As
) -> None:
    changes = [{"external_id": f"p{i}", "tier": "gold" if i % 2 else "iron"} for i in range(5)]
    done = await api.post("/v1/holders/bulk", json={"changes": changes}, headers=as_("ingest"))
    assert {one["outcome"] for one in said(done)["results"]} == {"created"}
    first = said(await api.get("/v1/holders?limit=3", headers=as_("viewer")))
    rest = await api.get(f"/v1/holders?limit=3&cursor={first['cursor']}", headers=as_("viewer"))
    listed = [one["external_id"] for one in first["items"] + said(rest)["items"]]
    assert listed == ["p0", "p1", "p2", "p3", "p4"]
    assert rest.json()["cursor"] is None
    gold = said(await api.get("/v1/holders?tier=gold", headers=as_("viewer")))["items"]
    assert [one["external_id"] for one in gold] == ["p1", "p3"]
    none = await api.get("/v1/holders?verified=true", headers=as_("viewer"))
    assert said(none) == {"items": [], "cursor": None}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "verified=perhaps", "tier=%00", "tier=", "cursor=x",
     "cursor=-1", f"cursor={2**70}", "erased=2"],
)  # fmt: skip
async def test_a_list_that_is_asked_for_wrongly_is_refused(
    api: httpx.AsyncClient, as_: As, query: str
) -> None:
    problem(await api.get(f"/v1/holders?{query}", headers=as_("viewer")), 400)


async def test_of_many_changes_a_refused_one_holds_up_nobody(
    api: httpx.AsyncClient, as_: As
) -> None:
    changes = [
        {"external_id": "ada", "tier": "iron"},
        {"external_id": "ben", "time_zone": "Mars/Olympus"},
        {"external_id": "ada", "tier": "gold"},
    ]
    body = {"changes": changes, "reason": "nightly"}
    results = said(await api.post("/v1/holders/bulk", json=body, headers=as_("ingest")))["results"]
    assert [one["outcome"] for one in results] == ["created", "refused", "changed"]
    assert (results[1]["refusal"]["code"], results[1]["refusal"]["field"]) == (
        "invalid", "time_zone",
    )  # fmt: skip
    assert said(await api.get("/v1/holders/ada", headers=as_("viewer")))["tier"] == "gold"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"changes": []},
        {"changes": [{}]},
        {"changes": [{"external_id": "a", "x": 1}]},
        {"changes": [{"external_id": "a\nb"}]},
        {"changes": [{"external_id": f"p{i}"} for i in range(10_001)]},
    ],
)
async def test_a_batch_that_is_none_changes_nobody(
    api: httpx.AsyncClient, as_: As, body: dict[str, Any]
) -> None:
    answer = await api.post("/v1/holders/bulk", json=body, headers=as_("ingest"))
    assert problem(answer, 400) == "request_invalid"
    assert said(await api.get("/v1/holders", headers=as_("viewer")))["items"] == []


async def test_logins_are_noted_of_who_is_there_and_strangers_are_named(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    body = {"logins": {"maria": "2026-01-02T03:04:05Z", "zoe": "2026-01-02T03:04:05Z"}}
    noted = await api.post("/v1/holders/logins", json=body, headers=as_("ingest"))
    assert said(noted) == {"noted": 1, "unknown": ["zoe"]}
    shown = await api.get(URL, headers=as_("viewer"))
    assert shown.json()["last_login_at"] == "2026-01-02T03:04:05Z"
    assert shown.headers["etag"] == maria.headers["etag"]


@pytest.mark.parametrize(
    "logins",
    [{}, {"maria": "2999-01-01T00:00:00Z"}, {"maria": "2026-01-01T00:00:00"}, {"maria": None},
     {"maria": 5}, {"": "2026-01-01T00:00:00Z"}, {"a\u0000": "2026-01-01T00:00:00Z"}, ["maria"]],
)  # fmt: skip
async def test_logins_that_are_none_are_refused(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response, logins: Any
) -> None:
    body = {"logins": logins}
    problem(await api.post("/v1/holders/logins", json=body, headers=as_("ingest")), 400)
    assert said(await api.get(URL, headers=as_("viewer")))["last_login_at"] is None


async def test_what_was_before_is_kept_with_who_ended_it_and_why(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    body = {"tier": "iron", "reason": "a downgrade"}
    assert said(await api.put(URL, json=body, headers=as_("ingest")))["changes"] == 1
    [past] = said(await api.get(URL + "/changes", headers=as_("viewer")))["items"]
    assert (past["tier"], past["actor"], past["reason"]) == ("gold", "api:ingest", "a downgrade")


async def test_who_has_credit_is_erased_only_if_that_is_said_and_stays_erased(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response, give
) -> None:
    await give("maria", 500)
    refused = await api.post(URL + "/erase", json={"reason": "asked"}, headers=as_("admin"))
    assert problem(refused, 422) == "holder_has_credit"
    body = {"reason": "asked", "with_credit": True}
    erased = said(await api.post(URL + "/erase", json=body, headers=as_("admin")))
    tombstone = erased["external_id"]
    assert (erased["email"], erased["erased_at"] is None) == (None, False)
    assert problem(await api.get(URL, headers=as_("viewer")), 404) == "holder_unknown"
    again = await api.post(f"/v1/holders/{tombstone}/erase", json=body, headers=as_("admin"))
    assert said(again) == erased
    wallet = await api.get(f"/v1/holders/{tombstone}/wallets/coins", headers=as_("viewer"))
    assert said(wallet)["balance"] == 500
    assert said(await api.get("/v1/holders", headers=as_("viewer")))["items"] == []
    all_ = said(await api.get("/v1/holders?erased=true", headers=as_("viewer")))["items"]
    assert [one["external_id"] for one in all_] == [tombstone]
    change = await api.put(f"/v1/holders/{tombstone}", json={"tier": "x"}, headers=as_("ingest"))
    assert problem(change, 400) == "holder_refused"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x", "with_credit": "yes"}])
async def test_nobody_is_erased_without_a_reason(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response, body: dict[str, Any]
) -> None:
    answer = await api.post(URL + "/erase", json=body, headers=as_("admin"))
    assert problem(answer, 400) == "request_invalid"
    assert said(await api.get(URL, headers=as_("viewer"))) == maria.json()


async def test_names_are_unique_once_that_is_said(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    unique = "/v1/directory/unique"
    assert said(await api.get(unique, headers=as_("viewer"))) == {
        "username": False, "email": False,
    }  # fmt: skip
    body = {"email": True, "reason": "one each"}
    set_ = said(await api.put(unique, json=body, headers=as_("admin")))
    assert set_ == {"username": False, "email": True}
    taken = {"email": "MARIA@example.org"}
    answer = await api.put("/v1/holders/ben", json=taken, headers=as_("ingest"))
    assert problem(answer, 422) == "holder_refused"
    assert answer.json()["fields"]["why"] == "email_taken"


async def test_names_that_several_have_do_not_become_unique(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    body = {"email": "maria@example.org"}
    assert (await api.put("/v1/holders/ben", json=body, headers=as_("ingest"))).status_code == 201
    wanted = {"email": True, "reason": "one each"}
    answer = await api.put("/v1/directory/unique", json=wanted, headers=as_("admin"))
    assert problem(answer, 422) == "names_not_unique"


async def test_what_comes_next_and_what_came_are_told(
    api: httpx.AsyncClient, as_: As, services
) -> None:
    await found(services)
    following = said(await api.get(URL + "/next-grants", headers=as_("ingest")))["items"]
    assert {one["program"] for one in following} == {"monthly", "daily", "yearly"}
    claim = await api.post(
        "/v1/programs/daily/claims", json={"holder": "maria"}, headers=as_("ingest")
    )
    assert said(claim, 201)["awarded"] == 5
    [award] = said(await api.get(URL + "/grants?program=daily", headers=as_("viewer")))["items"]
    assert (award["added"], award["before"], award["after"]) == (5, 0, 5)
    none = await api.get("/v1/holders/nobody/next-grants", headers=as_("viewer"))
    assert problem(none, 404) == "holder_unknown"
    none = await api.get("/v1/holders/nobody/grants", headers=as_("viewer"))
    assert problem(none, 404) == "holder_unknown"


async def test_nobody_is_deleted_and_what_may_be_done_is_told(
    api: httpx.AsyncClient, as_: As, maria: httpx.Response
) -> None:
    answer = await api.delete(URL, headers=as_("admin"))
    assert problem(answer, 405) == "method_not_allowed"
    assert {"GET", "PUT"} <= set(answer.headers["allow"].split(", "))

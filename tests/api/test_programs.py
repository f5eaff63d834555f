"""Programs over HTTP: looked at, looked ahead, switched, overridden, claimed."""

import asyncio
from typing import Any

import httpx
import pytest

from bursar.api import patience
from bursar.api.services import Services
from bursar.platform.errors import BursarError
from tests.api.clubs import found, said
from tests.api.conftest import As, problem

MARIA = "/v1/programs/monthly/overrides/maria"


@pytest.fixture
async def club(services: Services) -> Services:
    await found(services, people=("maria", "noah", "zoe"))
    return services


async def test_programs_are_listed_by_name_with_their_definitions(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    items = said(await api.get("/v1/programs", headers=as_("viewer")))["items"]
    assert [one["program"] for one in items] == ["daily", "monthly", "yearly"]
    assert items[1]["definition"]["amount"]["fixed"] == 100
    assert (items[1]["version"], items[1]["gives"], items[1]["author"]) == (1, True, "api:founder")


async def test_the_versions_of_a_program_tell_who_made_them_and_why(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    answer = await api.get("/v1/programs/daily/versions", headers=as_("operator"))
    [one] = said(answer)["items"]
    assert (one["version"], one["actor"], one["reason"]) == (1, "api:founder", "a club is founded")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/programs/x", None),
        ("GET", "/v1/programs/x/versions", None),
        ("POST", "/v1/programs/x/switch", {"on": True, "reason": "r"}),
        ("POST", "/v1/programs/x/preview", {}),
        ("POST", "/v1/programs/x/runs", {"reason": "r"}),
        ("GET", "/v1/programs/x/overrides/maria", None),
        ("PUT", "/v1/programs/x/overrides/maria", {"reason": "r"}),
        ("POST", "/v1/programs/x/claims", {"holder": "maria"}),
        ("GET", "/v1/runs?program=x", None),
    ],
)
async def test_what_names_no_program_is_missing(
    api: httpx.AsyncClient, as_: As, club: Services, method: str, path: str, body: Any
) -> None:
    answer = await api.request(method, path, json=body, headers=as_("operator"))
    assert problem(answer, 404) == "program_unknown"


async def test_a_switch_stops_a_program_and_lets_it_go_on(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    path, operator = "/v1/programs/monthly/switch", as_("operator")
    off = said(await api.post(path, json={"on": False, "reason": "too much"}, headers=operator))
    assert (off["gives"], off["switched_off"]) == (False, True)
    assert (off["switch"]["actor"], off["switch"]["reason"]) == ("api:operator", "too much")
    begun = await api.post(
        "/v1/programs/monthly/runs", json={"reason": "anyway"}, headers=as_("operator")
    )
    assert problem(begun, 422) == "program_off"
    on = said(await api.post(path, json={"on": True, "reason": "mended"}, headers=operator))
    assert on["gives"] is True


@pytest.mark.parametrize(
    "body", [{"on": False}, {"on": 2, "reason": "r"}, {"on": True, "reason": ""}]
)
async def test_a_switch_says_what_and_why(
    api: httpx.AsyncClient, as_: As, club: Services, body: Any
) -> None:
    answer = await api.post("/v1/programs/monthly/switch", json=body, headers=as_("operator"))
    assert problem(answer, 400) == "request_invalid"
    assert said(await api.get("/v1/programs/monthly", headers=as_("viewer")))["gives"] is True


async def test_who_may_only_look_does_not_switch(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = {"on": False, "reason": "r"}
    for scope in ("viewer", "ingest", "partner"):
        answer = await api.post("/v1/programs/monthly/switch", json=body, headers=as_(scope))
        assert problem(answer, 403) == "scope_missing"


async def test_a_preview_adds_up_all_and_writes_nothing(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    path = "/v1/programs/monthly/preview"
    shown = said(await api.post(path, json={}, headers=as_("viewer")))
    assert (shown["estimate"]["awards"], shown["estimate"]["amount"]) == (3, 300)
    assert {one["holder"]: one["amount"] for one in shown["awards"]} == {
        "maria": 100, "noah": 100, "zoe": 100,
    }  # fmt: skip
    assert all(one["why"]["period"] == shown["period"]["key"] for one in shown["awards"])
    assert said(await api.get("/v1/journal", headers=as_("viewer")))["items"] == []
    few = said(await api.post(path, json={"holders": ["zoe"]}, headers=as_("viewer")))
    assert (few["estimate"]["holders"], few["awards"][0]["holder"]) == (1, "zoe")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"period": "1999-01"}, 404, "period_unknown"),
        ({"period": "a\u0000b"}, 400, "request_invalid"),
        ({"holders": ["nobody"]}, 404, "holder_unknown"),
        ({"holders": []}, 400, "request_invalid"),
        ({"holder": ["maria"]}, 400, "request_invalid"),
    ],
)
async def test_a_preview_of_what_there_is_not_is_refused(
    api: httpx.AsyncClient, as_: As, club: Services, body: Any, status: int, code: str
) -> None:
    answer = await api.post("/v1/programs/monthly/preview", json=body, headers=as_("viewer"))
    assert problem(answer, status) == code


async def test_a_preview_shows_a_thousand_and_counts_the_rest(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await found(services, people=tuple(f"p{n}" for n in range(1_050)))
    shown = said(await api.post("/v1/programs/monthly/preview", json={}, headers=as_("viewer")))
    assert shown["estimate"]["amount"] == 105_000
    assert len(shown["awards"]) == 1_000


async def test_long_requests_beyond_their_places_are_told_to_come_back(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    club.turnstile = patience.Turnstile(places=0)
    answer = await api.post("/v1/programs/monthly/preview", json={}, headers=as_("viewer"))
    assert problem(answer, 503) == "too_many_long"
    assert answer.headers["retry-after"] == "1"


async def test_a_client_that_goes_away_ends_its_request_and_gives_its_place_back() -> None:
    turnstile = patience.Turnstile(places=1)
    working, canceled = asyncio.Event(), False

    async def work() -> None:
        nonlocal canceled
        working.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            canceled = True
            raise

    async def receive() -> Any:
        await working.wait()
        return {"type": "http.disconnect"}

    for _ in range(2):
        with pytest.raises(BursarError) as caught:
            await patience.patiently(work(), receive, turnstile)
        assert caught.value.code == "client_gone"
    assert canceled


async def test_what_takes_too_long_is_ended() -> None:
    async def for_ever() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(BursarError) as caught:
        await patience.patiently(for_ever(), for_ever, patience.Turnstile(), longest_s=0)
    assert caught.value.code == "too_long"


async def test_an_override_is_set_shown_and_taken_away(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    operator = as_("operator")
    before = await api.get(MARIA, headers=as_("viewer"))
    nothing = {"program": "monthly", "holder": "maria", "amount": None, "refresh_day": None,
               "paused": False}  # fmt: skip
    assert said(before) == nothing
    put = await api.put(MARIA, json={"amount": 250, "reason": "a friend"}, headers=operator)
    assert said(put)["amount"] == 250
    shown = await api.get(MARIA, headers=as_("viewer"))
    assert said(shown) == nothing | {"amount": 250}
    assert shown.headers["etag"] == put.headers["etag"] != before.headers["etag"]
    assert said(await api.put(MARIA, json={"reason": "no more"}, headers=operator)) == nothing


async def test_an_override_that_has_moved_is_not_written_over(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    read = (await api.get(MARIA, headers=as_("viewer"))).headers["etag"]
    await api.put(MARIA, json={"paused": True, "reason": "b"}, headers=as_("operator"))
    late = await api.put(
        MARIA, json={"amount": 1, "reason": "a"}, headers=as_("operator", if_match=read)
    )
    assert problem(late, 412) == "precondition_failed"
    now = await api.get(MARIA, headers=as_("viewer"))
    assert now.json()["paused"] is True
    again = await api.put(
        MARIA,
        json={"amount": 1, "reason": "a"},
        headers=as_("operator", if_match=now.headers["etag"]),
    )
    assert said(again)["amount"] == 1


async def test_of_two_who_have_read_the_same_override_one_writes(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    read = (await api.get(MARIA, headers=as_("viewer"))).headers["etag"]
    headers = as_("operator", if_match=read)
    answers = await asyncio.gather(
        *(api.put(MARIA, json={"amount": n, "reason": "r"}, headers=headers) for n in range(1, 7))
    )
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412, 412, 412]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": -1, "reason": "r"}, "override_invalid"),
        ({"amount": 2**63, "reason": "r"}, "override_invalid"),
        ({"amount": 1.5, "reason": "r"}, "request_invalid"),
        ({"refresh_day": 5, "reason": "r"}, "override_invalid"),
        ({"amount": 1}, "request_invalid"),
        ({"amuont": 1, "reason": "r"}, "request_invalid"),
    ],
)
async def test_an_override_that_cannot_be_meant_is_refused(
    api: httpx.AsyncClient, as_: As, club: Services, body: Any, code: str
) -> None:
    assert problem(await api.put(MARIA, json=body, headers=as_("operator")), 400) == code


@pytest.mark.parametrize("tag", ["1", 'W/"1"', '"1", "2"', '""'])
async def test_an_if_match_that_is_no_single_tag_is_refused(
    api: httpx.AsyncClient, as_: As, club: Services, tag: str
) -> None:
    answer = await api.put(MARIA, json={"reason": "r"}, headers=as_("operator", if_match=tag))
    assert problem(answer, 400) == "if_match"


async def test_nobody_has_no_override(api: httpx.AsyncClient, as_: As, club: Services) -> None:
    path = "/v1/programs/monthly/overrides/nobody"
    assert problem(await api.get(path, headers=as_("viewer")), 404) == "holder_unknown"
    answer = await api.put(path, json={"amount": 1, "reason": "r"}, headers=as_("operator"))
    assert problem(answer, 404) == "holder_unknown"


async def test_a_claim_is_awarded_once_a_day(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    path, body = "/v1/programs/daily/claims", {"holder": "maria"}
    first = said(await api.post(path, json=body, headers=as_("ingest")), 201)
    assert (first["awarded"], first["balance"], first["already"]) == (5, 5, False)
    again = said(await api.post(path, json=body, headers=as_("ingest")), 200)
    assert (again["awarded"], again["already"]) == (0, True)


async def test_what_cannot_be_claimed_is_not(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    maria, nobody = {"holder": "maria"}, {"holder": "nobody"}
    calendar = await api.post("/v1/programs/monthly/claims", json=maria, headers=as_("ingest"))
    assert problem(calendar, 422) == "claim_not_offered"
    stranger = await api.post("/v1/programs/daily/claims", json=nobody, headers=as_("ingest"))
    assert problem(stranger, 404) == "holder_unknown"
    viewer = await api.post("/v1/programs/daily/claims", json=maria, headers=as_("viewer"))
    assert problem(viewer, 403) == "scope_missing"

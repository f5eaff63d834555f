"""What a holder token may ask: one's own, and nothing of anybody else (I2)."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from bursar.api.services import Services
from tests.api.clubs import found, said
from tests.api.conftest import As, Headers, problem

AsHolder = Callable[[str], Headers]


async def test_a_token_tells_whose_it_is(api: httpx.AsyncClient, as_holder: AsHolder) -> None:
    assert said(await api.get("/v1/me", headers=as_holder("maria"))) == {"holder": "maria"}
    told = said(await api.get("/v1/key", headers=as_holder("maria")))
    assert (told["actor"], told["scopes"], told["holder"], told["key_id"]) == (
        "api:holder", ["holder"], "maria", None,
    )  # fmt: skip


async def test_each_sees_what_is_theirs(api: httpx.AsyncClient, as_holder: AsHolder, give) -> None:
    await give("maria", 500)
    await give("ben", 7, reference="bens")
    for holder, balance, reference in (("maria", 500, "gift"), ("ben", 7, "bens")):
        headers = as_holder(holder)
        [wallet] = said(await api.get("/v1/me/wallets", headers=headers))["items"]
        assert (wallet["holder"], wallet["balance"]) == (holder, balance)
        shown = said(await api.get("/v1/me/wallets/coins", headers=headers))
        assert (shown["holder"], shown["balance"]) == (holder, balance)
        [entry] = said(await api.get("/v1/me/wallets/coins/entries", headers=headers))["items"]
        assert (entry["reference"], entry["balance"]) == (reference, balance)
        assert not entry.keys() & {"metadata", "house_account", "posting_id", "checksum"}


@pytest.mark.parametrize("query", ["holder=ben", "holder_id=2", "external_id=ben"])
async def test_no_query_leads_to_somebody_else(
    api: httpx.AsyncClient, as_holder: AsHolder, give, query: str
) -> None:
    await give("maria", 500)
    await give("ben", 7, reference="bens")
    for path in ("/v1/me", "/v1/me/wallets/coins", "/v1/me/wallets/coins/entries"):
        answer = await api.get(f"{path}?{query}", headers=as_holder("maria"))
        said(answer)
        assert "ben" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["", "/changes", "/wallets", "/wallets/coins", "/wallets/coins/entries", "/wallets/coins/holds",
     "/wallets/coins/holds/gift", "/wallets/coins/totals", "/wallets/coins/explain",
     "/wallets/coins/balance?at=2026-01-01T00:00:00Z", "/next-grants", "/grants"],
)  # fmt: skip
async def test_by_name_nobody_is_reached_and_nothing_is_told_of_who_there_is(
    api: httpx.AsyncClient, as_holder: AsHolder, give, path: str
) -> None:
    await give("ben", 7)
    told = []
    for holder in ("ben", "maria", "nobody-at-all"):
        answer = await api.get(f"/v1/holders/{holder}{path}", headers=as_holder("maria"))
        assert problem(answer, 403) == "scope_missing"
        told.append(answer.json() | {"request_id": ""})
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    "path",
    ["/v1/postings", "/v1/postings/bulk", "/v1/holder-tokens", "/v1/programs/daily/claims",
     "/v1/holders/ben/wallets/coins/holds", "/v1/holders/logins", "/v1/keys", "/v1/grants"],
)  # fmt: skip
async def test_a_token_moves_nothing(
    api: httpx.AsyncClient, as_holder: AsHolder, path: str
) -> None:
    answer = await api.post(path, json={}, headers=as_holder("maria"))
    assert problem(answer, 403) == "scope_missing"


@pytest.mark.parametrize("path", ["", "/wallets/coins/limit", "/wallets/coins/state"])
async def test_a_token_changes_nothing(
    api: httpx.AsyncClient, as_holder: AsHolder, path: str
) -> None:
    answer = await api.put(f"/v1/holders/maria{path}", json={}, headers=as_holder("maria"))
    assert problem(answer, 403) == "scope_missing"


@pytest.mark.parametrize("scope", ["admin", "operator", "viewer", "ingest", "partner"])
async def test_who_is_no_holder_has_nothing_of_their_own(
    api: httpx.AsyncClient, as_: As, scope: str
) -> None:
    for path in ("", "/wallets", "/wallets/coins", "/grants", "/next-grants"):
        answer = await api.get(f"/v1/me{path}", headers=as_(scope))
        assert problem(answer, 403) == "scope_missing"


async def test_a_holder_without_wallets_has_none_and_who_is_not_known_is_missing(
    api: httpx.AsyncClient, as_: As, as_holder: AsHolder
) -> None:
    said(await api.put("/v1/holders/ben", json={}, headers=as_("ingest")), 201)
    assert said(await api.get("/v1/me/wallets", headers=as_holder("ben"))) == {"items": []}
    answer = await api.get("/v1/me/wallets/coins", headers=as_holder("ben"))
    assert problem(answer, 404) == "wallet_unknown"
    for path in ("/v1/me/wallets", "/v1/me/next-grants", "/v1/me/grants"):
        answer = await api.get(path, headers=as_holder("nobody"))
        assert problem(answer, 404) == "holder_unknown"


async def test_a_claim_is_paid_once_however_often_it_is_made(
    api: httpx.AsyncClient, as_holder: AsHolder, services: Services
) -> None:
    await found(services)
    headers = as_holder("maria")
    first = said(await api.post("/v1/me/claims/daily", headers=headers), 201)
    assert (first["awarded"], first["already"], first["balance"]) == (5, False, 5)
    again = said(await api.post("/v1/me/claims/daily", headers=headers))
    assert (again["awarded"], again["already"]) == (0, True)
    assert said(await api.get("/v1/me/wallets/coins", headers=headers))["balance"] == 5
    [award] = said(await api.get("/v1/me/grants", headers=headers))["items"]
    assert (award["program"], award["added"]) == ("daily", 5)
    following = said(await api.get("/v1/me/next-grants", headers=headers))["items"]
    assert {one["program"] for one in following} == {"monthly", "daily", "yearly"}


async def test_ten_claims_at_once_are_one(
    api: httpx.AsyncClient, as_holder: AsHolder, services: Services
) -> None:
    await found(services)
    headers = as_holder("maria")
    answers = await asyncio.gather(
        *(api.post("/v1/me/claims/daily", headers=headers) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert said(await api.get("/v1/me/wallets/coins", headers=headers))["balance"] == 5


async def test_what_cannot_be_claimed_says_why(
    api: httpx.AsyncClient, as_holder: AsHolder, services: Services
) -> None:
    await found(services)
    for holder, program, status, code in (
        ("maria", "monthly", 422, "claim_not_offered"),
        ("maria", "nothing", 404, "program_unknown"),
        ("nobody", "daily", 404, "holder_unknown"),
    ):
        answer = await api.post(f"/v1/me/claims/{program}", headers=as_holder(holder))
        assert problem(answer, status) == code
    nul = await api.post("/v1/me/claims/a%00", headers=as_holder("maria"))
    assert problem(nul, 400) == "path_invalid"
    await services.programs.switch("daily", on=False, actor="test", reason="because")
    off = await api.post("/v1/me/claims/daily", headers=as_holder("maria"))
    assert problem(off, 422) == "program_off"


async def test_a_claim_is_the_tokens_holders_whatever_is_sent_with_it(
    api: httpx.AsyncClient, as_holder: AsHolder, services: Services
) -> None:
    await found(services, people=("maria", "ben"))
    body = {"holder": "ben"}
    said(await api.post("/v1/me/claims/daily", json=body, headers=as_holder("maria")), 201)
    assert said(await api.get("/v1/me/wallets", headers=as_holder("ben")))["items"] == []


async def test_a_token_of_somebody_erased_leads_to_nobody(
    api: httpx.AsyncClient, as_: As, as_holder: AsHolder, give
) -> None:
    await give("maria", 500)
    body = {"reason": "asked", "with_credit": True}
    said(await api.post("/v1/holders/maria/erase", json=body, headers=as_("admin")))
    for path in ("/v1/me/wallets", "/v1/me/wallets/coins", "/v1/me/wallets/coins/entries"):
        answer = await api.get(path, headers=as_holder("maria"))
        assert problem(answer, 404) == "holder_unknown"


async def test_a_token_that_has_expired_is_told_so(
    api: httpx.AsyncClient, services: Services, as_: As
) -> None:
    body = {"holder": "maria", "ttl_s": 1}
    text = said(await api.post("/v1/holder-tokens", json=body, headers=as_("ingest")), 201)["text"]
    headers = {"authorization": f"Bearer {text}"}
    services.access._clock = lambda then=services.access._clock: then() + 3600
    answer = await api.get("/v1/me", headers=headers)
    assert problem(answer, 401) == "token_expired"
    assert "maria" not in answer.text


@pytest.mark.parametrize("cursor", ["x", "-1", "%00"])
async def test_a_page_of_ones_own_that_is_none_is_refused(
    api: httpx.AsyncClient, as_holder: AsHolder, give, cursor: str
) -> None:
    await give("maria", 500)
    path = f"/v1/me/wallets/coins/entries?cursor={cursor}"
    problem(await api.get(path, headers=as_holder("maria")), 400)


async def test_all_tokens_of_a_holder_have_one_rate_and_nobody_elses(
    api: httpx.AsyncClient, services: Services
) -> None:
    services.access._holder_per_minute = 2
    first, second, bens = [
        {"authorization": f"Bearer {(await services.access.issue_token(who, actor='test')).text}"}
        for who in ("maria", "maria", "ben")
    ]
    statuses = [(await api.get("/v1/me", headers=one)).status_code for one in (first, second)]
    assert statuses == [200, 200]
    refused = await api.get("/v1/me", headers=second)
    assert problem(refused, 429) == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert said(await api.get("/v1/me", headers=bens)) == {"holder": "ben"}

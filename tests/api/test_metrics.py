"""Figures for Prometheus: who may read them, and that they move with the credit (O2)."""

import httpx
import msgspec
import pytest

from bursar.api.services import Services
from tests.api.conftest import As, Headers, problem

GIVEN = "bursar_credits_given_minor_units_total"
TAKEN = "bursar_credits_taken_minor_units_total"


async def read(api: httpx.AsyncClient, headers: Headers) -> str:
    """Scrape."""
    answer = await api.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


def figure(text: str, name: str, *labels: str) -> float:
    """Tell one figure; 0 if it is not there."""
    lines = [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]
    found = [line for line in lines if all(label in line for label in labels)]
    assert len(found) <= 1, found
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


async def test_figures_move_when_credit_moves(api: httpx.AsyncClient, as_: As, give) -> None:
    before = await read(api, as_("viewer"))
    assert figure(before, GIVEN, 'asset="coins"', 'kind="grant"') == 0
    await give("maria", 500)
    debit = {"op": "debit", "holder": "maria", "asset": "coins", "amount": 120, "reference": "d"}
    assert (await api.post("/v1/postings", json=debit, headers=as_("ingest"))).status_code == 201
    after = await read(api, as_("viewer"))
    assert figure(after, GIVEN, 'asset="coins"', 'kind="grant"') == 500
    assert figure(after, TAKEN, 'asset="coins"', 'kind="spend"') == 120


async def test_an_open_hold_is_counted_until_it_ends(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 500)
    hold = "/v1/holders/maria/wallets/coins/holds"
    body = {"amount": 5, "reference": "h"}
    assert (await api.post(hold, json=body, headers=as_("ingest"))).status_code == 201
    assert figure(await read(api, as_("viewer")), "bursar_holds_open") == 1
    body = {"reference": "r"}
    released = await api.post(hold + "/h/release", json=body, headers=as_("ingest"))
    assert released.status_code == 201
    assert figure(await read(api, as_("viewer")), "bursar_holds_open") == 0


async def test_requests_are_counted_by_route_and_no_name_stands_in_them(
    api: httpx.AsyncClient, as_: As, give
) -> None:
    await give("maria", 500)
    for _ in range(3):
        await api.get("/v1/holders/maria/wallets/coins", headers=as_("viewer"))
    for path in ("/v1/nothing/maria", "/v1/holders/maria/nothing"):
        assert problem(await api.get(path, headers=as_("viewer")), 404) == "path_unknown"
    text = await read(api, as_("viewer"))
    shown = 'route="/v1/holders/{holder}/wallets/{asset}"'
    assert figure(text, "bursar_http_requests_total", shown, 'status="200"') == 3
    assert figure(text, "bursar_http_requests_total", 'route="unknown"', 'status="404"') == 2
    assert "maria" not in text


async def test_figures_are_not_for_everybody(api: httpx.AsyncClient, as_: As, as_holder) -> None:
    assert problem(await api.get("/metrics"), 401) == "credential_missing"
    wrong = {"authorization": "Bearer bsk_wrong"}
    assert problem(await api.get("/metrics", headers=wrong), 401) == "credential_invalid"
    for headers in (as_("ingest"), as_("partner"), as_holder("maria")):
        assert problem(await api.get("/metrics", headers=headers), 403) == "scope_missing"


async def test_a_setting_opens_the_figures_and_nothing_else(
    api: httpx.AsyncClient, services: Services
) -> None:
    services.settings = msgspec.structs.replace(services.settings, open_metrics=True)
    assert "bursar_holds_open" in await read(api, {})
    assert problem(await api.get("/v1/holders"), 401) == "credential_missing"


async def test_who_asks_too_often_is_told_when_to_come_again(
    api: httpx.AsyncClient, services: Services
) -> None:
    made = await services.access.add_key(
        "scraper", "scraper", ["viewer"], per_minute=2, actor="cli:ada", reason="a trial"
    )
    headers = {"authorization": f"Bearer {made.secret}"}
    answers = [await api.get("/metrics", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert problem(answers[2], 429) == "rate_limited"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 61
    assert answers[2].headers["ratelimit"].startswith('"default";r=0;')


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_figures_are_only_read(api: httpx.AsyncClient, as_: As, method: str) -> None:
    answer = await api.request(method, "/metrics", headers=as_("admin"))
    assert problem(answer, 405) == "method_not_allowed"
    assert "GET" in answer.headers["allow"]

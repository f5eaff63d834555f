"""Grants by hand over HTTP."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from bursar.api.services import Services
from tests.api.clubs import found, said
from tests.api.conftest import As, Headers, problem

TEN: dict[str, Any] = {"asset": "coins", "amount": 10, "reason": "a present"}


def once(as_: As) -> Headers:
    """Make an operator's headers with a key that nobody has used."""
    return as_("operator", idempotency_key=str(uuid4()))


@pytest.fixture
async def club(services: Services) -> Services:
    await found(services, people=("maria", "noah", "zoe"))
    return services


async def balances(api: httpx.AsyncClient, as_: As) -> dict[str, int]:
    entries = said(await api.get("/v1/journal", headers=as_("viewer")))["items"]
    return {one["holder"]: one["balance"] for one in reversed(entries)}


async def test_a_grant_is_a_run_that_a_worker_does(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = TEN | {"holders": ["maria", "zoe", "maria"]}
    run = said(await api.post("/v1/grants", json=body, headers=once(as_)), 201)
    assert (run["kind"], run["state"], run["amount"], run["program"]) == (
        "grant", "running", 10, None,
    )  # fmt: skip
    await club.programs.runs.work()
    assert await balances(api, as_) == {"maria": 10, "zoe": 10}


async def test_a_grant_may_be_to_everybody_or_to_those_of_a_run(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = TEN | {"holders": ["noah"]}
    run = said(await api.post("/v1/grants", json=body, headers=once(as_)), 201)["run"]
    await club.programs.runs.work()
    for to in ({"run": run}, {"everybody": True}):
        said(await api.post("/v1/grants", json=TEN | to, headers=once(as_)), 201)
        await club.programs.runs.work()
    assert await balances(api, as_) == {"maria": 10, "noah": 30, "zoe": 10}


async def test_a_grant_of_a_program_gives_what_the_program_would(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = {"program": "monthly", "holders": ["maria"], "reason": "missed it"}
    said(await api.post("/v1/grants", json=body, headers=once(as_)), 201)
    await club.programs.runs.work()
    assert await balances(api, as_) == {"maria": 100}


async def test_under_one_key_a_grant_is_done_once(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body, headers = TEN | {"holders": ["maria"]}, as_("operator", idempotency_key="gift-1")
    first = said(await api.post("/v1/grants", json=body, headers=headers), 201)
    assert first["reference"] == "gift-1"
    again = said(await api.post("/v1/grants", json=body, headers=headers), 200)
    assert again["run"] == first["run"]
    await club.programs.runs.work()
    assert await balances(api, as_) == {"maria": 10}
    other = await api.post("/v1/grants", json=body | {"amount": 11}, headers=headers)
    assert problem(other, 409) == "grant_reference"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, 400, "grant_to"),
        ({"holders": ["maria"], "everybody": True}, 400, "grant_to"),
        ({"holders": []}, 400, "request_invalid"),
        ({"holders": ["nobody"]}, 404, "holder_unknown"),
        ({"holders": ["a\u0000"]}, 400, "request_invalid"),
        ({"everybody": True, "program": "monthly"}, 400, "grant_of"),
        ({"everybody": True, "asset": None}, 400, "grant_of"),
        ({"everybody": True, "asset": "pearls"}, 404, "asset_unknown"),
        ({"everybody": True, "amount": 0}, 400, "grant_amount"),
        ({"everybody": True, "amount": None}, 400, "grant_amount"),
        ({"everybody": True, "amount": 2**63}, 400, "grant_amount"),
        ({"everybody": True, "amount": 10.5}, 400, "request_invalid"),
        ({"everybody": True, "reason": ""}, 400, "request_invalid"),
        ({"run": "run_99"}, 404, "run_unknown"),
        (
            {"everybody": True, "asset": None, "program": "x", "amount": None},
            404,
            "program_unknown",
        ),
    ],
)
async def test_a_grant_that_cannot_be_meant_gives_nothing(
    api: httpx.AsyncClient, as_: As, club: Services, change: Any, status: int, code: str
) -> None:
    answer = await api.post("/v1/grants", json=TEN | change, headers=once(as_))
    assert problem(answer, status) == code
    assert said(await api.get("/v1/runs", headers=as_("viewer")))["items"] == []


async def test_an_apps_own_key_grants_nothing(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = TEN | {"everybody": True}
    for scope in ("viewer", "ingest", "partner"):
        answer = await api.post("/v1/grants", json=body, headers=as_(scope))
        assert problem(answer, 403) == "scope_missing"


async def test_a_grant_without_a_key_is_refused_for_it_could_not_be_sent_again(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = TEN | {"everybody": True}
    answer = await api.post("/v1/grants", json=body, headers=as_("operator"))
    assert problem(answer, 400) == "reference_missing"
    assert said(await api.get("/v1/runs", headers=as_("viewer")))["items"] == []

"""What a holder token opens: one person's own, and nothing of anybody else (I2, P13, P20)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from bursar.programs.model import Amount, Claim, Program
from tests.api.conftest import As, Headers, problem

MINE = ["/v1/me/wallets", "/v1/me/wallets/coins", "/v1/me/wallets/coins/entries"]
OTHERS = ["", "/wallets", "/wallets/coins", "/wallets/coins/entries", "/grants", "/next-grants"]

AsHolder = Callable[[str], Headers]


@pytest.fixture
async def daily(services: Services, api: httpx.AsyncClient, as_: As) -> None:
    """A program that is claimed by hand each day, for maria and ben."""
    program = Program(
        name="daily", asset="coins", schedule=Claim(every="day"), amount=Amount(fixed=10)
    )
    async with services.ledger.database.transaction() as connection:
        await services.programs.put(connection, program, actor="test", reason="because")
    for holder in ("maria", "ben"):
        await api.put(f"/v1/holders/{holder}", json={}, headers=as_("ingest"))


async def test_a_token_shows_its_own_wallets_and_entries(
    api: httpx.AsyncClient, as_holder: AsHolder, give: Any
) -> None:
    await give("maria", 500)
    await give("ben", 7)
    await give("ben", 3, asset="gems")
    for holder, balances in (("maria", [500]), ("ben", [7, 3])):
        headers = as_holder(holder)
        assert (await api.get("/v1/me", headers=headers)).json() == {"holder": holder}
        wallets = (await api.get("/v1/me/wallets", headers=headers)).json()["items"]
        assert [w["balance"] for w in wallets] == balances
        assert {w["holder"] for w in wallets} == {holder}
        one = (await api.get("/v1/me/wallets/coins", headers=headers)).json()
        assert one["balance"] == balances[0]
        entries = (await api.get("/v1/me/wallets/coins/entries", headers=headers)).json()["items"]
        assert [(e["holder"], e["amount"]) for e in entries] == [(holder, balances[0])]


@pytest.mark.parametrize("below", OTHERS)
async def test_of_another_a_token_learns_not_even_whether_they_are_there(
    api: httpx.AsyncClient, as_holder: AsHolder, give: Any, below: str
) -> None:
    await give("maria", 5)
    await give("ben", 7)
    told = []
    for other in ("ben", "nobody", "maria"):
        answer = await api.get(f"/v1/holders/{other}{below}", headers=as_holder("maria"))
        assert problem(answer, 403) == "scope_missing"
        told.append({k: v for k, v in answer.json().items() if k != "request_id"})
    assert told[0] == told[1] == told[2]


async def test_a_token_of_somebody_unknown_finds_nothing(
    api: httpx.AsyncClient, as_holder: AsHolder
) -> None:
    for path in (*MINE, "/v1/me/next-grants", "/v1/me/grants"):
        assert problem(await api.get(path, headers=as_holder("nobody")), 404) == "holder_unknown"


async def test_a_token_does_not_move_credit(
    api: httpx.AsyncClient, as_holder: AsHolder, services: Services, give: Any
) -> None:
    await give("maria", 5)
    credit = {"op": "credit", "holder": "maria", "asset": "coins", "amount": 1, "reference": "a"}
    limit = {"limit": 5, "reason": "please", "reference": "a"}
    hold = {"amount": 1, "reference": "a"}
    for method, path, body in (
        ("POST", "/v1/postings", credit),
        ("PUT", "/v1/holders/maria/wallets/coins/limit", limit),
        ("POST", "/v1/holders/maria/wallets/coins/holds", hold),
        ("PUT", "/v1/holders/maria", {"tier": "pro"}),
        ("POST", "/v1/holder-tokens", {"holder": "ben"}),
    ):
        answer = await api.request(method, path, json=body, headers=as_holder("maria"))
        assert problem(answer, 403) == "scope_missing"
    assert (await services.ledger.wallet("maria", "coins")).seq == 1


async def test_a_key_has_nothing_of_its_own(api: httpx.AsyncClient, as_: As) -> None:
    for path in ("/v1/me", *MINE):
        assert problem(await api.get(path, headers=as_("admin")), 403) == "scope_missing"


@pytest.mark.usefixtures("daily")
async def test_a_claim_brings_its_amount_once_a_day(
    api: httpx.AsyncClient, as_holder: AsHolder
) -> None:
    headers = as_holder("maria")
    first = await api.post("/v1/me/claims/daily", headers=headers)
    assert (first.status_code, first.json()["awarded"]) == (201, 10)
    again = await api.post("/v1/me/claims/daily", headers=headers)
    assert (again.status_code, again.json()["awarded"]) == (200, 0)
    assert again.json()["already"] is True
    assert (await api.get("/v1/me/wallets/coins", headers=headers)).json()["balance"] == 10
    [award] = (await api.get("/v1/me/grants", headers=headers)).json()["items"]
    assert (award["program"], award["added"], award["after"]) == ("daily", 10, 10)
    assert (await api.get("/v1/me/grants", headers=as_holder("ben"))).json()["items"] == []


@pytest.mark.usefixtures("daily")
async def test_what_comes_next_is_told(api: httpx.AsyncClient, as_holder: AsHolder) -> None:
    [following] = (await api.get("/v1/me/next-grants", headers=as_holder("ben"))).json()["items"]
    assert (following["program"], following["amount"], following["days"]) == ("daily", 10, 0)


@pytest.mark.usefixtures("daily")
async def test_what_cannot_be_claimed_brings_nothing(
    api: httpx.AsyncClient, as_holder: AsHolder, services: Services
) -> None:
    maria = as_holder("maria")
    unknown = await api.post("/v1/me/claims/nothing", headers=maria)
    assert problem(unknown, 404) == "program_unknown"
    nul = await api.post("/v1/me/claims/a%00", headers=maria)
    assert problem(nul, 400) == "path_invalid"
    stranger = await api.post("/v1/me/claims/daily", headers=as_holder("nobody"))
    assert problem(stranger, 404) == "holder_unknown"
    await services.programs.switch("daily", on=False, actor="test", reason="because")
    assert problem(await api.post("/v1/me/claims/daily", headers=maria), 422) == "program_off"
    assert await services.programs.history("maria") == ()

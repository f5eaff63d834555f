"""Holds over HTTP: set aside, spent, given back, each once (L6)."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.conftest import As, problem

WALLET = "/v1/holders/maria/wallets/coins"
HOLDS = f"{WALLET}/holds"


async def place(
    api: httpx.AsyncClient, as_: As, reference: str = "order", **said: Any
) -> httpx.Response:
    said = {"amount": 30, "reference": reference} | said
    return await api.post(HOLDS, json=said, headers=as_("ingest"))


async def stands(api: httpx.AsyncClient, as_: As) -> tuple[int, int]:
    """The wallet's balance, and what of it is held."""
    wallet = (await api.get(WALLET, headers=as_("viewer"))).json()
    return wallet["balance"], wallet["held"]


@pytest.fixture(autouse=True)
async def _credit(give: Any) -> None:
    await give("maria", 100)


async def test_a_hold_is_placed_once_and_listed_while_it_is_open(
    api: httpx.AsyncClient, as_: As
) -> None:
    first, again = await place(api, as_), await place(api, as_)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["entry"] == first.json()["entry"]
    await place(api, as_, "later", amount=5, deadline="2999-01-01T00:00:00Z")
    listed = (await api.get(HOLDS, headers=as_("viewer"))).json()["items"]
    assert [(h["reference"], h["remaining"], h["deadline"]) for h in listed] == [
        ("order", 30, None), ("later", 5, "2999-01-01T00:00:00Z"),
    ]  # fmt: skip
    assert await stands(api, as_) == (100, 35)
    assert problem(await place(api, as_, amount=31), 409) == "reference_conflict"


async def test_a_hold_is_spent_once_and_the_rest_given_back(
    api: httpx.AsyncClient, as_: As
) -> None:
    await place(api, as_)
    path = f"{HOLDS}/order/capture"
    headers = as_("ingest", idempotency_key="capture-1")
    first = await api.post(path, json={"amount": 10}, headers=headers)
    again = await api.post(path, json={"amount": 10}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert await stands(api, as_) == (90, 0)
    ended = await api.post(path, json={"reference": "capture-2"}, headers=as_("ingest"))
    assert problem(ended, 422) == "hold_ended"
    shown = (await api.get(f"{HOLDS}/order", headers=as_("viewer"))).json()
    assert (shown["state"], shown["remaining"]) == ("captured", 0)


async def test_a_hold_is_spent_in_parts_if_its_rest_is_kept(
    api: httpx.AsyncClient, as_: As
) -> None:
    await place(api, as_)
    path = f"{HOLDS}/order/capture"
    part = {"amount": 10, "keep_rest": True, "reference": "part"}
    assert (await api.post(path, json=part, headers=as_("ingest"))).status_code == 201
    assert await stands(api, as_) == (90, 20)
    more = {"amount": 21, "reference": "more"}
    assert problem(await api.post(path, json=more, headers=as_("ingest")), 422) == "hold_exceeded"
    assert (await api.get(f"{HOLDS}/order", headers=as_("viewer"))).json()["remaining"] == 20


async def test_a_hold_is_given_back_once(api: httpx.AsyncClient, as_: As) -> None:
    await place(api, as_)
    path = f"{HOLDS}/order/release"
    said = {"reference": "back"}
    first = await api.post(path, json=said, headers=as_("ingest"))
    again = await api.post(path, json=said, headers=as_("ingest"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert await stands(api, as_) == (100, 0)
    shown = (await api.get(f"{HOLDS}/order", headers=as_("viewer"))).json()
    assert shown["state"] == "released"


@pytest.mark.parametrize("reference", ["order/7", "50%", "%2F", "ü ☕", "x" * 200])
async def test_a_hold_of_any_reference_is_found(
    api: httpx.AsyncClient, as_: As, reference: str
) -> None:
    await place(api, as_, reference)
    path = f"{HOLDS}/{quote(reference, safe='')}"
    shown = (await api.get(path, headers=as_("viewer"))).json()
    assert shown["reference"] == reference
    back = await api.post(f"{path}/release", json={"reference": "b"}, headers=as_("ingest"))
    assert back.status_code == 201, back.text


async def test_a_hold_that_is_none_is_missing(api: httpx.AsyncClient, as_: As) -> None:
    for name in ("never", "gift"):  # the second is a credit's reference
        shown = await api.get(f"{HOLDS}/{name}", headers=as_("viewer"))
        assert problem(shown, 404) == "hold_unknown"
        for act in ("capture", "release"):
            answer = await api.post(
                f"{HOLDS}/{name}/{act}", json={"reference": "a"}, headers=as_("ingest")
            )
            assert problem(answer, 404) == "hold_unknown"
    nul = await api.get(f"{HOLDS}/%00", headers=as_("viewer"))
    assert problem(nul, 400) == "path_invalid"


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"amount": 0}, 400, "request_invalid"),
        ({"amount": 1.5}, 400, "request_invalid"),
        ({"amount": "30"}, 400, "request_invalid"),
        ({"reference": None}, 400, "reference_missing"),
        ({"reference": ""}, 400, "request_invalid"),
        ({"deadline": "2999-01-01T00:00:00"}, 400, "invalid"),
        ({"deadline": "tomorrow"}, 400, "request_invalid"),
        ({"metadata": [1]}, 400, "request_invalid"),
        ({"until": "2999-01-01T00:00:00Z"}, 400, "request_invalid"),
        ({"amount": 101}, 422, "insufficient_funds"),
    ],
)
async def test_a_hold_that_cannot_be_holds_nothing(
    api: httpx.AsyncClient, as_: As, said: dict[str, Any], status: int, code: str
) -> None:
    assert problem(await place(api, as_, **said), status) == code
    assert await stands(api, as_) == (100, 0)


async def test_holds_of_nobody_are_missing(api: httpx.AsyncClient, as_: As) -> None:
    path = "/v1/holders/nobody/wallets/coins/holds"
    assert problem(await api.get(path, headers=as_("viewer")), 404) == "holder_unknown"
    said = {"amount": 1, "reference": "a"}
    assert problem(await api.post(path, json=said, headers=as_("ingest")), 404) == "wallet_unknown"

"""Wallets over HTTP: what somebody has, what it came from, what it may do (L4-L9, L12, L13)."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bursar.api.services import Services
from bursar.ledger import Credit, Debit, LotTerms
from tests.api.conftest import As, problem


async def test_a_wallet_is_shown_as_it_stands(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 500)
    answer = await api.get("/v1/holders/maria/wallets/coins", headers=as_("viewer"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["balance"] == 500


async def test_a_wallet_of_nobody_is_missing(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.get("/v1/holders/nobody/wallets/coins", headers=as_("viewer"))
    assert problem(answer, 404) == "holder_unknown"


async def test_without_credentials_nothing_is_shown(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/holders/maria/wallets/coins")
    assert problem(answer, 401) == "credential_missing"
    assert answer.headers["www-authenticate"] == 'Bearer realm="bursar"'


async def test_a_partner_sees_no_wallet(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.get("/v1/holders/maria/wallets/coins", headers=as_("partner"))
    assert problem(answer, 403) == "scope_missing"


@pytest.mark.parametrize("holder", ["a/b", "100%", "%2F", "%25/", "ålesund ☕", "a?b#c", "x" * 200])
async def test_whatever_the_apps_own_ids_look_like_they_work_in_paths(
    api: httpx.AsyncClient, as_: As, give, holder: str
) -> None:
    await give(holder, 5)
    path = f"/v1/holders/{quote(holder, safe='')}/wallets/coins"
    answer = await api.get(path, headers=as_("ingest"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["holder"] == holder


WALLET = "/v1/holders/maria/wallets/coins"
NOWHERE = ["/v1/holders/nobody/wallets/coins", "/v1/holders/maria/wallets/keys"]


async def test_all_wallets_are_shown_at_once(api: httpx.AsyncClient, as_: As, give: Any) -> None:
    await give("maria", 5, asset="gems")
    await give("maria", 500)
    shown = (await api.get("/v1/holders/maria/wallets", headers=as_("ingest"))).json()["items"]
    assert [(w["asset"], w["balance"]) for w in shown] == [("coins", 500), ("gems", 5)]
    missing = await api.get("/v1/holders/nobody/wallets", headers=as_("ingest"))
    assert problem(missing, 404) == "holder_unknown"


async def test_somebody_without_a_wallet_has_none(api: httpx.AsyncClient, as_: As) -> None:
    await api.put("/v1/holders/maria", json={}, headers=as_("ingest"))
    assert (await api.get("/v1/holders/maria/wallets", headers=as_("viewer"))).json()["items"] == []
    assert problem(await api.get(WALLET, headers=as_("viewer")), 404) == "wallet_unknown"


@pytest.mark.parametrize(
    "below", ["", "/entries", "/balance?at=2026-01-01T00:00:00Z", "/totals", "/explain", "/holds"]
)
async def test_what_is_not_there_is_missing_everywhere(
    api: httpx.AsyncClient, as_: As, give: Any, below: str
) -> None:
    await give("maria", 500)
    for path, code in zip(NOWHERE, ("holder_unknown", "asset_unknown"), strict=True):
        assert problem(await api.get(path + below, headers=as_("viewer")), 404) == code
    for path in ("/v1/holders/%00/wallets/coins", "/v1/holders/maria/wallets/%00"):
        assert problem(await api.get(path + below, headers=as_("viewer")), 400) == "path_invalid"
    assert (await api.get(WALLET + below, headers=as_("viewer"))).status_code == 200


async def test_entries_are_listed_by_what_is_asked_for(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    await give("maria", 500)
    for n, source in ((1, "shop"), (2, "game"), (3, "shop")):
        debit = Debit(holder="maria", asset="coins", amount=n, reference=f"d{n}", source=source)
        (await services.ledger.submit(debit, actor="test", reason="fun")).unwrap()

    async def listed(**asked: Any) -> list[int]:
        answer = await api.get(f"{WALLET}/entries", params=asked, headers=as_("viewer"))
        assert answer.status_code == 200, answer.text
        return [entry["amount"] for entry in answer.json()["items"]]

    assert await listed() == [-3, -2, -1, 500]
    assert await listed(kind="spend") == [-3, -2, -1]
    assert await listed(kind="spend", source="shop") == [-3, -1]
    assert await listed(source="nowhere") == []
    assert await listed(until="2000-01-01T00:00:00Z") == []
    assert await listed(since="2000-01-01T00:00:00Z", limit=2) == [-3, -2]
    for asked, code in (
        ({"kind": "stolen"}, "request_invalid"),
        ({"since": "2000-01-01T00:00:00"}, "statement_filter"),
        ({"since": "then"}, "request_invalid"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": 0}, "request_invalid"),
    ):
        answer = await api.get(f"{WALLET}/entries", params=asked, headers=as_("viewer"))
        assert problem(answer, 400) == code


async def test_a_balance_of_the_past_is_by_the_books_or_by_effect(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    await give("maria", 500)
    then = datetime(2020, 1, 1, tzinfo=UTC)
    late = Credit(holder="maria", asset="coins", amount=7, reference="late", effective_at=then)
    (await services.ledger.submit(late, actor="test", reason="forgotten")).unwrap()

    async def balance(**asked: str) -> int:
        answer = await api.get(f"{WALLET}/balance", params=asked, headers=as_("viewer"))
        assert answer.status_code == 200, answer.text
        return int(answer.json()["balance"])

    assert await balance(at="2021-01-01T00:00:00Z") == 0
    assert await balance(at="2021-01-01T00:00:00Z", by="effective") == 7
    assert await balance(at="2999-01-01T00:00:00Z") == 507
    for asked in ({}, {"at": "2021-01-01"}, {"at": "2021-01-01T00:00:00Z", "by": "guess"}):
        answer = await api.get(f"{WALLET}/balance", params=asked, headers=as_("viewer"))
        assert problem(answer, 400) == "request_invalid"
    naive = {"at": "2021-01-01T00:00:00"}
    answer = await api.get(f"{WALLET}/balance", params=naive, headers=as_("viewer"))
    assert problem(answer, 400) == "balance_at"


async def test_totals_and_the_explanation_add_up_to_the_balance(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    await give("maria", 500)
    lot = LotTerms(expires_at=datetime(2999, 1, 1, tzinfo=UTC), origin="gift")
    await services.ledger.post(
        [
            Credit(holder="maria", asset="coins", amount=40, reference="lot", lot=lot),
            Debit(holder="maria", asset="coins", amount=15, reference="spent"),
        ],
        actor="ann",
        reason="a lot",
    )
    totals = (await api.get(f"{WALLET}/totals", headers=as_("viewer"))).json()["items"]
    assert sum(total["amount"] for total in totals) == 525
    told = (await api.get(f"{WALLET}/explain", headers=as_("viewer"))).json()
    assert (told["recorded"], told["overdue"], told["wallet"]["balance"]) == (525, 0, 525)
    [story] = told["lots"]
    assert (story["lot"]["remaining"], story["posting"]["actor"]) == (25, "ann")
    assert story["opened_by"]["reference"] == "lot"
    assert [(draw["amount"], draw["reference"]) for draw in story["draws"]] == [(-15, "spent")]


async def test_a_limit_is_set_once_and_lets_a_wallet_go_below_nothing(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    await give("maria", 10)
    said = {"limit": 100, "reason": "a good customer", "reference": "limit:1"}
    first = await api.put(f"{WALLET}/limit", json=said, headers=as_("operator"))
    again = await api.put(f"{WALLET}/limit", json=said, headers=as_("operator"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["entry"] == first.json()["entry"]
    other = await api.put(f"{WALLET}/limit", json=said | {"limit": 5}, headers=as_("operator"))
    assert problem(other, 409) == "reference_conflict"
    debit = Debit(holder="maria", asset="coins", amount=110, reference="d")
    assert (
        await services.ledger.submit(debit, actor="test", reason="fun")
    ).unwrap().balance == -100
    posting = first.json()["entry"]["posting_id"]
    made = (await services.ledger.postings([posting]))[posting]
    assert (made.actor, made.reason) == ("api:operator", "a good customer")


async def test_a_frozen_wallet_pays_nothing_until_it_is_thawed(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    await give("maria", 10)
    for n, (state, status) in enumerate((("frozen", "wallet_frozen"), ("active", "applied"))):
        said = {"state": state, "reason": "a dispute"}
        headers = as_("operator", idempotency_key=f"state-{n}")
        answer = await api.put(f"{WALLET}/state", json=said, headers=headers)
        assert answer.status_code == 201, answer.text
        debit = Debit(holder="maria", asset="coins", amount=1, reference="d")
        result = await services.ledger.submit(debit, actor="test", reason="fun")
        assert result.status == status
    closing = {"state": "closed", "reason": "goodbye", "reference": "close"}
    answer = await api.put(f"{WALLET}/state", json=closing, headers=as_("operator"))
    assert problem(answer, 422) == "wallet_not_empty"


@pytest.mark.parametrize(
    ("below", "said", "code"),
    [
        ("limit", {"limit": 5, "reason": "so"}, "reference_missing"),
        ("limit", {"limit": 5, "reference": "a"}, "request_invalid"),
        ("limit", {"limit": -1, "reason": "so", "reference": "a"}, "request_invalid"),
        ("limit", {"limit": 1.5, "reason": "so", "reference": "a"}, "request_invalid"),
        ("limit", {"limit": 2**63, "reason": "so", "reference": "a"}, "request_invalid"),
        ("state", {"state": "melted", "reason": "so", "reference": "a"}, "request_invalid"),
        ("state", {"state": "frozen", "reason": "so"}, "reference_missing"),
    ],
)
async def test_what_cannot_be_set_leaves_the_wallet_as_it_was(
    api: httpx.AsyncClient, as_: As, give: Any, below: str, said: dict[str, Any], code: str
) -> None:
    await give("maria", 10)
    answer = await api.put(f"{WALLET}/{below}", json=said, headers=as_("operator"))
    assert problem(answer, 400) == code
    assert (await api.get(WALLET, headers=as_("viewer"))).json()["seq"] == 1

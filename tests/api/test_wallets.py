"""Wallets over HTTP: what somebody has, what it came from, what it may do (L4-L9, L12, L13)."""

from urllib.parse import quote

import httpx
import pytest

from tests.api.clubs import said
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


async def test_all_wallets_of_a_holder_are_shown_by_asset(
    api: httpx.AsyncClient, as_: As, give
) -> None:
    await give("maria", 5, "gems")
    await give("maria", 500)
    shown = said(await api.get("/v1/holders/maria/wallets", headers=as_("ingest")))["items"]
    assert [(one["asset"], one["balance"]) for one in shown] == [("coins", 500), ("gems", 5)]


async def test_a_holder_without_wallets_has_none_and_nobody_is_missing(
    api: httpx.AsyncClient, as_: As
) -> None:
    said(await api.put("/v1/holders/ben", json={}, headers=as_("ingest")), 201)
    shown = await api.get("/v1/holders/ben/wallets", headers=as_("viewer"))
    assert said(shown) == {"items": []}
    answer = await api.get("/v1/holders/nobody/wallets", headers=as_("viewer"))
    assert problem(answer, 404) == "holder_unknown"


NOW = ("", "/explain", "/holds")
THEN = ("/entries", "/totals", "/balance?at=2026-01-01T00:00:00Z")


@pytest.mark.parametrize("part", NOW + THEN)
async def test_what_is_not_there_has_nothing_to_show(
    api: httpx.AsyncClient, as_: As, give, part: str
) -> None:
    await give("maria", 500)
    for holder, asset, code in (
        ("maria", "pearls", "asset_unknown"),
        ("nobody", "coins", "holder_unknown"),
    ):
        path = f"/v1/holders/{holder}/wallets/{asset}{part}"
        assert problem(await api.get(path, headers=as_("viewer")), 404) == code
    for path in ("/v1/holders/%00/wallets/coins", "/v1/holders/maria/wallets/%00"):
        assert problem(await api.get(path + part, headers=as_("viewer")), 400) == "path_invalid"


@pytest.mark.parametrize("part", NOW + THEN)
async def test_a_wallet_that_was_never_opened_has_an_empty_past_and_no_present(
    api: httpx.AsyncClient, as_: As, give, part: str
) -> None:
    await give("maria", 500)
    answer = await api.get(f"/v1/holders/maria/wallets/gems{part}", headers=as_("viewer"))
    if part in NOW:
        assert problem(answer, 404) == "wallet_unknown"
    else:
        told = said(answer)
        assert not any(told[name] for name in ("items", "cursor", "balance") if name in told)


@pytest.fixture
async def story(api: httpx.AsyncClient, as_: As, give) -> list[str]:
    """Give 500 in January 2026, spend 120 of it in the shop, earn 7; the instants recorded."""
    shop = {"holder": "maria", "asset": "coins", "source": "shop"}
    instants = []
    for command in (
        {"op": "credit", "amount": 500, "reference": "a", "lot": {"origin": "promo"},
         "effective_at": "2026-01-10T00:00:00Z"},
        {"op": "debit", "amount": 120, "reference": "b", "metadata": {"order": 17}},
        {"op": "credit", "amount": 7, "kind": "earn", "reference": "c"},
    ):  # fmt: skip
        done = await api.post("/v1/postings", json=shop | command, headers=as_("ingest"))
        instants.append(said(done, 201)["entry"]["recorded_at"])
    return instants


async def references(api: httpx.AsyncClient, as_: As, **query: str) -> list[str]:
    """Tell which entries are listed."""
    page = await api.get(WALLET + "/entries", params=query, headers=as_("viewer"))
    return [one["reference"] for one in said(page)["items"]]


async def test_entries_are_listed_by_what_they_are_and_when(
    api: httpx.AsyncClient, as_: As, story: list[str]
) -> None:
    assert await references(api, as_) == ["c", "b", "a"]
    assert await references(api, as_, kind="spend") == ["b"]
    assert await references(api, as_, source="shop") == ["c", "b", "a"]
    assert await references(api, as_, source="elsewhere") == []
    assert await references(api, as_, since=story[1]) == ["c", "b"]
    assert await references(api, as_, until=story[1]) == ["a"]
    assert await references(api, as_, since=story[1], until=story[2], kind="spend") == ["b"]


async def test_entries_come_page_by_page_to_their_end(
    api: httpx.AsyncClient, as_: As, story: list[str]
) -> None:
    url = WALLET + "/entries?limit=2"
    first = said(await api.get(url, headers=as_("viewer")))
    rest = said(await api.get(f"{url}&cursor={first['cursor']}", headers=as_("viewer")))
    assert [one["reference"] for one in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert rest["cursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        "entries?kind=theft",
        "entries?limit=0",
        "entries?limit=1001",
        "entries?cursor=x",
        "entries?since=2026-01-01T00:00:00",
        "entries?since=2026-01-01",
        "entries?until=yesterday",
        "entries?source=",
        "balance",
        "balance?at=",
        "balance?at=2026-01-01T00:00:00",
        "balance?at=2026-01-01",
        "balance?at=2026-01-01T00:00:00Z&by=heart",
        "balance?at=now",
        "balance?at=2026",
        "balance?at=1e3",
        "balance?at=-5",
        "balance?at=1767225600",
        "balance?at=2026-01-01T00:00:00Z&at=2026",
        "balance?at=2026-01-01T00:00:00+00:00",
        "entries?since=2026",
        "entries?until=0",
    ],
)
async def test_what_is_asked_for_wrongly_is_refused(
    api: httpx.AsyncClient, as_: As, story: list[str], query: str
) -> None:
    problem(await api.get(f"{WALLET}/{query}", headers=as_("viewer")), 400)


async def test_a_balance_of_then_is_what_was_recorded_or_what_took_effect(
    api: httpx.AsyncClient, as_: As, story: list[str]
) -> None:
    async def at(instant: str, **more: str) -> int:
        query = {"at": instant, **more}
        answer = said(await api.get(WALLET + "/balance", params=query, headers=as_("viewer")))
        assert answer["by"] == more.get("by", "recorded")
        return int(answer["balance"])

    assert await at("2026-02-01T00:00:00Z") == 0
    assert await at("2026-02-01T00:00:00Z", by="effective") == 500
    assert await at("2026-01-09T23:59:59+00:00", by="effective") == 0
    assert await at("2999-01-01T00:00:00+05:30") == 387
    assert await at(story[1], by="recorded") == 380


async def test_totals_add_up_a_life_by_kind_and_source(
    api: httpx.AsyncClient, as_: As, story: list[str]
) -> None:
    totals = said(await api.get(WALLET + "/totals", headers=as_("viewer")))["items"]
    assert {(one["kind"], one["source"], one["amount"]) for one in totals} == {
        ("grant", "shop", 500), ("spend", "shop", -120), ("earn", "shop", 7),
    }  # fmt: skip


async def test_an_explanation_says_what_each_lot_came_from_and_what_drew_from_it(
    api: httpx.AsyncClient, as_: As, story: list[str]
) -> None:
    told = said(await api.get(WALLET + "/explain", headers=as_("viewer")))
    assert (told["recorded"], told["overdue"], told["plain"]) == (387, 0, 7)
    assert sum(one["amount"] for one in told["totals"]) == told["wallet"]["balance"] == 387
    [lot] = told["lots"]
    assert (lot["lot"]["remaining"], lot["lot"]["origin"]) == (380, "promo")
    assert (lot["opened_by"]["reference"], lot["posting"]["actor"]) == ("a", "api:ingest")
    assert [(draw["reference"], draw["amount"]) for draw in lot["draws"]] == [("b", -120)]


LIMIT = {"limit": 50, "reason": "a good customer", "reference": "l:1"}
FROZEN = {"state": "frozen", "reason": "a dispute", "reference": "s:1"}


async def test_a_credit_line_is_set_once_and_lets_go_below_nothing(
    api: httpx.AsyncClient, as_: As, give
) -> None:
    await give("maria", 100)
    said(await api.put(WALLET + "/limit", json=LIMIT, headers=as_("operator")), 201)
    again = await api.put(WALLET + "/limit", json=LIMIT, headers=as_("operator"))
    assert said(again)["status"] == "replayed"
    other = await api.put(WALLET + "/limit", json=LIMIT | {"limit": 51}, headers=as_("operator"))
    assert problem(other, 409) == "reference_conflict"
    wallet = said(await api.get(WALLET, headers=as_("viewer")))
    assert (wallet["credit_limit"], wallet["available"]) == (50, 100)
    debit = {"op": "debit", "holder": "maria", "asset": "coins", "amount": 150, "reference": "d"}
    more = await api.post("/v1/postings", json=debit | {"amount": 151}, headers=as_("ingest"))
    assert problem(more, 422) == "insufficient_funds"
    spent = said(await api.post("/v1/postings", json=debit, headers=as_("ingest")), 201)
    assert spent["entry"]["balance"] == -50
    entry = again.json()["entry"]
    posting = said(await api.get(f"/v1/postings/{entry['posting_id']}", headers=as_("viewer")))
    assert (posting["actor"], posting["reason"]) == ("api:operator", "a good customer")


async def test_a_frozen_wallet_spends_nothing_until_it_is_active_again(
    api: httpx.AsyncClient, as_: As, give
) -> None:
    await give("maria", 100)
    debit = {"op": "debit", "holder": "maria", "asset": "coins", "amount": 5, "reference": "d"}
    said(await api.put(WALLET + "/state", json=FROZEN, headers=as_("operator")), 201)
    refused = await api.post("/v1/postings", json=debit, headers=as_("ingest"))
    assert problem(refused, 422) == "wallet_frozen"
    again = await api.put(WALLET + "/state", json=FROZEN, headers=as_("operator"))
    assert said(again)["status"] == "replayed"
    body = FROZEN | {"state": "active"}
    conflict = await api.put(WALLET + "/state", json=body, headers=as_("operator"))
    assert problem(conflict, 409) == "reference_conflict"
    active = body | {"reference": "s:2"}
    said(await api.put(WALLET + "/state", json=active, headers=as_("operator")), 201)
    said(await api.post("/v1/postings", json=debit, headers=as_("ingest")), 201)


async def test_a_wallet_with_credit_is_not_closed(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 100)
    body = FROZEN | {"state": "closed"}
    answer = await api.put(WALLET + "/state", json=body, headers=as_("operator"))
    assert problem(answer, 422) == "wallet_not_empty"


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("limit", {"limit": 5, "reference": "r"}),
        ("limit", {"limit": 5, "reason": "x"}),
        ("limit", {"limit": -1, "reason": "x", "reference": "r"}),
        ("limit", {"limit": 0.5, "reason": "x", "reference": "r"}),
        ("limit", {"limit": 2**63, "reason": "x", "reference": "r"}),
        ("limit", {"limit": 5, "reason": "\n", "reference": "r"}),
        ("state", {"state": "gone", "reason": "x", "reference": "r"}),
        ("state", {"state": None, "reason": "x", "reference": "r"}),
        ("state", {"state": "frozen", "reason": "", "reference": "r"}),
        ("state", {"state": "frozen", "reason": "x", "reference": "r", "limit": 5}),
    ],
)
async def test_what_is_no_limit_or_state_changes_nothing(
    api: httpx.AsyncClient, as_: As, give, what: str, body: dict[str, object]
) -> None:
    await give("maria", 100)
    before = said(await api.get(WALLET, headers=as_("viewer")))
    problem(await api.put(f"{WALLET}/{what}", json=body, headers=as_("operator")), 400)
    after = said(await api.get(WALLET, headers=as_("viewer")))
    assert {**after, "at": ""} == {**before, "at": ""}


async def test_an_app_sets_no_limit_and_no_state(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 100)
    for what, body in (("limit", LIMIT), ("state", FROZEN)):
        answer = await api.put(f"{WALLET}/{what}", json=body, headers=as_("ingest"))
        assert problem(answer, 403) == "scope_missing"

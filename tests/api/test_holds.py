"""Holds over HTTP: credit set aside, then spent or given back (L6)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bursar.api.services import Services
from tests.api.clubs import found, said
from tests.api.conftest import As, problem

WALLET = "/v1/holders/maria/wallets/coins"
HOLDS = WALLET + "/holds"
SEAT = {"amount": 120, "reference": "seat:1"}


@pytest.fixture
async def hold(api: httpx.AsyncClient, as_: As, give) -> str:
    """Set 120 of 500 aside; the hold's path."""
    await give("maria", 500)
    placed = said(await api.post(HOLDS, json=SEAT, headers=as_("ingest")), 201)
    assert (placed["entry"]["held_change"], placed["entry"]["amount"]) == (120, 0)
    return HOLDS + "/seat:1"


async def figures(api: httpx.AsyncClient, as_: As) -> tuple[int, int, int]:
    """Tell balance, held and available."""
    wallet = said(await api.get(WALLET, headers=as_("viewer")))
    return wallet["balance"], wallet["held"], wallet["available"]


async def test_what_is_held_is_no_longer_available(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    assert await figures(api, as_) == (500, 120, 380)
    shown = said(await api.get(hold, headers=as_("viewer")))
    assert (shown["reference"], shown["state"], shown["remaining"]) == ("seat:1", "open", 120)
    assert said(await api.get(HOLDS, headers=as_("viewer"))) == {"items": [shown]}


async def test_open_holds_are_listed_the_oldest_first(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"amount": 5, "reference": "a", "deadline": "2999-01-01T00:00:00Z"}
    said(await api.post(HOLDS, json=body, headers=as_("ingest")), 201)
    listed = said(await api.get(HOLDS, headers=as_("viewer")))["items"]
    assert [(one["reference"], one["remaining"], one["deadline"]) for one in listed] == [
        ("seat:1", 120, None), ("a", 5, "2999-01-01T00:00:00Z"),
    ]  # fmt: skip


async def test_placed_again_it_is_the_same_hold_and_other_words_are_a_conflict(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    again = said(await api.post(HOLDS, json=SEAT, headers=as_("ingest")))
    assert again["status"] == "replayed"
    other = await api.post(HOLDS, json=SEAT | {"amount": 121}, headers=as_("ingest"))
    assert problem(other, 409) == "reference_conflict"
    assert await figures(api, as_) == (500, 120, 380)


async def test_the_idempotency_key_names_a_hold(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 500)
    headers = as_("ingest", idempotency_key="k-1")
    assert said(await api.post(HOLDS, json={"amount": 5}, headers=headers), 201)
    assert said(await api.post(HOLDS, json={"amount": 5}, headers=headers))["status"] == "replayed"
    assert said(await api.get(HOLDS + "/k-1", headers=as_("viewer")))["remaining"] == 5


async def test_a_hold_without_any_name_is_refused(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 500)
    answer = await api.post(HOLDS, json={"amount": 5}, headers=as_("ingest"))
    assert problem(answer, 400) == "reference_missing"
    assert await figures(api, as_) == (500, 0, 500)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"amount": 0},
        {"amount": -5},
        {"amount": 1.5},
        {"amount": "5"},
        {"amount": True},
        {"amount": 2**63},
        {"amount": 5, "deadline": "2027-01-01T00:00:00"},
        {"amount": 5, "deadline": "soon"},
        {"amount": 5, "reference": ""},
        {"amount": 5, "reference": "a\nb"},
        {"amount": 5, "reference": "x" * 201},
        {"amount": 5, "reference": "bursar:x"},
        {"amount": 5, "metadata": []},
        {"amount": 5, "metadata": {"a": "\x00"}},
        {"amount": 5, "source": ""},
        {"amount": 5, "reason": "\x00"},
        {"amount": 5, "holder": "ben"},
    ],
)
async def test_what_is_no_hold_holds_nothing(
    api: httpx.AsyncClient, as_: As, give, body: dict[str, Any]
) -> None:
    await give("maria", 500)
    problem(await api.post(HOLDS, json={"reference": "r", **body}, headers=as_("ingest")), 400)
    assert await figures(api, as_) == (500, 0, 500)


async def test_more_than_there_is_cannot_be_held(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"amount": 381, "reference": "seat:2"}
    answer = await api.post(HOLDS, json=body, headers=as_("ingest"))
    assert problem(answer, 422) == "insufficient_funds"
    assert answer.json()["fields"]["available"] == 380


async def test_nobody_and_nothing_can_be_held_or_captured(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    for path, code in (
        (HOLDS.replace("maria", "nobody"), "wallet_unknown"),
        (HOLDS.replace("coins", "gems"), "wallet_unknown"),
        (HOLDS.replace("coins", "pearls"), "asset_unknown"),
    ):
        answer = await api.post(path, json=SEAT, headers=as_("ingest"))
        assert problem(answer, 404) == code
    for act in ("capture", "release"):
        body = {"reference": "c:1"}
        answer = await api.post(f"{HOLDS}/other/{act}", json=body, headers=as_("ingest"))
        assert problem(answer, 404) == "hold_unknown"
    assert problem(await api.get(HOLDS + "/other", headers=as_("viewer")), 404) == "hold_unknown"
    nul = await api.get(HOLDS + "/%00", headers=as_("viewer"))
    assert problem(nul, 400) == "path_invalid"
    credit = await api.get(HOLDS + "/gift", headers=as_("viewer"))
    assert problem(credit, 404) == "hold_unknown"


async def test_a_capture_spends_all_of_it_once_however_often_it_is_sent(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"reference": "c:1", "reason": "the seat was taken"}
    spent = said(await api.post(hold + "/capture", json=body, headers=as_("ingest")), 201)
    assert (spent["entry"]["amount"], spent["entry"]["kind"]) == (-120, "capture")
    again = said(await api.post(hold + "/capture", json=body, headers=as_("ingest")))
    assert (again["status"], again["entry"]) == ("replayed", spent["entry"])
    assert await figures(api, as_) == (380, 0, 380)
    assert said(await api.get(hold, headers=as_("viewer")))["state"] == "captured"
    assert said(await api.get(HOLDS, headers=as_("viewer"))) == {"items": []}
    posting = await api.get(f"/v1/postings/{spent['entry']['posting_id']}", headers=as_("viewer"))
    assert said(posting)["reason"] == "the seat was taken"


async def test_a_capture_of_a_part_gives_the_rest_back(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"reference": "c:1", "amount": 20}
    said(await api.post(hold + "/capture", json=body, headers=as_("ingest")), 201)
    assert await figures(api, as_) == (480, 0, 480)


async def test_a_capture_of_a_part_may_keep_the_rest(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"reference": "c:1", "amount": 20, "keep_rest": True}
    said(await api.post(hold + "/capture", json=body, headers=as_("ingest")), 201)
    assert await figures(api, as_) == (480, 100, 380)
    assert said(await api.get(hold, headers=as_("viewer")))["remaining"] == 100
    too_much = {"reference": "c:2", "amount": 101}
    answer = await api.post(hold + "/capture", json=too_much, headers=as_("ingest"))
    assert problem(answer, 422) == "hold_exceeded"
    said(await api.post(hold + "/capture", json={"reference": "c:3"}, headers=as_("ingest")), 201)
    assert await figures(api, as_) == (380, 0, 380)


async def test_a_release_gives_back_once_however_often_it_is_sent(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"reference": "r:1"}
    said(await api.post(hold + "/release", json=body, headers=as_("ingest")), 201)
    again = await api.post(hold + "/release", json=body, headers=as_("ingest"))
    assert said(again)["status"] == "replayed"
    assert await figures(api, as_) == (500, 0, 500)


@pytest.mark.parametrize("first", ["capture", "release"])
@pytest.mark.parametrize("then", ["capture", "release"])
async def test_what_has_ended_cannot_be_ended_again(
    api: httpx.AsyncClient, as_: As, hold: str, first: str, then: str
) -> None:
    said(await api.post(f"{hold}/{first}", json={"reference": "a"}, headers=as_("ingest")), 201)
    before = await figures(api, as_)
    answer = await api.post(f"{hold}/{then}", json={"reference": "b"}, headers=as_("ingest"))
    assert problem(answer, 422) == "hold_ended"
    assert await figures(api, as_) == before


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("capture", {"amount": 0}),
        ("capture", {"amount": 121.0}),
        ("capture", {"keep_rest": 1}),
        ("capture", {"amount": 5, "reference": None}),
        ("capture", {"hold": "other", "reference": "c"}),
        ("release", {"amount": 5, "reference": "c"}),
        ("release", {}),
    ],
)
async def test_an_end_that_is_none_ends_nothing(
    api: httpx.AsyncClient, as_: As, hold: str, act: str, body: dict[str, Any]
) -> None:
    problem(await api.post(f"{hold}/{act}", json=body, headers=as_("ingest")), 400)
    assert await figures(api, as_) == (500, 120, 380)


async def test_a_deadline_that_has_passed_is_refused(api: httpx.AsyncClient, as_: As, give) -> None:
    await give("maria", 500)
    body = SEAT | {"deadline": "2020-01-01T00:00:00Z"}
    answer = await api.post(HOLDS, json=body, headers=as_("ingest"))
    assert problem(answer, 422) == "time_out_of_range"
    assert await figures(api, as_) == (500, 0, 500)


async def test_a_hold_lapses_at_its_deadline(
    api: httpx.AsyncClient, as_: As, give, services: Services
) -> None:
    await found(services, '[economy]\nname = "club"\nsandbox = true\n\n[assets.coins]\n')
    await give("maria", 500)
    deadline = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = SEAT | {"deadline": deadline}
    said(await api.post(HOLDS, json=body, headers=as_("ingest")), 201)
    assert await figures(api, as_) == (500, 120, 380)
    move = {"by_s": 7200, "reason": "to see it lapse"}
    said(await api.post("/v1/clock/move", json=move, headers=as_("admin")))
    assert await figures(api, as_) == (500, 0, 500)
    assert said(await api.get(HOLDS + "/seat:1", headers=as_("viewer")))["state"] == "lapsed"
    late = await api.post(HOLDS + "/seat:1/capture", json={"reference": "c"}, headers=as_("ingest"))
    assert problem(late, 422) == "hold_ended"


@pytest.mark.parametrize("reference", ["a/b", "100%", "ålesund ☕", "x" * 200, "?a#b", ".."])
async def test_a_hold_may_have_any_reference(
    api: httpx.AsyncClient, as_: As, give, reference: str
) -> None:
    await give("maria", 500)
    body = {"amount": 5, "reference": reference}
    said(await api.post(HOLDS, json=body, headers=as_("ingest")), 201)
    hold = f"{HOLDS}/{quote(reference, safe='').replace('.', '%2E')}"
    assert said(await api.get(hold, headers=as_("viewer")))["reference"] == reference
    said(await api.post(hold + "/release", json={"reference": "r"}, headers=as_("ingest")), 201)
    assert await figures(api, as_) == (500, 0, 500)


async def test_a_frozen_wallet_takes_no_new_hold_and_ends_those_it_has(
    api: httpx.AsyncClient, as_: As, hold: str
) -> None:
    body = {"state": "frozen", "reason": "a dispute", "reference": "f:1"}
    said(await api.put(WALLET + "/state", json=body, headers=as_("operator")), 201)
    answer = await api.post(HOLDS, json=SEAT | {"reference": "seat:2"}, headers=as_("ingest"))
    assert problem(answer, 422) == "wallet_frozen"
    said(await api.post(hold + "/capture", json={"reference": "c"}, headers=as_("ingest")), 201)

"""Movements over HTTP: once, however often they are sent; refused ones say why (L2, L3, I1)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bursar.api.app import application
from bursar.api.gate import Gate
from bursar.api.services import Services
from bursar.api.telemetry import Telemetry
from bursar.platform.settings import load_settings
from tests.api.conftest import As, Headers, problem

CREDIT: dict[str, Any] = {
    "op": "credit", "holder": "maria", "asset": "coins", "amount": 500, "reference": "welcome",
}  # fmt: skip
DEBIT: dict[str, Any] = {
    "op": "debit", "holder": "maria", "asset": "coins", "amount": 120, "reference": "order:1",
}  # fmt: skip
URL = "/v1/postings"


def raw(**fields: Any) -> bytes:
    """Spell a credit with other fields."""
    return json.dumps(CREDIT | fields).encode()


async def balance(services: Services, holder: str = "maria") -> int:
    return (await services.ledger.wallet(holder, "coins")).balance


async def test_a_command_is_answered_with_its_entry(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.post(URL, json=CREDIT, headers=as_("ingest"))
    assert answer.status_code == 201
    said = answer.json()
    assert said["status"] == "applied"
    entry = said["entry"]
    assert (entry["holder"], entry["asset"], entry["amount"], entry["balance"], entry["seq"]) == (
        "maria", "coins", 500, 500, 1,
    )  # fmt: skip
    assert (entry["kind"], entry["reference"], entry["house_account"]) == (
        "grant", "welcome", "issuance",
    )  # fmt: skip


async def test_the_same_again_is_answered_as_the_first_time(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    first = await api.post(URL, json=CREDIT, headers=as_("ingest"))
    again = await api.post(URL, json=CREDIT, headers=as_("ingest"))
    assert (again.status_code, again.json()["status"]) == (200, "replayed")
    assert again.json()["entry"] == first.json()["entry"]
    assert await balance(services) == 500


async def test_one_reference_for_two_contents_is_a_conflict_that_names_the_fields(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await api.post(URL, json=CREDIT, headers=as_("ingest"))
    answer = await api.post(URL, json=CREDIT | {"amount": 501}, headers=as_("ingest"))
    assert problem(answer, 409) == "reference_conflict"
    assert "amount" in str(answer.json()["fields"])
    assert await balance(services) == 500


async def test_the_idempotency_key_is_the_reference_of_a_command_without_one(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    bare = {name: value for name, value in CREDIT.items() if name != "reference"}
    headers = as_("ingest", idempotency_key='"5e1f"')
    first = await api.post(URL, json=bare, headers=headers)
    again = await api.post(URL, json=bare, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["entry"]["reference"] == "5e1f"
    assert await balance(services) == 500


async def test_a_reference_of_its_own_wins_over_the_idempotency_key(
    api: httpx.AsyncClient, as_: As
) -> None:
    answer = await api.post(URL, json=CREDIT, headers=as_("ingest", idempotency_key="other"))
    assert answer.json()["entry"]["reference"] == "welcome"


async def test_a_refusal_says_what_there_is(api: httpx.AsyncClient, as_: As) -> None:
    await api.post(URL, json=CREDIT, headers=as_("ingest"))
    answer = await api.post(URL, json=DEBIT | {"amount": 501}, headers=as_("ingest"))
    assert problem(answer, 422) == "insufficient_funds"
    assert answer.json()["fields"]["available"] == 500


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "request_invalid"),
        (b"{", "request_invalid"),
        (b"[]", "request_invalid"),
        (b"null", "request_invalid"),
        (b'"credit"', "request_invalid"),
        (b'{"op":"credit"}', "request_invalid"),
        (raw(op="steal"), "request_invalid"),
        (raw(amount=1.5), "request_invalid"),
        (raw(amount="1"), "request_invalid"),
        (raw(gift=1), "request_invalid"),
        (raw(holder="X").replace(b"X", b"\xff"), "request_invalid"),
        (raw(amount=0), "invalid"),
        (raw(amount=2**63), "invalid"),
        (raw(reference=""), "invalid"),
        (raw(reference="bursar:x"), "invalid"),
        (raw(holder="m\x00"), "invalid"),
        (b'{"metadata":' + b"[" * 100_000, "body_too_deep"),
        (b'{"op":"credit","metadata":{"a":' + b"[" * 100_000, "body_too_deep"),
    ],
)  # fmt: skip
async def test_what_is_no_command_is_refused_and_nothing_moves(
    api: httpx.AsyncClient, as_: As, services: Services, body: bytes, code: str
) -> None:
    headers = as_("ingest", content_type="application/json", idempotency_key="k")
    answer = await api.post(URL, content=body, headers=headers)
    assert problem(answer, 400) == code
    assert (await services.ledger.journal()).items == ()


async def test_an_unknown_asset_is_missing(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.post(URL, json=CREDIT | {"asset": "pearls"}, headers=as_("ingest"))
    assert problem(answer, 404) == "asset_unknown"


@pytest.fixture
async def framework(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same application without its express lane."""
    settings = load_settings({})
    app = application(lambda: services, settings)  # type: ignore[arg-type, return-value]
    app.state.services = services
    gate = Gate(app, Telemetry(), {}, max_body=settings.max_body, access_log=False)
    transport = httpx.ASGITransport(gate)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://b") as client:
        yield client


async def test_what_both_ways_of_an_answer_say_is_the_same(
    api: httpx.AsyncClient, framework: httpx.AsyncClient, as_: As
) -> None:
    lane = await api.post(URL, json=CREDIT, headers=as_("ingest"))
    again = await framework.post(URL, json=CREDIT, headers=as_("ingest"))
    assert (again.status_code, again.json()["entry"]) == (200, lane.json()["entry"])
    wrong: list[tuple[Any, Headers]] = [
        (DEBIT | {"amount": 10_000}, as_("ingest")),
        ({"op": "steal"}, as_("ingest")),
        (DEBIT | {"asset": "pearls"}, as_("ingest")),
        (DEBIT, as_("viewer")),
        (DEBIT, {}),
        (DEBIT, as_("ingest", idempotency_key="k" * 201)),
    ]
    for body, headers in wrong:
        answers = [await way.post(URL, json=body, headers=headers) for way in (api, framework)]
        first, second = ({**a.json(), "request_id": ""} for a in answers)
        assert first == second
        assert answers[0].status_code == answers[1].status_code >= 400
        one, other = (set(a.headers) for a in answers)
        assert one == other


async def test_a_batch_answers_each_command_and_counts(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    batch = {
        "reason": "first day",
        "commands": [CREDIT, CREDIT, DEBIT, DEBIT | {"amount": 9_000, "reference": "x"}],
    }
    answer = await api.post(URL + "/bulk", json=batch, headers=as_("ingest"))
    assert answer.status_code == 200
    said = answer.json()
    assert [r["status"] for r in said["results"]] == [
        "applied", "replayed", "applied", "insufficient_funds",
    ]  # fmt: skip
    assert (said["applied"], said["replayed"], said["refused"]) == (2, 1, 1)
    assert await balance(services) == 380
    posting = said["results"][0]["entry"]["posting_id"]
    told = await api.get(f"{URL}/{posting}", headers=as_("viewer"))
    assert (told.json()["actor"], told.json()["reason"]) == ("api:ingest", "first day")


async def test_a_group_of_a_batch_is_applied_together_or_not_at_all(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    group = {"group": "g"}
    batch = {"commands": [CREDIT | group, DEBIT | group | {"amount": 501}]}
    said = (await api.post(URL + "/bulk", json=batch, headers=as_("ingest"))).json()
    assert said["refused"] == 2
    assert (await services.ledger.journal()).items == ()


@pytest.mark.parametrize("commands", [[], [CREDIT] * 10_001], ids=["none", "too many"])
async def test_a_batch_has_one_to_ten_thousand_commands(
    api: httpx.AsyncClient, as_: As, commands: list[dict[str, Any]]
) -> None:
    answer = await api.post(URL + "/bulk", json={"commands": commands}, headers=as_("ingest"))
    assert problem(answer, 400) == "request_invalid"


async def test_a_crowd_with_one_reference_moves_credit_once(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    answers = await asyncio.gather(
        *(api.post(URL, json=CREDIT, headers=as_("ingest")) for _ in range(50))
    )
    assert sorted(a.status_code for a in answers) == [200] * 49 + [201]
    assert await balance(services) == 500


async def test_the_journal_names_holders_and_goes_on_where_a_page_ended(
    api: httpx.AsyncClient, as_: As
) -> None:
    for n in range(5):
        await api.post(URL, json=CREDIT | {"reference": f"r{n}"}, headers=as_("ingest"))
    seen, cursor = [], None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/v1/journal", params=params, headers=as_("viewer"))).json()
        seen += [(e["holder"], e["reference"]) for e in page["items"]]
        if (cursor := page["cursor"]) is None:
            break
    assert seen == [("maria", f"r{n}") for n in (4, 3, 2, 1, 0)]


async def test_a_posting_that_is_none_is_missing(api: httpx.AsyncClient, as_: As) -> None:
    for number in ("7", "0", "99999999999999999999"):
        answer = await api.get(f"{URL}/{number}", headers=as_("viewer"))
        assert problem(answer, 404) == "posting_unknown"


async def test_every_answer_has_the_id_of_its_request_and_what_is_left_of_the_rate(
    api: httpx.AsyncClient, as_: As
) -> None:
    named = await api.post(URL, json=CREDIT, headers=as_("ingest", x_request_id="abc-1"))
    assert named.headers["x-request-id"] == "abc-1"
    assert named.headers["ratelimit-policy"].startswith('"default";q=')
    other = await api.get("/v1/nowhere", headers=as_("ingest", x_request_id="two\twords"))
    assert problem(other, 404) == "path_unknown"
    assert other.headers["x-request-id"] == other.json()["request_id"] != "two\twords"

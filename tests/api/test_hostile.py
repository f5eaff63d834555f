"""What somebody with good credentials and bad intentions tries (I2, P10)."""

import httpx
import psycopg
import pytest
import structlog

from bursar.api.services import Services
from bursar.platform.errors import Unavailable
from tests.api.conftest import As, problem

LIMIT = {"op": "set_limit", "holder": "maria", "asset": "coins", "limit": 500, "reference": "l"}
STATE = {"op": "set_state", "holder": "maria", "asset": "coins", "state": "frozen"}
STATE |= {"reference": "s"}


@pytest.mark.parametrize("command", [LIMIT, STATE], ids=["limit", "state"])
async def test_an_app_sets_no_limit_and_no_state_by_posting_a_command(
    api: httpx.AsyncClient, as_: As, give, command
) -> None:
    await give("maria", 100)
    alone = await api.post("/v1/postings", json=command, headers=as_("ingest"))
    assert problem(alone, 403) == "scope_missing"
    assert alone.json()["fields"]["scopes"] == ["admin", "operator"]
    unnamed = {name: value for name, value in command.items() if name != "reference"}
    keyed = as_("ingest", idempotency_key="k")
    assert problem(await api.post("/v1/postings", json=unnamed, headers=keyed), 403)
    credit = {"op": "credit", "holder": "maria", "asset": "coins", "amount": 1, "reference": "c"}
    batch = {"commands": [credit, command]}
    many = await api.post("/v1/postings/bulk", json=batch, headers=as_("ingest"))
    assert problem(many, 403) == "scope_missing"
    wallet = await api.get("/v1/holders/maria/wallets/coins", headers=as_("ingest"))
    assert (wallet.json()["balance"], wallet.json()["state"]) == (100, "active")
    entries = await api.get("/v1/holders/maria/wallets/coins/entries", headers=as_("ingest"))
    assert [entry["kind"] for entry in entries.json()["items"]] == ["grant"]


@pytest.mark.parametrize("command", [LIMIT, STATE], ids=["limit", "state"])
async def test_an_operator_sets_limits_and_states_by_posting_a_command(
    api: httpx.AsyncClient, as_: As, give, command
) -> None:
    await give("maria", 100)
    done = await api.post("/v1/postings", json=command, headers=as_("operator"))
    assert done.status_code == 201
    batch = {"commands": [command]}
    again = await api.post("/v1/postings/bulk", json=batch, headers=as_("operator"))
    assert again.json()["replayed"] == 1


async def test_a_key_that_ends_after_all_years_is_refused(api: httpx.AsyncClient, as_: As) -> None:
    wanted = {"name": "n", "owner": "o", "scopes": ["viewer"], "reason": "r"}
    for end in ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"):
        asked = wanted | {"expires_at": end}
        made = await api.post("/v1/keys", json=asked, headers=as_("admin"))
        assert problem(made, 400) == "key_invalid", end
        assert made.json()["fields"] == {"field": "expires_at"}
    assert (await api.get("/v1/keys", headers=as_("admin"))).status_code == 200


async def test_who_tries_what_they_may_not_is_counted_as_well(
    api: httpx.AsyncClient, services: Services
) -> None:
    made = await services.access.add_key(
        "slow", "slow", ["partner"], per_minute=3, actor="cli:ada", reason="a trial"
    )
    headers = {"authorization": f"Bearer {made.secret}"}
    closed = ["/v1/journal", "/v1/keys", "/v1/audit", "/v1/export", "/v1/holders/maria"]
    answers = [await api.get(path, headers=headers) for path in closed]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
    posted = await api.post("/v1/postings", json=LIMIT, headers=headers)
    assert problem(posted, 429) == "rate_limited"


@pytest.mark.parametrize("name", ["bulk", "logins"])
async def test_somebody_named_like_an_endpoint_is_a_holder_as_any_other(
    api: httpx.AsyncClient, as_: As, name: str
) -> None:
    path = f"/v1/holders/{name}"
    made = await api.put(path, json={"tier": "gold"}, headers=as_("ingest"))
    assert (made.status_code, made.json()["external_id"]) == (201, name)
    spelt = f"/v1/holders/%{ord(name[0]):02x}{name[1:]}"
    for one in (path, spelt):
        shown = await api.get(one, headers=as_("viewer"))
        assert (shown.status_code, shown.json()["external_id"]) == (200, name)
    changes = await api.get(path + "/changes", headers=as_("viewer"))
    assert changes.status_code == 200
    assert problem(await api.delete(path, headers=as_("admin")), 405) == "method_not_allowed"
    bulk = await api.post(
        "/v1/holders/bulk", json={"changes": [{"external_id": "%.bulk"}]}, headers=as_("ingest")
    )
    assert bulk.json()["results"][0]["outcome"] == "created"
    odd = await api.get("/v1/holders/%25.bulk", headers=as_("viewer"))
    assert odd.json()["external_id"] == "%.bulk"


@pytest.mark.parametrize(
    "raised",
    [
        Unavailable("database_unavailable", "cannot connect to db.internal as bursar_app"),
        psycopg.OperationalError("connection to db.internal failed for user bursar_app"),
    ],
    ids=["ours", "the library's"],
)
async def test_where_the_database_is_is_told_to_the_log_and_not_to_strangers(
    api: httpx.AsyncClient,
    services: Services,
    as_: As,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
) -> None:
    async def away() -> None:
        raise raised

    monkeypatch.setattr(services, "check", away)
    monkeypatch.setattr(services.ledger, "submit", lambda *_, **__: away())
    with structlog.testing.capture_logs() as logs:
        asked = await api.get("/health/ready")
        posted = await api.post("/v1/postings", json=LIMIT, headers=as_("operator"))
    for answer in (asked, posted):
        assert problem(answer, 503) == "database_unavailable"
        assert "internal" not in answer.text
        assert "bursar_app" not in answer.text
        [line] = [
            log
            for log in logs
            if log["event"] == "unavailable" and log["request_id"] == answer.json()["request_id"]
        ]
        assert "db.internal" in line["message"]


async def test_two_idempotency_keys_that_differ_move_nothing(
    api: httpx.AsyncClient, as_: As, give
) -> None:
    """Which of them counts would be for each proxy on the way to say."""
    await give("maria", 100)
    credit = {"op": "credit", "holder": "maria", "asset": "coins", "amount": 1}
    hold = {"amount": 1}
    paths = {"/v1/postings": credit, "/v1/holders/maria/wallets/coins/holds": hold}
    for path, body in paths.items():
        two = [*as_("ingest").items(), ("idempotency-key", "a"), ("idempotency-key", "b")]
        answer = await api.post(path, json=body, headers=two)
        assert problem(answer, 400) == "idempotency_key"
    same = [*as_("ingest").items(), ("idempotency-key", "a"), ("idempotency-key", "a")]
    assert (await api.post("/v1/postings", json=credit, headers=same)).status_code == 201
    wallet = await api.get("/v1/holders/maria/wallets/coins", headers=as_("ingest"))
    assert (wallet.json()["balance"], wallet.json()["held"]) == (101, 0)

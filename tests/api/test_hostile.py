"""What somebody with good credentials and bad intentions tries (I2, P10)."""

import httpx
import pytest

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

"""Keys and tokens over HTTP: made, told once, given another secret, ended (I2)."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from tests.api.conftest import As, problem

KEYS = "/v1/keys"
WANTED: dict[str, Any] = {
    "name": "shop", "owner": "the-shop", "scopes": ["viewer", "ingest"], "reason": "a new shop",
}  # fmt: skip


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


async def made(api: httpx.AsyncClient, as_: As, **said: Any) -> dict[str, Any]:
    answer = await api.post(KEYS, json=WANTED | said, headers=as_("admin"))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_key_works_as_it_was_made_and_its_secret_is_told_once(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    told = await made(api, as_, per_minute=77)
    me = (await api.get("/v1/key", headers=bearer(told["secret"]))).json()
    assert (me["actor"], me["scopes"]) == ("api:the-shop", ["ingest", "viewer"])
    assert (me["key_id"], me["per_minute"]) == (told["key"]["key_id"], 77)
    listed = await api.get(KEYS, headers=as_("admin"))
    assert told["key"]["key_id"] in [key["key_id"] for key in listed.json()["items"]]
    assert told["secret"] not in listed.text
    acts = (await services.trail.acts()).items
    assert (acts[0].actor, acts[0].reason) == ("api:admin", "a new shop")
    assert told["secret"] not in str(acts)


@pytest.mark.parametrize(
    "said",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": ["holder"]},
        {"name": ""},
        {"owner": "a\x00"},
        {"reason": ""},
        {"per_minute": 0},
        {"per_minute": 2**40},
        {"expires_at": "2000-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"secret": "mine"},
    ],
)
async def test_a_key_that_cannot_be_is_not_made(
    api: httpx.AsyncClient, as_: As, said: dict[str, Any]
) -> None:
    before = (await api.get(KEYS, headers=as_("admin"))).json()
    answer = await api.post(KEYS, json=WANTED | said, headers=as_("admin"))
    assert answer.status_code == 400, answer.text
    after = (await api.get(KEYS, headers=as_("admin"))).json()
    assert [k["key_id"] for k in after["items"]] == [k["key_id"] for k in before["items"]]


async def test_after_a_rotation_without_overlap_only_the_new_secret_works(
    api: httpx.AsyncClient, as_: As
) -> None:
    old = await made(api, as_)
    path = f"{KEYS}/{old['key']['key_id']}/rotate"
    said = {"overlap_s": 0, "reason": "it leaked"}
    new = (await api.post(path, json=said, headers=as_("admin"))).json()
    refused = await api.get("/v1/key", headers=bearer(old["secret"]))
    assert problem(refused, 401) == "credential_invalid"
    assert (await api.get("/v1/key", headers=bearer(new["secret"]))).status_code == 200


async def test_during_the_overlap_both_secrets_work(api: httpx.AsyncClient, as_: As) -> None:
    old = await made(api, as_)
    path = f"{KEYS}/{old['key']['key_id']}/rotate"
    said = {"overlap_s": 3600, "reason": "once a year"}
    new = (await api.post(path, json=said, headers=as_("admin"))).json()
    for secret in (old["secret"], new["secret"]):
        assert (await api.get("/v1/key", headers=bearer(secret))).status_code == 200
    assert new["key"]["rotates_until"] is not None


async def test_a_revoked_key_is_refused_from_the_answer_on(api: httpx.AsyncClient, as_: As) -> None:
    told = await made(api, as_)
    number = told["key"]["key_id"]
    path = f"{KEYS}/{number}/revoke"
    revoked = await api.post(path, json={"reason": "gone"}, headers=as_("admin"))
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"] is not None
    refused = await api.get("/v1/key", headers=bearer(told["secret"]))
    assert problem(refused, 401) == "credential_invalid"
    working = (await api.get(KEYS, headers=as_("admin"))).json()["items"]
    assert number not in [key["key_id"] for key in working]
    ever = (await api.get(f"{KEYS}?everything=true", headers=as_("admin"))).json()["items"]
    assert number in [key["key_id"] for key in ever]


@pytest.mark.parametrize("number", ["999999", "0", "-1", "9" * 30, "x"])
@pytest.mark.parametrize("act", ["rotate", "revoke"])
async def test_a_key_that_is_none_is_missing(
    api: httpx.AsyncClient, as_: As, number: str, act: str
) -> None:
    said = {"reason": "gone"} | ({"overlap_s": 0} if act == "rotate" else {})
    answer = await api.post(f"{KEYS}/{number}/{act}", json=said, headers=as_("admin"))
    assert problem(answer, 404) in ("key_unknown", "path_unknown")


async def test_a_rotation_or_an_end_without_a_reason_does_nothing(
    api: httpx.AsyncClient, as_: As
) -> None:
    told = await made(api, as_)
    path = f"{KEYS}/{told['key']['key_id']}"
    for act, said in (("rotate", {"overlap_s": 0}), ("rotate", {"reason": "so"}), ("revoke", {})):
        answer = await api.post(f"{path}/{act}", json=said, headers=as_("admin"))
        assert problem(answer, 400) == "request_invalid"
    too_long = {"overlap_s": 10**12, "reason": "for ever"}
    answer = await api.post(f"{path}/rotate", json=too_long, headers=as_("admin"))
    assert answer.status_code == 400, answer.text
    assert (await api.get("/v1/key", headers=bearer(told["secret"]))).status_code == 200


@pytest.mark.parametrize("scope", ["operator", "viewer", "ingest", "partner"])
async def test_nobody_but_an_admin_has_to_do_with_keys(
    api: httpx.AsyncClient, as_: As, scope: str
) -> None:
    for method, path in (("GET", KEYS), ("POST", KEYS), ("POST", f"{KEYS}/1/revoke")):
        answer = await api.request(method, path, json=WANTED, headers=as_(scope))
        assert problem(answer, 403) == "scope_missing"
    own = (await api.get("/v1/key", headers=as_(scope))).json()
    assert (own["actor"], own["scopes"]) == (f"api:{scope}", [scope])


async def test_a_token_is_its_holders_and_says_until_when(
    api: httpx.AsyncClient, as_: As, give: Any
) -> None:
    await give("a/b ☕", 5)
    said = {"holder": "a/b ☕", "ttl_s": 60}
    answer = await api.post("/v1/holder-tokens", json=said, headers=as_("ingest"))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert datetime.fromisoformat(told["expires_at"]).utcoffset() is not None
    mine = (await api.get("/v1/me/wallets/coins", headers=bearer(told["text"]))).json()
    assert (mine["holder"], mine["balance"]) == ("a/b ☕", 5)
    me = (await api.get("/v1/key", headers=bearer(told["text"]))).json()
    assert (me["key_id"], me["holder"], me["scopes"]) == (None, "a/b ☕", ["holder"])


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"holder": ""},
        {"holder": "x" * 201},
        {"holder": "a\x00"},
        {"holder": "maria", "ttl_s": 0},
        {"holder": "maria", "ttl_s": 86_401},
    ],
)
async def test_a_token_for_nobody_or_for_ever_is_not_made(
    api: httpx.AsyncClient, as_: As, said: dict[str, Any]
) -> None:
    answer = await api.post("/v1/holder-tokens", json=said, headers=as_("ingest"))
    assert problem(answer, 400) == "request_invalid"

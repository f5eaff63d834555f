"""Keys and holder tokens over HTTP: made, renewed, ended; a secret is told once (I2)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from tests.api.clubs import said
from tests.api.conftest import As, problem

WANTED = {"name": "the shop", "owner": "shop", "scopes": ["ingest"], "reason": "it opens"}


@pytest.fixture
async def made(api: httpx.AsyncClient, as_: As) -> dict[str, Any]:
    """Make the shop's key."""
    answer: dict[str, Any] = said(
        await api.post("/v1/keys", json=WANTED, headers=as_("admin")), 201
    )
    return answer


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def later(services: Services) -> Callable[[int], None]:
    """Let time pass for who looks at credentials."""
    then = services.access._clock

    def later(seconds: int) -> None:
        services.access._clock = lambda: then() + seconds

    return later


async def test_a_key_works_as_soon_as_it_is_told_and_only_for_its_scopes(
    api: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    told = said(await api.get("/v1/key", headers=bearer(made["secret"])))
    assert (told["actor"], told["scopes"], told["key_id"], told["holder"]) == (
        "api:shop", ["ingest"], made["key"]["key_id"], None,
    )  # fmt: skip
    answer = await api.get("/v1/keys", headers=bearer(made["secret"]))
    assert problem(answer, 403) == "scope_missing"


async def test_a_secret_is_never_shown_again(
    api: httpx.AsyncClient, as_: As, made: dict[str, Any]
) -> None:
    url = f"/v1/keys/{made['key']['key_id']}"
    because = {"reason": "to see", "overlap_s": 60}
    rotated = said(await api.post(url + "/rotate", json=because, headers=as_("admin")))
    secrets = {made["secret"], rotated["secret"]}
    assert len(secrets) == 2
    answers = [
        await api.get("/v1/keys", headers=as_("admin")),
        await api.get("/v1/keys?everything=true", headers=as_("admin")),
        await api.get("/v1/key", headers=bearer(rotated["secret"])),
        await api.get("/v1/audit", headers=as_("admin")),
        await api.post(url + "/revoke", json={"reason": "over"}, headers=as_("admin")),
    ]
    for answer in answers:
        said(answer)
        assert not any(secret in answer.text or secret[4:] in answer.text for secret in secrets)


async def test_two_askings_make_two_keys_whatever_idempotency_key_they_have(
    api: httpx.AsyncClient, as_: As
) -> None:
    headers = as_("admin", idempotency_key="k")
    first = said(await api.post("/v1/keys", json=WANTED, headers=headers), 201)
    second = said(await api.post("/v1/keys", json=WANTED, headers=headers), 201)
    assert first["key"]["key_id"] != second["key"]["key_id"]
    assert first["secret"] != second["secret"]


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": []},
        {"scopes": ["holder"]},
        {"scopes": ["root"]},
        {"scopes": "admin"},
        {"scopes": None},
        {"name": ""},
        {"name": " a "},
        {"name": "x" * 101},
        {"owner": "cli:ada"},
        {"owner": "holder"},
        {"owner": "a\nb"},
        {"reason": ""},
        {"reason": None},
        {"per_minute": 0},
        {"per_minute": 1.5},
        {"per_minute": 10**12},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"expires_at": 4102444800},
        {"secret": "bsk_mine"},
        {"key_id": 1},
    ],
)
async def test_what_is_no_key_is_not_made(
    api: httpx.AsyncClient, as_: As, fields: dict[str, Any]
) -> None:
    before = said(await api.get("/v1/keys", headers=as_("admin")))["items"]
    problem(await api.post("/v1/keys", json=WANTED | fields, headers=as_("admin")), 400)
    after = said(await api.get("/v1/keys", headers=as_("admin")))["items"]
    assert [key["key_id"] for key in after] == [key["key_id"] for key in before]


async def test_a_secret_that_was_replaced_works_for_the_overlap_and_no_longer(
    api: httpx.AsyncClient, as_: As, made: dict[str, Any], later: Callable[[int], None]
) -> None:
    url = f"/v1/keys/{made['key']['key_id']}/rotate"
    body = {"overlap_s": 600, "reason": "each quarter"}
    new = said(await api.post(url, json=body, headers=as_("admin")))
    assert new["key"]["rotates_until"] is not None
    for secret in (made["secret"], new["secret"]):
        assert said(await api.get("/v1/key", headers=bearer(secret)))["actor"] == "api:shop"
    later(601)
    answer = await api.get("/v1/key", headers=bearer(made["secret"]))
    assert problem(answer, 401) == "credential_invalid"
    said(await api.get("/v1/key", headers=bearer(new["secret"])))


async def test_without_an_overlap_the_old_secret_is_over_at_once(
    api: httpx.AsyncClient, as_: As, made: dict[str, Any]
) -> None:
    url = f"/v1/keys/{made['key']['key_id']}/rotate"
    body = {"overlap_s": 0, "reason": "it leaked"}
    new = said(await api.post(url, json=body, headers=as_("admin")))
    answer = await api.get("/v1/key", headers=bearer(made["secret"]))
    assert problem(answer, 401) == "credential_invalid"
    said(await api.get("/v1/key", headers=bearer(new["secret"])))


@pytest.mark.parametrize(
    "body",
    [{"reason": "x"}, {"overlap_s": 5}, {"overlap_s": -1, "reason": "x"},
     {"overlap_s": 31 * 86_400, "reason": "x"}, {"overlap_s": "5", "reason": "x"}],
)  # fmt: skip
async def test_a_rotation_that_is_none_leaves_the_secret(
    api: httpx.AsyncClient, as_: As, made: dict[str, Any], body: dict[str, Any]
) -> None:
    url = f"/v1/keys/{made['key']['key_id']}/rotate"
    problem(await api.post(url, json=body, headers=as_("admin")), 400)
    said(await api.get("/v1/key", headers=bearer(made["secret"])))


async def test_a_key_that_is_revoked_is_over_with_the_answer_and_stays_so(
    api: httpx.AsyncClient, as_: As, made: dict[str, Any]
) -> None:
    url = f"/v1/keys/{made['key']['key_id']}"
    revoked = said(await api.post(url + "/revoke", json={"reason": "lost"}, headers=as_("admin")))
    answer = await api.get("/v1/key", headers=bearer(made["secret"]))
    assert problem(answer, 401) == "credential_invalid"
    again = await api.post(url + "/revoke", json={"reason": "lost"}, headers=as_("admin"))
    assert said(again)["revoked_at"] == revoked["revoked_at"]
    body = {"overlap_s": 5, "reason": "back"}
    answer = await api.post(url + "/rotate", json=body, headers=as_("admin"))
    assert problem(answer, 422) == "key_ended"
    working = said(await api.get("/v1/keys", headers=as_("admin")))["items"]
    assert revoked["key_id"] not in [key["key_id"] for key in working]
    all_ = said(await api.get("/v1/keys?everything=true", headers=as_("admin")))["items"]
    assert revoked["key_id"] in [key["key_id"] for key in all_]


@pytest.mark.parametrize("scope", ["operator", "viewer", "ingest", "partner"])
async def test_nobody_but_an_admin_has_to_do_with_keys(
    api: httpx.AsyncClient, as_: As, scope: str
) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/1/revoke"), ("POST", "/1/rotate")):
        answer = await api.request(method, "/v1/keys" + path, json=WANTED, headers=as_(scope))
        assert problem(answer, 403) == "scope_missing"
    own = said(await api.get("/v1/key", headers=as_(scope)))
    assert (own["actor"], own["scopes"]) == (f"api:{scope}", [scope])


async def test_a_key_tells_its_scopes_and_its_rate(api: httpx.AsyncClient, as_: As) -> None:
    wanted = WANTED | {"scopes": ["viewer", "ingest"], "per_minute": 77}
    made = said(await api.post("/v1/keys", json=wanted, headers=as_("admin")), 201)
    own = said(await api.get("/v1/key", headers=bearer(made["secret"])))
    assert own["scopes"] == made["key"]["scopes"] == ["ingest", "viewer"]
    assert own["per_minute"] == made["key"]["per_minute"] == 77


@pytest.mark.parametrize("key", ["0", "-1", "999", str(2**63), str(2**100)])
async def test_a_key_that_is_not_there_is_missing(
    api: httpx.AsyncClient, as_: As, key: str
) -> None:
    body = {"reason": "x"}
    answer = await api.post(f"/v1/keys/{key}/revoke", json=body, headers=as_("admin"))
    assert problem(answer, 404) == "key_unknown"
    answer = await api.post(
        f"/v1/keys/{key}/rotate", json=body | {"overlap_s": 0}, headers=as_("admin")
    )
    assert problem(answer, 404) == "key_unknown"


async def test_what_is_done_with_keys_is_in_the_trail(
    api: httpx.AsyncClient, as_: As, made: dict[str, Any]
) -> None:
    key = f"key_{made['key']['key_id']}"
    acts = said(await api.get(f"/v1/audit?subject={key}", headers=as_("viewer")))["items"]
    assert [(one["act"], one["actor"], one["reason"]) for one in acts] == [
        ("key.add", "api:admin", "it opens")
    ]


@pytest.mark.parametrize("ttl_s", [1, 900, 86_400])
async def test_a_token_opens_what_is_its_holders_until_it_expires(
    api: httpx.AsyncClient, as_: As, later: Callable[[int], None], ttl_s: int
) -> None:
    body = {"holder": "maria", "ttl_s": ttl_s}
    token = said(await api.post("/v1/holder-tokens", json=body, headers=as_("ingest")), 201)
    assert said(await api.get("/v1/me", headers=bearer(token["text"]))) == {"holder": "maria"}
    later(ttl_s + 60)
    answer = await api.get("/v1/me", headers=bearer(token["text"]))
    assert problem(answer, 401) == "token_expired"


@pytest.mark.parametrize("holder", ["a/b", "ålesund ☕", "x" * 200, "%2F"])
async def test_a_token_may_be_of_any_name(api: httpx.AsyncClient, as_: As, holder: str) -> None:
    body = {"holder": holder}
    token = said(await api.post("/v1/holder-tokens", json=body, headers=as_("ingest")), 201)
    assert said(await api.get("/v1/me", headers=bearer(token["text"]))) == {"holder": holder}


@pytest.mark.parametrize(
    "body",
    [{}, {"holder": ""}, {"holder": "x" * 201}, {"holder": "a\x00"}, {"holder": None},
     {"holder": "maria", "ttl_s": 0}, {"holder": "maria", "ttl_s": 86_401},
     {"holder": "maria", "ttl_s": 1.5}, {"holder": "maria", "scopes": ["admin"]},
     {"holder": "a\u202eb"}],
)  # fmt: skip
async def test_what_is_no_token_is_not_made(
    api: httpx.AsyncClient, as_: As, body: dict[str, Any]
) -> None:
    problem(await api.post("/v1/holder-tokens", json=body, headers=as_("ingest")), 400)


async def test_a_token_that_was_altered_is_no_token(api: httpx.AsyncClient, as_: As) -> None:
    body = {"holder": "maria"}
    token = said(await api.post("/v1/holder-tokens", json=body, headers=as_("ingest")), 201)
    head, claims, seal = token["text"].split(".")
    for text in (f"{head}.{claims}.", f"{head}.{claims[:-2]}.{seal}", f"{head}.{claims}.{seal}x"):
        answer = await api.get("/v1/me", headers=bearer(text))
        assert problem(answer, 401) == "credential_invalid"

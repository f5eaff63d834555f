"""Who may do what: one table of every endpoint and every kind of credential (I2).

A new endpoint needs a row; who may is written here a second time, on purpose.
"""

import asyncio
import re

import pytest
from litestar.handlers import HTTPRouteHandler

from bursar.api.routes import ROUTES

# a admin, o operator, v viewer, i ingest, p partner, h holder token; * whoever, without any
TABLE = """
GET  /health/live                                      *
GET  /health/ready                                     *
GET  /openapi.json                                     *
GET  /reference                                        *
GET  /v1/assets                                        aoviph
POST /v1/assets                                        a
POST /v1/postings                                      aoi
POST /v1/postings/bulk                                 aoi
GET  /v1/postings/{posting_id}                         aov
GET  /v1/journal                                       aov
GET  /v1/holders/{holder}/wallets/{asset}              aovi
GET  /v1/holders/{holder}/wallets/{asset}/entries      aovi
GET  /v1/programs                                      aov
GET  /v1/programs/{program}                            aov
GET  /v1/programs/{program}/versions                   aov
POST /v1/programs/{program}/switch                     ao
POST /v1/programs/{program}/preview                    aov
GET  /v1/programs/{program}/overrides/{holder}         aov
PUT  /v1/programs/{program}/overrides/{holder}         ao
POST /v1/programs/{program}/claims                     aoi
POST /v1/programs/{program}/runs                       ao
GET  /v1/runs                                          aov
GET  /v1/runs/{run}                                    aov
GET  /v1/runs/{run}/failures                           aov
GET  /v1/runs/{run}/exclusions                         aov
POST /v1/runs/{run}/approve                            ao
POST /v1/runs/{run}/pause                              ao
POST /v1/runs/{run}/resume                             ao
POST /v1/runs/{run}/cancel                             ao
POST /v1/runs/{run}/revert                             ao
POST /v1/runs/{run}/retry                              ao
POST /v1/grants                                        ao
GET  /v1/economy                                       aov
GET  /v1/economy/versions                              aov
GET  /v1/economy/versions/{version}                    aov
POST /v1/economy/plan                                  aov
POST /v1/economy/apply                                 a
POST /v1/economy/versions/{version}/approve            a
POST /v1/economy/versions/{version}/refuse             a
GET  /v1/clock                                         aov
POST /v1/clock/move                                    a
GET  /v1/alerts                                        aov
POST /v1/alerts/{alert}/resolve                        ao
GET  /v1/outages                                       aov
POST /v1/outages                                       a
GET  /v1/audit                                         aov
GET  /v1/verification                                  aov
POST /v1/verification                                  ao
GET  /v1/export                                        aov
POST /v1/tick                                          ao
GET  /metrics                                          aov
GET  /v1/holders                                       aov
POST /v1/holders/bulk                                  aoi
POST /v1/holders/logins                                aoi
GET  /v1/holders/{holder}                              aovi
PUT  /v1/holders/{holder}                              aoi
GET  /v1/holders/{holder}/changes                      aov
POST /v1/holders/{holder}/erase                        a
GET  /v1/holders/{holder}/next-grants                  aovi
GET  /v1/holders/{holder}/grants                       aovi
GET  /v1/directory/unique                              aov
PUT  /v1/directory/unique                              a
GET  /v1/holders/{holder}/wallets                      aovi
GET  /v1/holders/{holder}/wallets/{asset}/balance      aovi
GET  /v1/holders/{holder}/wallets/{asset}/totals       aovi
GET  /v1/holders/{holder}/wallets/{asset}/explain      aovi
PUT  /v1/holders/{holder}/wallets/{asset}/limit        ao
PUT  /v1/holders/{holder}/wallets/{asset}/state        ao
GET  /v1/holders/{holder}/wallets/{asset}/holds        aovi
POST /v1/holders/{holder}/wallets/{asset}/holds        aoi
GET  /v1/holders/{holder}/wallets/{asset}/holds/{hold} aovi
POST /v1/holders/{holder}/wallets/{asset}/holds/{hold}/capture aoi
POST /v1/holders/{holder}/wallets/{asset}/holds/{hold}/release aoi
GET  /v1/me                                            h
GET  /v1/me/wallets                                    h
GET  /v1/me/wallets/{asset}                            h
GET  /v1/me/wallets/{asset}/entries                    h
GET  /v1/me/next-grants                                h
GET  /v1/me/grants                                     h
POST /v1/me/claims/{program}                           h
GET  /v1/me/inbox                                      h
GET  /v1/me/inbox/unread                               h
GET  /v1/me/inbox/events                               h
POST /v1/me/inbox/{notice}/read                        h
POST /v1/me/inbox/read                                 h
DELETE /v1/me/inbox/{notice}                           h
GET  /v1/me/notice-preferences                         h
PATCH /v1/me/notice-preferences                        h
GET  /v1/holders/{holder}/inbox                        aov
GET  /v1/holders/{holder}/notice-preferences           aov
PATCH /v1/holders/{holder}/notice-preferences          ao
DELETE /v1/holders/{holder}/bounces                    ao
GET  /v1/notices/kinds                                 aov
GET  /v1/notices/settings                              aov
GET  /v1/notices/preview                               aov
GET  /v1/notices/templates                             aov
GET  /v1/unsubscribe/{token}                           *
POST /v1/unsubscribe/{token}                           *
GET  /v1/webhooks                                      aov
POST /v1/webhooks                                      a
GET  /v1/webhooks/{webhook}                            aov
PATCH /v1/webhooks/{webhook}                           a
DELETE /v1/webhooks/{webhook}                          a
POST /v1/webhooks/{webhook}/rotate                     a
POST /v1/webhooks/reseal                               a
POST /v1/webhooks/{webhook}/ping                       ao
POST /v1/webhooks/{webhook}/replay                     ao
GET  /v1/deliveries                                    aov
GET  /v1/deliveries/{delivery}                         aov
POST /v1/deliveries/{delivery}/replay                  ao
POST /v1/deliveries/replay                             ao
POST /v1/deliveries/release                            ao
GET  /v1/dispatches                                    aov
GET  /v1/dispatches/{dispatch}                         aov
POST /v1/dispatches/{dispatch}/pause                   ao
POST /v1/dispatches/{dispatch}/resume                  ao
POST /v1/dispatches/{dispatch}/cancel                  ao
GET  /v1/bounces                                       aov
GET  /v1/keys                                          a
POST /v1/keys                                          a
POST /v1/keys/{key}/rotate                             a
POST /v1/keys/{key}/revoke                             a
GET  /v1/key                                           aoviph
POST /v1/holder-tokens                                 aoi
"""

ROWS = {(method, path): who for method, path, who in map(str.split, TABLE.strip().splitlines())}
LETTERS = {
    "admin": "a", "operator": "o", "viewer": "v", "ingest": "i", "partner": "p", "holder": "h",
}  # fmt: skip
NUMBERS = {"key": "999", "posting_id": "1", "version": "1", "alert": "1", "run": "run_1",
           "webhook": "1", "delivery": "1", "dispatch": "1"}  # fmt: skip


def filled(path: str) -> str:
    """Put something in the place of each name."""
    return re.sub(r"\{(\w+)\}", lambda found: NUMBERS.get(found[1], "coins"), path)


def test_every_endpoint_has_a_row_and_every_row_an_endpoint():
    found = {
        (method, re.sub(r":\w+\}", "}", path))
        for handler in ROUTES
        if isinstance(handler, HTTPRouteHandler)
        for path in handler.paths
        for method in handler.http_methods - {"HEAD", "OPTIONS"}
    }
    assert found == set(ROWS)


def test_nothing_but_reading_is_open_to_a_viewer_and_nothing_of_keys_to_any_but_admins():
    for (method, path), who in ROWS.items():
        if "v" in who and method != "GET":
            assert path.endswith(("/plan", "/preview")), path
        if path.startswith("/v1/keys"):
            assert who == "a"


@pytest.mark.parametrize("scope", [*LETTERS, "nobody", "stranger"])
async def test_each_credential_opens_what_its_row_says_and_nothing_else(api, as_, as_holder, scope):
    match scope:
        case "nobody":
            headers = {}
        case "stranger":
            headers = {"authorization": "Bearer bsk_" + "A" * 49}
        case "holder":
            headers = as_holder("maria")
        case _:
            headers = as_(scope)
    found = {}
    for (method, path), who in ROWS.items():
        body = {} if method in ("POST", "PUT", "PATCH") else None
        answer = await api.request(method, filled(path), headers=headers, json=body)
        open_to_it = who == "*" or LETTERS.get(scope, "?") in who
        if answer.status_code not in (401, 403):
            told = "open"
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            told = answer.json()["code"]
        refusal = "scope_missing" if scope in LETTERS else "credential_invalid"
        expected = "open" if open_to_it else refusal
        if scope == "nobody" and not open_to_it:
            expected = "credential_missing"
        if told != expected:
            found[method, path] = told
    assert found == {}


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (b"Basic YWRhOmFkYQ==", "credential_missing"),
        (b"Bearer", "credential_missing"),
        (b"Bearer bsk_nobody", "credential_invalid"),
        (b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYXJpYSJ9.", "credential_invalid"),
        (b"Bearer \xff\xfe", "credential_invalid"),
    ],
    ids=["basic", "empty", "unknown", "unsigned", "binary"],
)
async def test_what_is_no_credential_of_ours_gets_nowhere(api, credential, code):
    answer = await api.get("/v1/assets", headers={"authorization": credential})
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_that_was_revoked_gets_nowhere_once_that_is_answered(api, services, as_):
    assert (await api.get("/v1/runs", headers=as_("viewer"))).status_code == 200
    [key] = [k for k in await services.access.keys() if k.owner == "viewer"]
    await services.access.revoke_key(key.key_id, actor="cli:ada", reason="lost")
    assert (await api.get("/v1/runs", headers=as_("viewer"))).status_code == 401


@pytest.fixture
async def limited(services):
    """The headers of a key that may ask three times a minute."""
    made = await services.access.add_key(
        "slow", "slow", ["viewer"], per_minute=3, actor="cli:ada", reason="a trial"
    )
    return {"authorization": f"Bearer {made.secret}"}


async def test_who_asks_too_often_is_told_when_to_come_again(api, limited):
    answers = [await api.get("/v1/assets", headers=limited) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert [a.headers["ratelimit"].split(";")[1] for a in answers[:3]] == ["r=2", "r=1", "r=0"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 62
    assert answers[-1].json()["code"] == "rate_limited"


async def test_a_crowd_of_requests_is_counted_one_by_one(api, limited):
    answers = await asyncio.gather(*(api.get("/v1/assets", headers=limited) for _ in range(40)))
    assert sorted(a.status_code for a in answers) == [200] * 3 + [429] * 37

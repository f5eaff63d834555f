"""Who may do what: one table of every endpoint and every kind of credential (I2).

A new endpoint needs a row; who may is written here a second time, on purpose.
"""

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
"""

ROWS = {(method, path): who for method, path, who in map(str.split, TABLE.strip().splitlines())}
LETTERS = {
    "admin": "a", "operator": "o", "viewer": "v", "ingest": "i", "partner": "p", "holder": "h",
}  # fmt: skip
NUMBERS = {"posting_id": "1", "version": "1", "alert": "1", "run": "run_1"}


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
        body = {} if method in ("POST", "PUT") else None
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

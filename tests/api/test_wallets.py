"""Wallets over HTTP: what somebody has, what it came from, what it may do (L4-L9, L12, L13)."""

from urllib.parse import quote

import httpx
import pytest

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

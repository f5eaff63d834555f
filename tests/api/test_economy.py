"""The economy file and its clock over HTTP."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from tests.api.clubs import CLUB, HELD_BACK, found, said
from tests.api.conftest import As, problem

LESS = CLUB.replace("amount = 100", "amount = 90")
HIGHER = HELD_BACK.replace("approve_above = 50", "approve_above = 60")


@pytest.fixture
async def club(services: Services) -> Services:
    await found(services)
    return services


@pytest.fixture
async def waiting(services: Services) -> int:
    """A version of the admin's that waits."""
    await found(services, HELD_BACK)
    applied = await services.economy.apply(HIGHER, actor="api:admin", reason="more")
    assert applied.version.state == "waiting"
    return applied.version.version


async def test_before_the_first_file_there_is_no_economy(api: httpx.AsyncClient, as_: As) -> None:
    assert problem(await api.get("/v1/economy", headers=as_("viewer")), 404) == "economy_missing"


async def test_the_file_in_force_is_shown_with_its_text(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    answer = await api.get("/v1/economy", headers=as_("viewer"))
    shown = said(answer)
    assert (shown["text"], shown["state"], shown["actor"]) == (CLUB, "applied", "api:founder")
    assert answer.headers["etag"] == '"1"'
    assert said(await api.get("/v1/economy/versions/1", headers=as_("viewer"))) == shown


async def test_a_plan_tells_changes_and_costs_and_its_hash_applies_it(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    plan = said(await api.post("/v1/economy/plan", json={"text": LESS}, headers=as_("viewer")))
    assert [(one["name"], one["action"]) for one in plan["changes"]] == [("monthly", "changed")]
    assert plan["costs"][0]["amount"] == 90
    body = {"text": LESS, "expect": plan["hash"], "reason": "thrift"}
    done = said(await api.post("/v1/economy/apply", json=body, headers=as_("admin")), 201)
    assert (done["version"]["version"], done["version"]["state"]) == (2, "applied")
    again = said(await api.post("/v1/economy/apply", json=body, headers=as_("admin")), 200)
    assert again["unchanged"] is True


async def test_a_file_is_applied_on_the_version_that_was_read_or_not_at_all(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    body = {"text": LESS, "reason": "thrift"}
    for tag in ('"0"', '"7"'):
        late = await api.post("/v1/economy/apply", json=body, headers=as_("admin", if_match=tag))
        assert problem(late, 412) == "precondition_failed"
        assert late.json()["fields"] == {"version": 1}
    said(await api.post("/v1/economy/apply", json=body, headers=as_("admin", if_match='"1"')), 201)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"text": "["}, 400, "economy_invalid"),
        ({"text": ""}, 400, "economy_invalid"),
        ({"text": CLUB.replace("amount = 100", "amuont = 100")}, 400, "economy_invalid"),
        ({"text": CLUB.replace('"club"', '"pub"')}, 422, "economy_name"),
        ({"expect": "0" * 32}, 409, "economy_moved"),
        ({"reason": ""}, 400, "request_invalid"),
        ({"reason": None}, 400, "request_invalid"),
        ({"texts": ""}, 400, "request_invalid"),
    ],
)
async def test_a_file_that_is_not_sound_changes_nothing(
    api: httpx.AsyncClient, as_: As, club: Services, change: Any, status: int, code: str
) -> None:
    body = {"text": LESS, "reason": "r"} | change
    answer = await api.post("/v1/economy/apply", json=body, headers=as_("admin"))
    assert problem(answer, status) == code
    assert (await club.economy.show()).version == 1


async def test_only_an_admin_applies(api: httpx.AsyncClient, as_: As, club: Services) -> None:
    for scope in ("operator", "viewer", "ingest", "partner"):
        answer = await api.post(
            "/v1/economy/apply", json={"text": LESS, "reason": "r"}, headers=as_(scope)
        )
        assert problem(answer, 403) == "scope_missing"


async def test_a_raised_limit_waits_for_another_person(
    api: httpx.AsyncClient, as_: As, services: Services, waiting: int
) -> None:
    path = f"/v1/economy/versions/{waiting}/approve"
    same = await api.post(path, json={"reason": "mine"}, headers=as_("admin"))
    assert problem(same, 422) == "economy_second_person"
    await services.economy.apply(HELD_BACK.replace("50", "70"), actor="api:bob", reason="r")
    over = await api.post(path, json={"reason": "seen"}, headers=as_("admin"))
    assert problem(over, 409) == "economy_decided"
    path = f"/v1/economy/versions/{waiting + 1}/approve"
    done = said(await api.post(path, json={"reason": "seen"}, headers=as_("admin")))
    assert (done["state"], done["actor"], done["decided_by"]) == ("applied", "api:bob", "api:admin")


async def test_a_version_that_waits_may_be_withdrawn(
    api: httpx.AsyncClient, as_: As, waiting: int
) -> None:
    path = f"/v1/economy/versions/{waiting}/refuse"
    assert (
        said(await api.post(path, json={"reason": "no"}, headers=as_("admin")))["state"]
        == "refused"
    )
    again = await api.post(path, json={"reason": "no"}, headers=as_("admin"))
    assert problem(again, 409) == "economy_decided"


@pytest.mark.parametrize("version", ["9", "0", "2147483648", "9" * 25])
async def test_a_version_that_there_is_not_is_missing(
    api: httpx.AsyncClient, as_: As, club: Services, version: str
) -> None:
    path = f"/v1/economy/versions/{version}"
    unknown = "economy_version_unknown"
    assert problem(await api.get(path, headers=as_("viewer")), 404) == unknown
    for verb in ("approve", "refuse"):
        answer = await api.post(f"{path}/{verb}", json={"reason": "r"}, headers=as_("admin"))
        assert problem(answer, 404) == unknown


async def test_versions_are_listed_page_by_page_without_their_texts(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    await club.economy.apply(LESS, actor="api:founder", reason="less")
    page = said(await api.get("/v1/economy/versions?limit=1", headers=as_("viewer")))
    assert ([one["version"] for one in page["items"]], page["cursor"]) == ([2], "2")
    assert "text" not in page["items"][0]
    rest = said(await api.get("/v1/economy/versions?limit=5&cursor=2", headers=as_("viewer")))
    assert ([one["version"] for one in rest["items"]], rest["cursor"]) == ([1], None)


async def test_a_sandbox_is_moved_ahead_and_what_falls_due_is_done(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    before = said(await api.get("/v1/clock", headers=as_("viewer")))
    assert before["sandbox"] is True
    body = {"by_s": 31 * 86_400, "reason": "a month on"}
    after = said(await api.post("/v1/clock/move", json=body, headers=as_("admin")))
    moved = datetime.fromisoformat(after["now"]) - datetime.fromisoformat(before["now"])
    assert moved >= timedelta(days=31)
    runs = said(await api.get("/v1/runs?program=monthly", headers=as_("viewer")))["items"]
    assert runs[0]["state"] == "finished"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "clock_target"),
        ({"by_s": -1}, 400, "clock_target"),
        ({"by_s": 31 * 86_400 + 1}, 400, "clock_target"),
        ({"by_s": 10**30}, 400, None),
        ({"to": "2100-01-01T00:00:00Z"}, 400, "clock_target"),
        ({"to": "2026-01-01T00:00:00"}, 400, "clock_target"),
        ({"to": "2020-01-01T00:00:00Z"}, 422, "clock_backwards"),
        ({"to": "2020-01-01T00:00:00Z", "by_s": 1}, 400, "clock_target"),
        ({"to": "soon"}, 400, "request_invalid"),
    ],
)
async def test_a_clock_that_cannot_be_moved_so_stands(
    api: httpx.AsyncClient, as_: As, club: Services, body: Any, status: int, code: str | None
) -> None:
    answer = await api.post("/v1/clock/move", json=body | {"reason": "r"}, headers=as_("admin"))
    assert problem(answer, status) in {code, code or "clock_target", code or "request_invalid"}
    assert (await club.clock.read()).offset == timedelta(0)


async def test_the_clock_of_real_books_is_not_moved(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await found(services, CLUB.replace("sandbox = true", "sandbox = false"))
    body = {"by_s": 60, "reason": "r"}
    answer = await api.post("/v1/clock/move", json=body, headers=as_("admin"))
    assert problem(answer, 422) == "clock_not_sandbox"
    denied = await api.post("/v1/clock/move", json=body, headers=as_("operator"))
    assert problem(denied, 403) == "scope_missing"

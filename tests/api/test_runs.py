"""Runs over HTTP: started, approved, steered, taken back."""

import re
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from tests.api.clubs import CLUB, HELD_BACK, found, said
from tests.api.conftest import As, problem

START = "/v1/programs/monthly/runs"
BROKEN = CLUB.replace("amount = 100\n", 'amount = "100 / (holder.verified ? 1 : 0)"\n')


@pytest.fixture
async def club(services: Services) -> Services:
    await found(services, people=("maria", "noah", "zoe"))
    return services


@pytest.fixture
async def careful(services: Services) -> Services:
    """Runs of more than 50 wait for a second person."""
    await found(services, HELD_BACK, people=("maria", "noah", "zoe"))
    return services


async def start(api: httpx.AsyncClient, as_: As, **more: Any) -> Any:
    body = {"reason": "the month"} | more
    return said(await api.post(START, json=body, headers=as_("operator")), 201)


async def steer(api: httpx.AsyncClient, as_: As, run: str, verb: str, **more: Any) -> Any:
    body = {"reason": "because"} | more
    return await api.post(f"/v1/runs/{run}/{verb}", json=body, headers=as_("operator"))


async def test_a_run_is_started_here_and_done_by_a_worker(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    begun = await start(api, as_)
    assert (begun["state"], begun["kind"], begun["program"]) == ("running", "scheduled", "monthly")
    assert (begun["started_by"], begun["reason"]) == ("api:operator", "the month")
    await club.programs.runs.work()
    done = said(await api.get(f"/v1/runs/{begun['run']}", headers=as_("viewer")))
    assert (done["state"], done["progress"]["awarded"], done["progress"]["amount"]) == (
        "finished", 3, 300,
    )  # fmt: skip


async def test_a_period_is_run_once_and_who_asks_again_is_told_of_the_run(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    begun = await start(api, as_)
    again = await api.post(START, json={"reason": "twice"}, headers=as_("operator"))
    assert problem(again, 409) == "period_run"
    assert again.json()["fields"]["run"] == begun["run"]


async def test_a_dry_run_gives_nothing(api: httpx.AsyncClient, as_: As, club: Services) -> None:
    begun = await start(api, as_, dry_run=True)
    await club.programs.runs.work()
    done = said(await api.get(f"/v1/runs/{begun['run']}", headers=as_("viewer")))
    assert (done["dry_run"], done["progress"]["awarded"]) == (True, 3)
    assert said(await api.get("/v1/journal", headers=as_("viewer")))["items"] == []


@pytest.mark.parametrize(
    ("program", "body", "status", "code"),
    [
        ("monthly", {}, 400, "request_invalid"),
        ("monthly", {"reason": "r", "dryrun": True}, 400, "request_invalid"),
        ("monthly", {"reason": "r", "period": "1999-01"}, 404, "period_unknown"),
        ("daily", {"reason": "r"}, 422, "run_not_by_period"),
    ],
)
async def test_a_run_of_what_there_is_not_is_refused(
    api: httpx.AsyncClient, as_: As, club: Services, program: str, body: Any, status: int, code: str
) -> None:
    answer = await api.post(f"/v1/programs/{program}/runs", json=body, headers=as_("operator"))
    assert problem(answer, status) == code
    assert said(await api.get("/v1/runs", headers=as_("viewer")))["items"] == []


@pytest.mark.parametrize(
    "run", ["run_9", "7", "run_0", "run_x", "run_" + "9" * 18, "run_" + "9" * 40]
)
async def test_what_names_no_run_is_missing(
    api: httpx.AsyncClient, as_: As, club: Services, run: str
) -> None:
    for path in ("", "/failures", "/exclusions"):
        answer = await api.get(f"/v1/runs/{run}{path}", headers=as_("viewer"))
        assert problem(answer, 404) == "run_unknown"
    for verb in ("pause", "resume", "cancel", "retry"):
        assert problem(await steer(api, as_, run, verb), 404) == "run_unknown"
    assert problem(await steer(api, as_, run, "approve", total=1), 404) == "run_unknown"
    assert problem(await steer(api, as_, run, "revert", policy="clip"), 404) == "run_unknown"


async def test_who_is_left_out_is_listed_with_a_period_of_their_own_if_there_is_one(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    rules = """keep_reasons = ["not_eligible"]\nwho = 'holder.tier == "pro"'\n"""
    cycle = 'asset = "coins"\nschedule = { days = 30, at_once = true }\namount = 1\n'
    text = CLUB.replace("amount = 100\n", f"amount = 100\n{rules}")
    await found(services, f"{text}\n[programs.cycle]\n{cycle}{rules}", people=("maria",))
    await services.programs.do_all_due()
    await services.programs.runs.work()
    periods = {}
    for program in ("monthly", "cycle"):
        query = {"program": program, "limit": 1}
        runs = await api.get("/v1/runs", params=query, headers=as_("viewer"))
        [run] = said(runs)["items"]
        path = f"/v1/runs/{run['run']}/exclusions"
        [one] = said(await api.get(path, headers=as_("viewer")))["items"]
        assert (one["holder"], one["reason"]) == ("maria", "not_eligible")
        periods[program] = one["period"]
    assert periods["monthly"] is None
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", periods["cycle"])


async def test_a_run_above_its_limit_waits_for_a_second_person(
    api: httpx.AsyncClient, as_: As, careful: Services
) -> None:
    begun = await start(api, as_)
    assert (begun["state"], begun["estimate"]["amount"]) == ("waiting", 300)
    path = f"/v1/runs/{begun['run']}/approve"
    first = await api.post(path, json={"total": 300, "reason": "mine"}, headers=as_("operator"))
    assert problem(first, 422) == "approval_second_person"
    other = await api.post(path, json={"total": 299, "reason": "r"}, headers=as_("admin"))
    assert problem(other, 409) == "approval_total"
    vast = await api.post(path, json={"total": 2**80, "reason": "r"}, headers=as_("admin"))
    assert vast.status_code in {400, 409}
    second = await api.post(path, json={"total": 300, "reason": "seen"}, headers=as_("admin"))
    approved = said(second)
    assert (approved["state"], approved["approved_by"]) == ("running", "api:admin")
    again = await api.post(path, json={"total": 300, "reason": "seen"}, headers=as_("admin"))
    assert problem(again, 422) == "run_state"


async def test_whoever_made_the_programs_version_may_not_approve_its_run(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await found(services, HELD_BACK)
    await services.economy.apply(
        HELD_BACK.replace("amount = 100", "amount = 90"), actor="api:admin", reason="less"
    )
    begun = await start(api, as_)
    answer = await api.post(
        f"/v1/runs/{begun['run']}/approve",
        json={"total": 90, "reason": "r"},
        headers=as_("admin"),
    )
    assert problem(answer, 422) == "approval_second_person"


async def test_a_run_is_paused_goes_on_and_is_canceled(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    run = (await start(api, as_))["run"]
    assert problem(await steer(api, as_, run, "resume"), 422) == "run_state"
    assert said(await steer(api, as_, run, "pause"))["state"] == "paused"
    assert problem(await steer(api, as_, run, "pause"), 422) == "run_state"
    assert said(await steer(api, as_, run, "resume"))["state"] == "running"
    assert said(await steer(api, as_, run, "cancel"))["state"] == "canceled"
    assert problem(await steer(api, as_, run, "resume"), 422) == "run_state"


async def test_a_run_is_taken_back_once_and_may_be_run_again(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    run = (await start(api, as_))["run"]
    assert problem(await steer(api, as_, run, "revert", policy="clip"), 422) == "run_state"
    await club.programs.runs.work()
    back = said(await steer(api, as_, run, "revert", policy="clip"), 201)
    assert (back["kind"], back["target_run"], back["policy"]) == ("revert", run, "clip")
    await club.programs.runs.work()
    assert said(await api.get(f"/v1/runs/{run}", headers=as_("viewer")))["state"] == "reverted"
    assert problem(await steer(api, as_, run, "revert", policy="clip"), 422) == "run_state"
    assert (await start(api, as_))["state"] == "running"


async def test_a_reversal_names_its_policy(api: httpx.AsyncClient, as_: As, club: Services) -> None:
    run = (await start(api, as_))["run"]
    await club.programs.runs.work()
    assert problem(await steer(api, as_, run, "revert"), 400) == "request_invalid"
    assert problem(await steer(api, as_, run, "revert", policy="all"), 400) == "request_invalid"


async def test_who_was_set_aside_is_listed_page_by_page_and_tried_again(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await found(services, BROKEN, people=("maria", "noah", "zoe"))
    run = (await start(api, as_))["run"]
    await services.programs.runs.work()
    path = f"/v1/runs/{run}/failures"
    first = said(await api.get(path, params={"limit": 2}, headers=as_("viewer")))
    assert [one["holder"] for one in first["items"]] == ["maria", "noah"]
    rest = said(
        await api.get(path, params={"limit": 2, "cursor": first["cursor"]}, headers=as_("viewer"))
    )
    assert ([one["holder"] for one in rest["items"]], rest["cursor"]) == (["zoe"], None)
    retried = said(await steer(api, as_, run, "retry"))
    assert (retried["retried"], retried["run"]["state"]) == (3, "running")


async def test_runs_are_listed_the_newest_first_page_by_page(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    first, second = [
        await club.programs.runs.grant(program="monthly", actor="api:operator", reason="r")
        for _ in range(2)
    ]
    page = said(await api.get("/v1/runs", params={"limit": 1}, headers=as_("viewer")))
    assert [one["run"] for one in page["items"]] == [f"run_{second}"]
    params = {"limit": 2, "cursor": page["cursor"], "program": "monthly"}
    page = said(await api.get("/v1/runs", params=params, headers=as_("viewer")))
    assert ([one["run"] for one in page["items"]], page["cursor"]) == ([f"run_{first}"], None)


@pytest.mark.parametrize(
    ("query", "code"),
    [("limit=0", "request_invalid"), ("limit=1001", "request_invalid"), ("cursor=x", "cursor"),
     ("cursor=-1", "cursor"), ("program=%00", "request_invalid")],
)  # fmt: skip
async def test_a_page_that_cannot_be_meant_is_refused(
    api: httpx.AsyncClient, as_: As, club: Services, query: str, code: str
) -> None:
    assert problem(await api.get(f"/v1/runs?{query}", headers=as_("viewer")), 400) == code


async def test_who_may_only_look_steers_no_run(
    api: httpx.AsyncClient, as_: As, club: Services
) -> None:
    run = (await start(api, as_))["run"]
    for scope in ("viewer", "ingest", "partner"):
        answer = await api.post(f"/v1/runs/{run}/cancel", json={"reason": "r"}, headers=as_(scope))
        assert problem(answer, 403) == "scope_missing"

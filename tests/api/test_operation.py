"""Alerts, outages, the audit trail, checks, exports and ticks over HTTP."""

import asyncio
import csv
import io
from typing import Any

import httpx
import psycopg
import pytest

from bursar.api.downloads import begun
from bursar.api.patience import Turnstile
from bursar.api.services import Services
from bursar.programs import store
from tests.api.clubs import found, said
from tests.api.conftest import As, problem

WINDOW = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-01T06:00:00Z"}


async def alarm(services: Services, subject: str = "run_1") -> None:
    async with services.ledger.database.connection() as connection:
        await store.raise_alert(connection, "approval_needed", subject, "look at it")


async def test_a_matter_is_listed_until_it_is_resolved(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await alarm(services)
    [one] = said(await api.get("/v1/alerts", headers=as_("viewer")))["items"]
    assert (one["kind"], one["subject"], one["times"]) == ("approval_needed", "run_1", 1)
    path, body = f"/v1/alerts/{one['alert_id']}/resolve", {"reason": "seen to"}
    assert (await api.post(path, json=body, headers=as_("operator"))).status_code == 204
    assert said(await api.get("/v1/alerts", headers=as_("viewer")))["items"] == []
    [closed] = said(await api.get("/v1/alerts?resolved=true", headers=as_("viewer")))["items"]
    assert closed["resolved_by"] == "api:operator"
    again = await api.post(path, json=body, headers=as_("operator"))
    assert problem(again, 404) == "alert_unknown"


@pytest.mark.parametrize("alert", ["7", "0", "9" * 19, "9" * 30])
async def test_a_matter_that_there_is_not_is_missing(
    api: httpx.AsyncClient, as_: As, alert: str
) -> None:
    answer = await api.post(
        f"/v1/alerts/{alert}/resolve", json={"reason": "r"}, headers=as_("operator")
    )
    assert problem(answer, 404) == "alert_unknown"


async def test_a_matter_is_not_resolved_by_who_may_only_look_nor_without_a_reason(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await alarm(services)
    [one] = said(await api.get("/v1/alerts", headers=as_("viewer")))["items"]
    path = f"/v1/alerts/{one['alert_id']}/resolve"
    viewer = await api.post(path, json={"reason": "r"}, headers=as_("viewer"))
    assert problem(viewer, 403) == "scope_missing"
    silent = await api.post(path, json={}, headers=as_("operator"))
    assert problem(silent, 400) == "request_invalid"
    assert len(await services.programs.alerts()) == 1


async def test_an_outage_is_declared_once_and_listed(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    body = WINDOW | {"reason": "the network"}
    first = said(await api.post("/v1/outages", json=body, headers=as_("admin")), 201)
    again = said(await api.post("/v1/outages", json=body, headers=as_("admin")), 201)
    assert first["outage_id"] == again["outage_id"]
    [one] = said(await api.get("/v1/outages", headers=as_("viewer")))["items"]
    assert (one["actor"], one["reason"]) == ("api:admin", "the network")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ends_at": "2025-01-01T00:00:00Z"}, "outage_window"),
        ({"ends_at": "2026-03-01T00:00:00Z"}, "outage_window"),
        ({"ends_at": "2026-01-01T06:00:00"}, "outage_window"),
        ({"ends_at": "later"}, "request_invalid"),
        ({"reason": ""}, "request_invalid"),
    ],
)
async def test_an_outage_that_cannot_be_meant_is_refused(
    api: httpx.AsyncClient, as_: As, change: Any, code: str
) -> None:
    body = WINDOW | {"reason": "r"} | change
    assert problem(await api.post("/v1/outages", json=body, headers=as_("admin")), 400) == code
    assert said(await api.get("/v1/outages", headers=as_("viewer")))["items"] == []


async def test_an_operator_declares_no_outage(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.post("/v1/outages", json=WINDOW | {"reason": "r"}, headers=as_("operator"))
    assert problem(answer, 403) == "scope_missing"


async def test_the_trail_tells_who_did_what_and_why(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await found(services)
    for on in (False, True):
        await api.post(
            "/v1/programs/daily/switch",
            json={"on": on, "reason": "a test"},
            headers=as_("operator"),
        )
    query = {"act": "program.*", "actor": "api:operator", "limit": 1}
    page = said(await api.get("/v1/audit", params=query, headers=as_("viewer")))
    [newest] = page["items"]
    assert (newest["act"], newest["subject"], newest["reason"]) == (
        "program.switch", "daily", "a test",
    )  # fmt: skip
    assert (newest["before"], newest["after"]) == ({"on": False}, {"on": True})
    query["cursor"] = page["cursor"]
    rest = said(await api.get("/v1/audit", params=query, headers=as_("viewer")))
    assert (rest["items"][0]["after"], rest["cursor"]) == ({"on": False}, None)
    since = {"since": "2100-01-01T00:00:00Z"}
    assert said(await api.get("/v1/audit", params=since, headers=as_("viewer")))["items"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("since=2026-01-01T00:00:00", "act_filter"),
        ("since=soon", "request_invalid"),
        ("cursor=x", "cursor"),
        ("limit=0", "request_invalid"),
        ("actor=%00", "request_invalid"),
    ],
)
async def test_acts_that_cannot_be_looked_for_are_refused(
    api: httpx.AsyncClient, as_: As, query: str, code: str
) -> None:
    assert problem(await api.get(f"/v1/audit?{query}", headers=as_("viewer")), 400) == code


async def test_the_trail_is_not_for_an_app(api: httpx.AsyncClient, as_: As) -> None:
    assert problem(await api.get("/v1/audit", headers=as_("ingest")), 403) == "scope_missing"


async def test_a_check_is_started_and_its_outcome_told(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    await give("maria", 500)
    assert said(await api.get("/v1/verification", headers=as_("viewer")))["items"] == []
    begun = said(
        await api.post("/v1/verification", json={"reason": "audit"}, headers=as_("operator")), 202
    )
    assert (begun["ended_at"], begun["sound"], begun["actor"]) == (None, False, "api:operator")
    await services.background.wait()
    [done] = said(await api.get("/v1/verification", headers=as_("viewer")))["items"]
    assert done["verification"] == begun["verification"]
    assert (done["sound"], done["found"], done["entries"]) == (True, 0, 1)


async def test_while_the_books_are_checked_no_other_check_is_started(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    _, work = await services.operation.start_verify(actor="api:ann", reason="first")
    answer = await api.post("/v1/verification", json={"reason": "r"}, headers=as_("operator"))
    assert problem(answer, 409) == "verification_under_way"
    assert (await work).ok
    said(await api.post("/v1/verification", json={"reason": "r"}, headers=as_("operator")), 202)
    await services.background.wait()
    assert len(await services.operation.verifications()) == 2


async def test_who_may_only_look_starts_no_check(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.post("/v1/verification", json={"reason": "r"}, headers=as_("viewer"))
    assert problem(answer, 403) == "scope_missing"


async def test_the_books_are_taken_out_whole(
    api: httpx.AsyncClient, as_: As, services: Services, give: Any
) -> None:
    for number in range(5):
        await give("maria", 500, reference=f"r{number}")
    answer = await api.get("/v1/export?format=csv", headers=as_("viewer"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["balance"] for row in rows] == ["500", "1000", "1500", "2000", "2500"]
    text = (await api.get("/v1/export?format=beancount", headers=as_("admin"))).text
    written: list[str] = []
    await services.ledger.export("beancount", written.append)
    assert text == "".join(written)


async def test_books_without_entries_are_taken_out_too(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.get("/v1/export?format=csv", headers=as_("viewer"))
    assert answer.text.splitlines()[1:] == []
    assert (await api.get("/v1/export?format=beancount", headers=as_("viewer"))).status_code == 200


@pytest.mark.parametrize("query", ["", "?format=pdf"])
async def test_the_books_are_not_taken_out_in_another_form(
    api: httpx.AsyncClient, as_: As, query: str
) -> None:
    assert (
        problem(await api.get(f"/v1/export{query}", headers=as_("viewer")), 400)
        == "request_invalid"
    )


async def test_an_app_does_not_take_the_books_out(api: httpx.AsyncClient, as_: As) -> None:
    answer = await api.get("/v1/export?format=csv", headers=as_("ingest"))
    assert problem(answer, 403) == "scope_missing"


async def test_a_download_that_is_left_frees_its_connection_and_its_place(
    database: Any, services: Services, give: Any
) -> None:
    await give("maria", 500)
    turnstile = Turnstile(places=1)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        for _ in range(3):
            download = await begun(services.ledger.pieces("csv"), turnstile)
            await anext(download)
            assert _reading(owner) == 1
            del download  # as the framework lets go of it when the client has gone
            async with asyncio.timeout(60):
                while not turnstile.free:  # noqa: ASYNC110 - there is nothing to wait for
                    await asyncio.sleep(0)
            assert _reading(owner) == 0


async def test_exports_beyond_their_places_are_told_to_come_back(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    services.turnstile = Turnstile(places=0)
    answer = await api.get("/v1/export?format=csv", headers=as_("viewer"))
    assert problem(answer, 503) == "too_many_long"


async def test_a_tick_makes_runs_of_what_is_due(
    api: httpx.AsyncClient, as_: As, services: Services
) -> None:
    await found(services)
    done = said(await api.post("/v1/tick", headers=as_("operator")))
    assert done["begun"]
    run = said(await api.get(f"/v1/runs/{done['begun'][-1]}", headers=as_("viewer")))
    assert run["started_by"] != "api:operator"
    assert said(await api.post("/v1/tick", headers=as_("operator")))["begun"] == []
    assert problem(await api.post("/v1/tick", headers=as_("ingest")), 403) == "scope_missing"


def _reading(owner: psycopg.Connection) -> int:
    """How many transactions read a snapshot."""
    [(count,)] = owner.execute(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and state = 'idle in transaction'"
    )
    return int(count)

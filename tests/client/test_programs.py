"""Programs, runs, grants, the economy file, the operator's desk, on the application (I5)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bursar.api.services import Services
from bursar.client import AsyncClient, Conflict, Invalid, Missing, Override, Rejected
from bursar.holders import HolderChange

ECONOMY = (Path(__file__).parents[2] / "examples" / "api_product" / "economy.toml").read_text(
    "utf-8"
)
LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
async def club(client: AsyncClient, services: Services) -> AsyncClient:
    """A client of an economy with a monthly program and two who are in it."""
    await client.economy.apply(ECONOMY, reason="first version")
    people = [
        HolderChange(external_id=name, tier=tier, created_at=LONG_AGO, subscription_start=LONG_AGO)
        for name, tier in (("ada", "pro"), ("bea", "free"))
    ]
    await services.holders.upsert(people, actor="test", reason="members")
    return client


async def test_an_economy_is_planned_and_applied_as_planned(client: AsyncClient) -> None:
    plan = await client.economy.plan(ECONOMY)
    assert {change.name for change in plan.changes} >= {"credits", "monthly"}
    applied = await client.economy.apply(ECONOMY, reason="first", expect=plan.hash)
    assert (applied.version.version, applied.version.state) == (1, "applied")
    assert (await client.economy.apply(ECONOMY, reason="again")).unchanged
    in_force = await client.economy.get()
    assert (in_force.text, in_force.name) == (ECONOMY, "api_product")
    assert in_force.etag is not None
    assert [v.version async for v in client.economy.versions()] == [1]
    assert (await client.economy.version(1)).text == ECONOMY


async def test_an_economy_that_moved_is_not_applied_upon(client: AsyncClient) -> None:
    await client.economy.apply(ECONOMY, reason="first")
    seen = await client.economy.get()
    await client.economy.apply(ECONOMY + "\n# more\n", reason="second")
    with pytest.raises(Conflict):
        await client.economy.apply(ECONOMY + "\n# other\n", reason="third", if_match=seen.etag)


async def test_a_file_with_problems_is_invalid(client: AsyncClient) -> None:
    with pytest.raises(Invalid) as caught:
        await client.economy.plan("[economy]\nnmae = 1")
    assert caught.value.code == "economy_invalid"


async def test_a_run_is_previewed_started_and_done_by_a_worker(
    club: AsyncClient, services: Services
) -> None:
    preview = await club.programs.preview("monthly")
    assert (preview.estimate.awards, preview.estimate.amount) == (2, 1_060)
    assert {award.holder: award.amount for award in preview.awards} == {"ada": 1_000, "bea": 60}
    run = await club.programs.run("monthly", reason="the month")
    assert not run.ended
    with pytest.raises(Conflict) as caught:
        await club.programs.run("monthly", reason="by mistake")
    assert caught.value.code == "period_run"
    await services.programs.runs.work()
    done = await club.runs.get(run.run)
    assert (done.state, done.progress.awarded, done.progress.amount) == ("finished", 2, 1_060)
    assert done.ended
    assert run.run in [found.run async for found in club.runs.all(program="monthly", page_size=2)]
    assert [one async for one in club.runs.failures(run.run)] == []
    assert (await club.wallets.get("ada", "credits")).balance == 1_000


async def test_a_grant_of_one_reference_is_given_once(
    club: AsyncClient, services: Services
) -> None:
    terms = {"asset": "credits", "amount": 7, "holders": ["ada"], "reference": "sorry:1"}
    first = await club.grants.give(reason="sorry", **terms)
    again = await club.grants.give(reason="sorry", **terms)
    assert (first.run, first.reference) == (again.run, "sorry:1")
    await services.programs.runs.work()
    assert (await club.wallets.get("ada", "credits")).balance == 7
    with pytest.raises(Conflict):
        await club.grants.give(reason="sorry", **{**terms, "amount": 8})


async def test_an_override_is_changed_only_as_it_was_seen(club: AsyncClient) -> None:
    seen = await club.programs.override("monthly", "ada")
    ours = Override(amount=5)
    changed = await club.programs.set_override(
        "monthly", "ada", ours, reason="a test", if_match=seen.etag
    )
    assert changed.amount == 5
    with pytest.raises(Conflict) as caught:
        await club.programs.set_override(
            "monthly", "ada", Override(paused=True), reason="late", if_match=seen.etag
        )
    assert (caught.value.status, caught.value.code) == (412, "precondition_failed")


async def test_a_program_is_switched_off_and_on(club: AsyncClient) -> None:
    assert [program.program for program in await club.programs.all()] == ["monthly"]
    assert not (await club.programs.switch("monthly", on=False, reason="stop")).gives
    with pytest.raises(Rejected):
        await club.programs.run("monthly", reason="it is off")
    assert (await club.programs.switch("monthly", on=True, reason="go on")).gives
    assert [act.act async for act in club.audit.acts(act="program.*", page_size=1)] != []
    with pytest.raises(Missing):
        await club.programs.get("yearly")


async def test_a_sandbox_is_moved_ahead(club: AsyncClient) -> None:
    before = await club.economy.clock()
    after = await club.economy.move_clock(by_s=3_600, reason="an hour")
    assert timedelta(minutes=59) < after.now - before.now < timedelta(minutes=61)


async def test_the_desk_of_an_operator(club: AsyncClient) -> None:
    assert (await club.operation.live()).status == "ok"
    assert await club.operation.alerts() == []
    with pytest.raises(Missing):
        await club.operation.resolve_alert(7, reason="there is none")
    now = (await club.economy.clock()).now
    declared = await club.operation.declare_outage(
        now - timedelta(hours=2), now - timedelta(hours=1), reason="the app was away"
    )
    assert [o.outage_id for o in await club.operation.outages()] == [declared.outage_id]
    begun = await club.operation.verify(reason="a look")
    [shown] = await club.operation.verifications()
    assert shown.verification == begun.verification
    assert (await club.operation.tick()).retried == 0

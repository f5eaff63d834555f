"""Whoever does a privileged thing leaves an act of it, with a reason; who is refused, none (I2)."""

import asyncio
import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bursar.economy
import bursar.holders
import bursar.ledger
import bursar.notices
import bursar.programs
from bursar.economy.clock import TestClock
from bursar.economy.service import EconomyService
from bursar.holders import HolderChange, Holders, ImportPlan
from bursar.ledger import Ledger
from bursar.notices.making.store import begin_run
from bursar.notices.model import Channel, Kind, notice_id_of
from bursar.notices.sending import store as queue
from bursar.notices.sending.model import NewDelivery
from bursar.notices.service import Notices
from bursar.platform.database import Database
from bursar.platform.errors import BursarError, Invalid, Rejected
from bursar.platform.sealing import new_key
from bursar.platform.settings import load_settings
from bursar.programs import store
from bursar.programs.model import Override, RunId
from bursar.programs.service import Programs
from bursar.trail import Act, Trail, Wanted
from tests.programs.scenes import enrol, fill, sound

ANN = {"actor": "cli:ann", "reason": "as agreed"}
BOB = {"actor": "cli:bob", "reason": "looked at"}
_START = datetime(2026, 1, 10, tzinfo=UTC)


class World:
    """A sandbox with two people, a program and a file of rows; what a test does things in."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger = ledger
        self.programs = Programs(ledger)
        self.runs = self.programs.runs
        self.holders = Holders(ledger)
        self.economy = EconomyService(ledger, self.programs)
        self.clock = TestClock(ledger, self.programs)
        self.notices = Notices(
            ledger,
            load_settings(
                {"BURSAR_SECRETS_KEY": new_key(), "BURSAR_WEBHOOK_NETWORKS": "127.0.0.0/8"}
            ),
        )
        self.endpoints = self.notices.endpoints
        self.deliveries = self.notices.deliveries
        self.dispatches = self.notices.dispatches
        self.trail = Trail(ledger.database)
        self.file = folder / "people.csv"

    async def apply(self, *, amount: int = 5, award: int = 10, approve_above: int = 100) -> int:
        text = (
            '[economy]\nname = "club"\nsandbox = true\n[assets.coins]\n[programs.monthly]\n'
            f'asset = "coins"\nschedule = {{ every = "month" }}\namount = {amount}\n'
            f"starts = {datetime.now(UTC):%Y-%m}-01\n"
            f"limits = {{ award = {award}, approve_above = {approve_above} }}\n"
        )
        return (await self.economy.apply(text, **ANN)).version.version

    async def start(self, *, work: bool = False) -> RunId:
        run = await self.runs.start("monthly", **ANN)
        if work:
            await self.runs.work()
        return run

    async def acts(self) -> list[Act]:
        """All acts, the oldest first."""
        return [*reversed((await self.trail.acts(limit=1_000)).items)]


@pytest.fixture
async def world(database: Any, tmp_path: Path) -> AsyncIterator[World]:
    pool = Database(database.url, max_connections=6)
    await pool.open()
    async with Ledger(pool) as ledger:
        made = World(ledger, tmp_path)
        made.file.write_text("external_id,status\nmia,active\nada,active\n", "utf-8")
        await made.apply()
        await enrol(made.programs, "ada", "bea")
        yield made


async def nothing(_: World) -> None:
    return None


async def started(world: World) -> RunId:
    return await world.start()


async def done(world: World) -> RunId:
    return await world.start(work=True)


async def paused(world: World) -> RunId:
    run = await world.start()
    await world.runs.pause(run, **ANN)
    return run


async def waiting_run(world: World) -> RunId:
    await world.apply(approve_above=1)
    return await world.start()


async def failing(world: World) -> RunId:
    await fill(world.ledger, "ada")
    return await world.start(work=True)


async def raising(world: World) -> int:
    return await world.apply(award=20)


async def alerted(world: World) -> int:
    async with world.ledger.database.connection() as connection:
        await store.raise_alert(connection, "run_ceiling", "run_1", "look")
    return (await world.programs.alerts())[0].alert_id


async def endpoint(world: World) -> int:
    made = await world.endpoints.add("http://127.0.0.1:1/hook?token=x", **ANN)
    return made.endpoint.endpoint_id


async def parked(
    world: World, channel: Channel = Channel.WEBHOOK, note: str = queue.RESTORED
) -> int:
    """A delivery that has been parked, by a restore if nothing else is said."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    hook = channel is Channel.WEBHOOK
    one = NewDelivery(
        notice_id=notice_id_of(1, "fact"),
        channel=channel,
        kind=Kind.DEPOSIT,
        happened_at=at,
        data={},
        holder_id=None if hook else 1,
        endpoint_id=await endpoint(world) if hook else 0,
        parked_note=note,
    )
    async with world.ledger.database.transaction() as connection:
        await queue.add(connection, [one])
    return (await world.deliveries.page()).items[0].delivery_id


async def parked_letter(world: World) -> int:
    return await parked(world, Channel.EMAIL)


async def refused_letter(world: World) -> int:
    return await parked(world, Channel.EMAIL, "recipient: 554 no relaying")


async def dispatched(world: World) -> int:
    run = await world.start(work=True)
    async with world.ledger.database.transaction() as connection:
        await begin_run(connection, run)
    return (await world.dispatches.list()).items[0].dispatch_id


async def dispatch_paused(world: World) -> int:
    dispatch = await dispatched(world)
    await world.dispatches.pause(dispatch, **ANN)
    return dispatch


async def bounced(world: World) -> None:
    keep = world.notices.bounces.keep
    await keep("ada@club.example", holder_id=1, status=550, detail="no such user")


Deed = Callable[[World, Any], Awaitable[Any]]

# The deed after its preparation, and the act: what, to what, before, and some of what is after.
DEEDS: dict[str, tuple[Callable[[World], Awaitable[Any]], Deed, str, Any, dict[str, Any]]] = {
    "asset.add": (
        nothing, lambda w, _: w.ledger.add_asset("gems", scale=2, **ANN),
        "gems", None, {"scale": 2},
    ),
    "run.start": (
        nothing, lambda w, _: w.start(),
        "run_1", None, {"program": "monthly", "dry_run": False},
    ),
    "grant.start": (
        nothing, lambda w, _: w.runs.grant(asset="coins", amount=7, holders=["ada"], **ANN),
        "run_1", None, {"asset": "coins", "amount": 7, "holders": 1},
    ),
    "run.approve": (
        waiting_run, lambda w, run: w.runs.approve(run, 10, **BOB),
        "run_1", {"state": "waiting"}, {"state": "running", "total": 10},
    ),
    "run.pause": (
        started, lambda w, run: w.runs.pause(run, **ANN),
        "run_1", {"state": "running"}, {"state": "paused"},
    ),
    "run.resume": (
        paused, lambda w, run: w.runs.resume(run, **ANN),
        "run_1", {"state": "paused"}, {"state": "running"},
    ),
    "run.cancel": (
        started, lambda w, run: w.runs.cancel(run, **ANN),
        "run_1", {"state": "running"}, {"state": "canceled"},
    ),
    "run.retry": (
        failing, lambda w, run: w.runs.retry(run, **ANN),
        "run_1", {"state": "finished"}, {"state": "running", "holders": 1},
    ),
    "run.revert": (
        done, lambda w, run: w.runs.revert(run, "clip", **ANN),
        "run_1", {"state": "finished"}, {"state": "reverting", "run": "run_2", "policy": "clip"},
    ),
    "program.switch": (
        nothing, lambda w, _: w.programs.switch("monthly", on=False, **ANN),
        "monthly", {"on": True}, {"on": False},
    ),
    "program.override": (
        nothing, lambda w, _: w.programs.set_override("monthly", "ada", Override(amount=3), **ANN),
        "monthly/1", {"amount": None, "refresh_day": None, "paused": False}, {"amount": 3},
    ),
    "alert.resolve": (
        alerted, lambda w, alert: w.programs.resolve_alert(alert, **ANN),
        "alert_1", None, {"kind": "run_ceiling", "of": "run_1"},
    ),
    "outage.declare": (
        nothing, lambda w, _: w.programs.declare_outage(_START, _START + timedelta(1), **ANN),
        "outage_1", None, {"starts_at": "2026-01-10T00:00:00Z", "ends_at": "2026-01-11T00:00:00Z"},
    ),
    "economy.apply": (
        nothing, lambda w, _: w.apply(amount=4),
        "version_2", {"version": 1, "name": "club"}, {"name": "club", "state": "applied"},
    ),
    "economy.approve": (
        raising, lambda w, version: w.economy.approve(version, **BOB),
        "version_2", {"version": 1, "name": "club"}, {"version": 2, "state": "applied"},
    ),
    "economy.refuse": (
        raising, lambda w, version: w.economy.refuse(version, **ANN),
        "version_2", {"version": 1, "name": "club"}, {"version": 2, "state": "refused"},
    ),
    "clock.move": (
        nothing, lambda w, _: w.clock.move_to(datetime(2199, 1, 1, tzinfo=UTC),
                                              step=timedelta(36_500), **ANN),
        "clock", ..., {"now": "2199-01-01T00:00:00Z"},
    ),
    "holders.import": (
        nothing, lambda w, _: w.holders.import_file(w.file, ImportPlan(), **ANN),
        "directory", None, {"read": 2, "created": 1, "rejected": 0},
    ),
    "holder.erase": (
        nothing, lambda w, _: w.holders.erase("ada", **ANN),
        "holder_1", None, {"wallets_with_credit": 0},
    ),
    "directory.unique": (
        nothing, lambda w, _: w.holders.unique(email=True, **ANN),
        "directory", {"username": False, "email": False}, {"username": False, "email": True},
    ),
    "webhook.add": (
        nothing, lambda w, _: endpoint(w),
        "webhook_1", None, {"url": "http://127.0.0.1:1/hook", "state": "on"},
    ),
    "webhook.change": (
        endpoint, lambda w, one: w.endpoints.change(one, on=False, **ANN),
        "webhook_1", ..., {"state": "off", "why": "operator"},
    ),
    "webhook.rotate": (
        endpoint, lambda w, one: w.endpoints.rotate(one, **ANN),
        "webhook_1", ..., {"state": "on"},
    ),
    "webhook.reseal": (
        endpoint, lambda w, _: w.endpoints.reseal(**ANN),
        "webhooks", None, {"webhooks": 1},
    ),
    "webhook.remove": (
        endpoint, lambda w, one: w.endpoints.remove(one, **ANN),
        "webhook_1", ..., {},
    ),
    "webhook.ping": (
        endpoint, lambda w, one: w.notices.ping(one, **ANN),
        "webhook_1", None, {"outcome": "failed", "status": None},
    ),
    "delivery.replay": (
        parked, lambda w, one: w.deliveries.replay(one, **ANN),
        "delivery_1", {"state": "parked", "note": "restored"}, {},
    ),
    "delivery.replay_range": (
        parked,
        lambda w, _: w.deliveries.replay_range(1, _START, datetime(2199, 1, 1, tzinfo=UTC), **ANN),
        "webhook_1", None, {"deliveries": 1, "kinds": []},
    ),
    "delivery.replay_mail": (
        refused_letter,
        lambda w, _: w.deliveries.replay_mail(_START, datetime(2199, 1, 1, tzinfo=UTC), **ANN),
        "email", None, {"deliveries": 1, "states": ["failing", "parked"]},
    ),
    "delivery.release": (
        parked_letter, lambda w, _: w.deliveries.release(Channel.EMAIL, **ANN),
        "email", None, {"deliveries": 1},
    ),
    "dispatch.pause": (
        dispatched, lambda w, one: w.dispatches.pause(one, **ANN),
        "dispatch_1", {"state": "running"}, {"state": "paused"},
    ),
    "dispatch.resume": (
        dispatch_paused, lambda w, one: w.dispatches.resume(one, **ANN),
        "dispatch_1", {"state": "paused"}, {"state": "running"},
    ),
    "dispatch.cancel": (
        dispatch_paused, lambda w, one: w.dispatches.cancel(one, **ANN),
        "dispatch_1", {"state": "paused"}, {"state": "canceled"},
    ),
    "bounce.clear": (
        bounced, lambda w, _: w.notices.bounces.clear(holder="ada", **ANN),
        "holder_1", {"addresses": 1, "statuses": [550]}, {"addresses": 0},
    ),
    "preferences.change": (
        nothing,
        lambda w, _: w.notices.preferences.change(
            "ada", choices={"deposit": {"email": False}}, **ANN
        ),
        "holder_1", {"choices": {}, "quiet": None}, {"choices": {"deposit": {"email": False}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("act", DEEDS)
async def test_a_deed_leaves_exactly_its_act(world: World, act: str) -> None:
    prepare, deed, subject, before, after = DEEDS[act]
    if act == "clock.move":  # two centuries of months are not this test's matter
        await world.programs.switch("monthly", on=False, **ANN)
    prepared = await prepare(world)
    earlier = await world.acts()
    await deed(world, prepared)
    [left] = (await world.acts())[len(earlier) :]
    voice = BOB if act.endswith(".approve") else ANN
    assert (left.act, left.subject, left.actor, left.reason) == (act, subject, *voice.values())
    assert before is ... or left.before == before
    assert after.items() <= (left.after or {}).items()
    await sound(world.ledger)


# --- who is refused, or does nothing, leaves none --------------------------------------------

MISSING = RunId(99)
REFUSED: dict[str, tuple[Callable[[World], Awaitable[Any]], Deed]] = {
    "another scale": (nothing, lambda w, _: w.ledger.add_asset("coins", scale=3, **ANN)),
    "no such program": (nothing, lambda w, _: w.runs.start("weekly", **ANN)),
    "a period that is run": (started, lambda w, _: w.start()),
    "a grant of nothing": (nothing, lambda w, _: w.runs.grant(asset="coins", amount=0, **ANN)),
    "who started it": (waiting_run, lambda w, run: w.runs.approve(run, 10, **ANN)),
    "another total": (waiting_run, lambda w, run: w.runs.approve(run, 11, **BOB)),
    "paused twice": (paused, lambda w, run: w.runs.pause(run, **ANN)),
    "resumed though it runs": (started, lambda w, run: w.runs.resume(run, **ANN)),
    "canceled when done": (done, lambda w, run: w.runs.cancel(run, **ANN)),
    "reverted while it runs": (started, lambda w, run: w.runs.revert(run, "clip", **ANN)),
    "retried though missing": (nothing, lambda w, _: w.runs.retry(MISSING, **ANN)),
    "no program to switch": (nothing, lambda w, _: w.programs.switch("x", on=True, **ANN)),
    "a refresh day of a month": (
        nothing,
        lambda w, _: w.programs.set_override("monthly", "ada", Override(refresh_day=3), **ANN),
    ),
    "no such alert": (nothing, lambda w, _: w.programs.resolve_alert(9, **ANN)),
    "an outage that ends first": (
        nothing,
        lambda w, _: w.programs.declare_outage(_START, _START - timedelta(1), **ANN),
    ),
    "a file that is none": (nothing, lambda w, _: w.economy.apply("x", **ANN)),
    "approved by its author": (raising, lambda w, version: w.economy.approve(version, **ANN)),
    "refused though in force": (nothing, lambda w, _: w.economy.refuse(1, **ANN)),
    "a clock put back": (nothing, lambda w, _: w.clock.move_to(_START - timedelta(9_999), **ANN)),
    "a strict import": (
        nothing,
        lambda w, _: w.holders.import_file(
            w.file, ImportPlan(strict=True, map={"external_id": "status"}), **ANN
        ),
    ),
    "erased though unknown": (nothing, lambda w, _: w.holders.erase("eve", **ANN)),
    "a webhook nowhere": (nothing, lambda w, _: w.endpoints.add("ftp://a.example", **ANN)),
    "the same webhook twice": (endpoint, lambda w, _: endpoint(w)),
    "no webhook to change": (nothing, lambda w, _: w.endpoints.change(9, on=False, **ANN)),
    "no webhook to rotate": (nothing, lambda w, _: w.endpoints.rotate(9, **ANN)),
    "no webhook to remove": (nothing, lambda w, _: w.endpoints.remove(9, **ANN)),
    "no webhook to ping": (nothing, lambda w, _: w.notices.ping(9, **ANN)),
    "pinged without a word": (
        endpoint,
        lambda w, one: w.notices.ping(one, actor="cli:ann", reason=""),
    ),
    "no delivery to replay": (nothing, lambda w, _: w.deliveries.replay(9, **ANN)),
    "no dispatch to pause": (nothing, lambda w, _: w.dispatches.pause(9, **ANN)),
    "a dispatch paused twice": (dispatch_paused, lambda w, one: w.dispatches.pause(one, **ANN)),
    "nothing that is blocked": (
        nothing,
        lambda w, _: w.notices.bounces.clear(holder="ada", **ANN),
    ),
    "a wish that is none": (
        nothing,
        lambda w, _: w.notices.preferences.change("ada", choices={"x": {}}, **ANN),
    ),
    "unique without a word": (nothing, lambda w, _: w.holders.unique(email=True)),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_leaves_no_act(world: World, case: str) -> None:
    prepare, deed = REFUSED[case]
    prepared = await prepare(world)
    earlier = await world.acts()
    with pytest.raises(BursarError):
        await deed(world, prepared)
    assert await world.acts() == earlier


async def test_what_changes_nothing_leaves_no_act(world: World) -> None:
    run = await world.start(work=True)
    await world.holders.import_file(world.file, ImportPlan(), **ANN)
    await world.holders.erase("bea", with_credit=True, **ANN)
    await world.programs.declare_outage(_START, _START + timedelta(1), **ANN)
    granted = await world.runs.grant(asset="coins", amount=7, reference="r", **ANN)
    hook = await endpoint(world)
    earlier = await world.acts()
    await world.ledger.add_asset("coins", **ANN)
    await world.apply()
    await world.economy.plan((await world.economy.show()).text.replace("= 5", "= 4"))
    await world.holders.import_file(world.file, ImportPlan(), **ANN)
    world.file.write_text("external_id\nzoe\n", "utf-8")
    await world.holders.import_file(world.file, ImportPlan(), dry_run=True, **ANN)
    await world.holders.erase(holder_id=2, **ANN)
    await world.holders.unique(username=False, **ANN)
    await world.programs.declare_outage(_START, _START + timedelta(1), **ANN)
    assert await world.runs.grant(asset="coins", amount=7, reference="r", **ANN) == granted
    assert await world.runs.retry(run, **ANN) == 0
    assert await world.deliveries.release(Channel.EMAIL, **ANN) == 0
    await world.notices.preferences.change("ada", choices={"deposit": {"email": None}}, **ANN)
    await world.endpoints.change(hook, on=True, **ANN)
    assert await world.acts() == earlier


async def test_of_two_who_pause_at_once_one_has_done_it(world: World) -> None:
    run = await world.start()
    both = (world.runs.pause(run, **voice) for voice in (ANN, BOB))
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(answer) for answer in answers if answer is not None) == [Rejected]
    assert len((await world.trail.acts(Wanted(act="run.pause"))).items) == 1


async def test_a_walk_of_the_clock_is_one_act_however_often_it_stops(world: World) -> None:
    now = (await world.clock.read()).now
    stops: list[datetime] = []
    await world.clock.move_to(now + timedelta(70), progress=stops.append, **ANN)
    assert len(stops) > 1
    [act] = (await world.trail.acts(Wanted(act="clock.move"))).items
    assert act.before is not None
    assert abs(datetime.fromisoformat(act.before["now"]) - now) < timedelta(minutes=5)
    assert act.acted_at - now < timedelta(days=1)


async def test_no_act_names_a_person_by_more_than_a_number(world: World) -> None:
    await world.holders.upsert([HolderChange("ada", email="ada@secret.org")], **ANN)
    await world.programs.set_override("monthly", "ada", Override(paused=True), **ANN)
    await world.runs.grant(asset="coins", amount=7, holders=["ada"], reference="for-ada", **ANN)
    await world.holders.import_file(world.file, ImportPlan(), **ANN)
    await world.notices.preferences.change("ada", choices={"deposit": {"email": False}}, **ANN)
    await bounced(world)
    await world.notices.bounces.clear(holder="ada", **ANN)
    await world.holders.erase("ada", with_credit=True, **ANN)
    kept = [str((a.subject, a.before, a.after)) for a in await world.acts()]
    assert [text for text in kept if "ada" in text or "mia" in text] == []


# --- a second person is not a second door (P10) ----------------------------------------------


@pytest.mark.parametrize("actor", ["cli:ann", "api:ann", "console:ann", "ann"])
async def test_a_run_is_not_approved_by_who_began_it_through_another_door(
    world: World, actor: str
) -> None:
    run = await waiting_run(world)
    with pytest.raises(Rejected) as refused:
        await world.runs.approve(run, 10, actor=actor, reason="fine")
    assert refused.value.code == "approval_second_person"
    await world.runs.approve(run, 10, actor="api:bob", reason="fine")


async def test_nor_by_who_wrote_its_program(world: World) -> None:
    await world.apply(approve_above=1)
    run = await world.runs.start("monthly", actor="api:cy", reason="november")
    for actor in ("console:ann", "cli:cy"):
        with pytest.raises(Rejected) as refused:
            await world.runs.approve(run, 10, actor=actor, reason="fine")
        assert refused.value.code == "approval_second_person"
    await world.runs.approve(run, 10, **BOB)


@pytest.mark.parametrize("actor", ["cli:ann", "api:ann", "console:ann", "ann"])
async def test_an_economy_is_not_approved_by_its_author_through_another_door(
    world: World, actor: str
) -> None:
    version = await raising(world)
    with pytest.raises(Rejected) as refused:
        await world.economy.approve(version, actor=actor, reason="fine")
    assert refused.value.code == "economy_second_person"
    assert (await world.economy.approve(version, **BOB)).decided_by == "cli:bob"


@pytest.mark.parametrize("reason", ["", "x" * 501, "two\nlines"])
@pytest.mark.parametrize("act", ["run.pause", "economy.refuse", "program.switch", "run.approve"])
async def test_a_reason_is_not_left_out(
    world: World, act: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, deed, *_ = DEEDS[act]
    prepared = await prepare(world)
    earlier = await world.acts()
    for voice in (ANN, BOB):
        monkeypatch.setitem(voice, "reason", reason)
    with pytest.raises(Invalid) as refused:
        await deed(world, prepared)
    assert refused.value.code == "posting_voice"
    assert await world.acts() == earlier


# --- the house: whoever adds a deed says what act it leaves ----------------------------------

AUDITED = {
    "Ledger.add_asset": "asset.add",
    "Runs.start": "run.start",
    "Runs.grant": "grant.start",
    "Runs.approve": "run.approve",
    "Runs.pause": "run.pause",
    "Runs.resume": "run.resume",
    "Runs.cancel": "run.cancel",
    "Runs.retry": "run.retry",
    "Runs.revert": "run.revert",
    "Programs.switch": "program.switch",
    "Programs.set_override": "program.override",
    "Programs.resolve_alert": "alert.resolve",
    "Programs.declare_outage": "outage.declare",
    "EconomyService.apply": "economy.apply",
    "EconomyService.approve": "economy.approve",
    "EconomyService.refuse": "economy.refuse",
    "TestClock.move_to": "clock.move",
    "Holders.import_file": "holders.import",
    "Holders.erase": "holder.erase",
    "Holders.unique": "directory.unique",
    "Endpoints.add": "webhook.add",
    "Endpoints.change": "webhook.change",
    "Endpoints.rotate": "webhook.rotate",
    "Endpoints.reseal": "webhook.reseal",
    "Endpoints.remove": "webhook.remove",
    "Notices.ping": "webhook.ping",
    "Deliveries.replay": "delivery.replay",
    "Deliveries.replay_range": "delivery.replay_range",
    "Deliveries.replay_mail": "delivery.replay_mail",
    "Deliveries.release": "delivery.release",
    "Dispatches.pause": "dispatch.pause",
    "Dispatches.resume": "dispatch.resume",
    "Dispatches.cancel": "dispatch.cancel",
    "Bounces.clear": "bounce.clear",
    "NoticePreferences.change": "preferences.change",
}
EXEMPT = {
    "Ledger.post": "movements are in the postings",
    "Ledger.submit": "movements are in the postings",
    "Ledger.distribute": "movements are in the postings",
    "Programs.put": "a part of what EconomyService.apply and approve do",
    "Programs.retire": "a part of what EconomyService.apply and approve do",
    "ProgramBook.put": "what the economy needs of Programs, no use case",
    "ProgramBook.retire": "what the economy needs of Programs, no use case",
    "Holders.change": "the app's daily work; who and why stand in each holder's history",
    "Holders.upsert": "the app's daily work; who and why stand in each holder's history",
}


def modules() -> list[ModuleType]:
    """Every module of the capabilities whose deeds are privileged."""
    packages = (
        bursar.ledger, bursar.holders, bursar.programs, bursar.notices, bursar.economy,
    )  # fmt: skip
    return [
        importlib.import_module(found.name)
        for package in packages
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


def deeds_of(module: ModuleType) -> set[str]:
    """Name the public methods of a module's public classes that say who and why."""
    return {
        f"{kind.__name__}.{name}"
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
        and {"actor", "reason"} <= inspect.signature(method).parameters.keys()
    }


def acts_written(module: ModuleType) -> set[str]:
    """Name the acts that a module spells out."""
    text = inspect.getsource(module)
    spelled = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', text))
    return spelled & set(AUDITED.values()) | set(re.findall(r'\bact="([a-z_.]+)"', text))


def test_a_method_with_actor_and_reason_leaves_an_act_or_says_why_not() -> None:
    found = set().union(*map(deeds_of, modules()))
    assert found == AUDITED.keys() | EXEMPT.keys()
    assert not AUDITED.keys() & EXEMPT.keys()


def test_every_act_that_is_written_is_one_of_the_table_and_is_tried() -> None:
    assert set().union(*map(acts_written, modules())) == set(AUDITED.values())
    assert DEEDS.keys() == set(AUDITED.values())

"""A whole small economy for requests that are made up, so that what they name is often there.

The club of the document's examples: people, credit of every sort, programs and their runs however
they may stand, holds, keys, an alert, an outage, versions of the file. Whatever can be used up,
as a run that waits, `prepare` makes anew for each endpoint that needs it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from bursar.access import Scope
from bursar.api.services import Services
from bursar.holders import HolderChange, Login
from bursar.ledger import AnyCommand, Credit, Debit, LotTerms, PlaceHold, SetLimit
from bursar.programs import store
from bursar.programs.model import RunId, RunState
from tests.api import furnished_notices

FOUNDER: Final[Mapping[str, str]] = {"actor": "api:founder", "reason": "a club is founded"}

CLUB: Final = """\
[economy]
name = "sportsclub"
sandbox = true

[assets.coins]
[assets.gems]

[notices]
send = ["deposit"]

[programs.monthly]
asset = "coins"
schedule = { every = "month" }
starts = 2020-01-01
amount = 250
limits = { award = LIMIT }
keep_reasons = ["subscribed"]
terms = { notices = ["deposit"] }
who = { subscribed = 'holder.status == "active"' }

[programs.careful]
asset = "coins"
schedule = { every = "month" }
starts = 2020-01-01
amount = 100
limits = { approve_above = 50 }

[programs.broken]
asset = "coins"
schedule = { every = "month" }
starts = 2020-01-01
amount = "100 / (holder.verified ? 1 : 0)"

[programs.daily]
asset = "coins"
schedule = { claim = "day", streak = { freezes = 1, freeze_days = 30 } }
amount = 10

[programs.yearly]
asset = "coins"
schedule = { days = 365, anchor = "created" }
amount = 7
"""

_FOUNDED: Final = datetime(2020, 1, 1, tzinfo=UTC)

Names = dict[str, list[Any]]


@dataclass(slots=True)
class Furniture:
    """What there is, by the name of the parameter or field that it may stand in."""

    services: Services
    names: Names = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _months: Iterator[int] = field(default_factory=count)

    def new(self, kind: str) -> str:
        """A name that nothing has yet."""
        return f"{kind}-{next(self._numbers)}"

    def club(self, *, limit: int = 500) -> str:
        """A text of the economy file that was not handed in yet."""
        return f"# {self.new('text')}\n" + CLUB.replace("LIMIT", str(limit))

    def higher(self) -> int:
        """A limit above all there were."""
        return 1000 + next(self._numbers)

    async def person(self, name: str = "", *, coins: int = 0) -> str:
        """Enrol somebody, with credit."""
        name = name or self.new("member")
        change = HolderChange(
            name,
            status="active",
            tier="pro",
            email=f"{name}@example.org",
            username=name,
            created_at=_FOUNDED,
        )
        [done] = await self.services.holders.upsert([change], **FOUNDER)
        assert done.refusal is None
        if coins:
            await self.move(
                Credit(holder=name, asset="coins", amount=coins, reference=self.new("welcome"))
            )
        return name

    async def move(self, command: AnyCommand) -> None:
        """Move credit."""
        (await self.services.ledger.submit(command, **FOUNDER)).unwrap()

    async def hold(self, holder: str = "maria") -> str:
        """Place a hold of 250; its reference."""
        await self.move(
            Credit(holder=holder, asset="coins", amount=250, reference=self.new("gift"))
        )
        deadline = datetime.now(UTC) + timedelta(days=300)
        reference = self.new("seat")
        await self.move(
            PlaceHold(
                holder=holder, asset="coins", amount=250, reference=reference, deadline=deadline
            )
        )
        return reference

    def period(self) -> str:
        """A month that no run was of."""
        months = next(self._months)
        return f"{2020 + months // 12}-{months % 12 + 1:02}"

    async def run(self, program: str = "monthly", *, work: bool = False) -> RunId:
        """Start a run, and have it done."""
        runs = self.services.programs.runs
        run_id = await runs.start(program, self.period(), **FOUNDER)
        if work:
            await runs.work()  # whatever goes before it, too
            done = (await runs.report(run_id)).run
            assert done.state is RunState.FINISHED, await runs.report(run_id)
        return run_id

    async def key(self) -> int:
        """Make a key."""
        made = await self.services.access.add_key(
            self.new("key"), "shop", [Scope.VIEWER], **FOUNDER
        )
        return made.key.key_id

    async def alert(self) -> int:
        """Raise a matter."""
        subject = self.new("run")
        async with self.services.ledger.database.connection() as connection:
            await store.raise_alert(connection, "approval_needed", subject, "look at it")
        found = await self.services.programs.alerts(limit=1000)
        return next(one.alert_id for one in found if one.subject == subject)


async def furnish(services: Services) -> Furniture:
    """Found the club, and let it live for a while."""
    f = Furniture(services)
    applied = await services.economy.apply(f.club(), **FOUNDER)
    assert applied.version.state == "applied"
    people = [await f.person(name, coins=10_000) for name in ("maria", "jun", "noah")]
    await services.holders.upsert([HolderChange("maria", tier="free")], **FOUNDER)
    await services.holders.note([Login("maria", datetime.now(UTC))])
    soon = datetime.now(UTC) + timedelta(days=200)
    lot = LotTerms(expires_at=soon, priority=1, origin="shop")
    moved: list[AnyCommand] = [
        Credit(holder="maria", asset="coins", amount=500, reference="pack-1", lot=lot),
        Debit(
            holder="maria",
            asset="coins",
            amount=120,
            reference="order-1042",
            source="shop",
            metadata={"cart": "c-77"},
        ),
        SetLimit(holder="noah", asset="coins", limit=500, reference="line-1"),
        Credit(holder="maria", asset="gems", amount=5, reference="gems-1"),
    ]
    for command in moved:
        await f.move(command)
    holds = [await f.hold(name) for name in people]
    runs = services.programs.runs
    finished, reverted = [await f.run(work=True) for _ in range(2)]
    await runs.work(await runs.revert(reverted, "net", **FOUNDER))
    waits, fails = await f.run("careful"), await f.run("broken", work=True)
    given = await runs.grant(asset="coins", amount=25, holders=["maria"], **FOUNDER)
    await services.programs.claim("daily", "maria", actor="api:founder")
    began = datetime.now(UTC) - timedelta(days=3)
    await services.programs.declare_outage(began, began + timedelta(hours=2), **FOUNDER)
    _, checking = await services.operation.start_verify(**FOUNDER)
    await checking
    journal = await services.ledger.journal(limit=20)
    f.names = {
        "holder": people,
        "external_id": people,
        "holders": [people, ["maria"]],
        "to": ["jun"],
        "asset": ["coins", "gems"],
        "code": ["coins", "gems"],
        "program": ["monthly", "careful", "broken", "daily"],
        "period": ["2026-03", "2026-05"],
        "run": [f"run_{run}" for run in (finished, reverted, waits, fails, given)],
        "hold": holds,
        "target": ["pack-1", "order-1042"],
        "origin": ["shop"],
        "version": [1],
        "posting_id": [entry.posting_id for entry in journal.items],
        "key": [await f.key()],
        "alert": [await f.alert()],
        "status": ["active"],
        "tier": ["free", "pro"],
        "source": ["shop"],
        "language": ["en", "de"],
        "actor": ["api:founder"],
        "act": ["run.*", "economy.apply"],
        "text": [f.club()],
        "deadline": [soon.isoformat()],
        "expires_at": [soon.isoformat()],
    }
    return f


async def _hold(f: Furniture) -> Names:
    references = [f.new("order") for _ in range(9)]
    return {
        "holder": ["maria"],
        "asset": ["coins"],
        "hold": [await f.hold()],
        "reference": references,
    }


async def _running(f: Furniture) -> Names:
    return {"run": [f"run_{await f.run()}"]}


async def _paused(f: Furniture) -> Names:
    run = await f.run()
    await f.services.programs.runs.pause(run, **FOUNDER)
    return {"run": [f"run_{run}"]}


async def _finished(f: Furniture) -> Names:
    return {"run": [f"run_{await f.run(work=True)}"]}


async def _failed(f: Furniture) -> Names:
    return {"run": [f"run_{await f.run('broken', work=True)}"]}


async def _waiting(f: Furniture) -> Names:
    run = await f.run("careful")
    found = (await f.services.programs.runs.report(run)).run
    assert found.estimate is not None
    return {"run": [found.name], "total": [found.estimate.amount]}


async def _version(f: Furniture) -> Names:
    """One that raises a limit, and waits for a second person."""
    text = f.club(limit=f.higher())
    applied = await f.services.economy.apply(text, **FOUNDER)
    assert applied.version.state == "waiting"
    return {"version": [applied.version.version]}


async def _wallet(f: Furniture) -> Names:
    """Of somebody whom no other request needs."""
    name = await f.person(coins=100_000)
    return {
        "holder": [name],
        "external_id": [name],
        "holders": [[name]],
        "asset": ["coins"],
        "reference": [f.new("order") for _ in range(9)],
    }


async def _stranger(f: Furniture) -> Names:
    return {"holder": [f.new("stranger") for _ in range(9)]}


async def _claimant(f: Furniture) -> Names:
    return {"holder": [await f.person()], "program": ["daily"]}


async def _later(f: Furniture) -> Names:
    now = (await f.services.clock.read()).now
    return {"to": [(now + timedelta(hours=1)).isoformat()], "by_s": [60, 3600]}


async def _leaving(f: Furniture) -> Names:
    return {"holder": [await f.person()]}


async def _key(f: Furniture) -> Names:
    return {"key": [await f.key()]}


async def _alert(f: Furniture) -> Names:
    return {"alert": [await f.alert()]}


async def _checked(f: Furniture) -> Names:
    """Nobody checks the books any more."""
    await f.services.background.wait()
    return {}


async def _text(f: Furniture) -> Names:
    return {"text": [f.club() for _ in range(3)]}


async def _switched(_f: Furniture) -> Names:
    return {"program": ["yearly"]}


async def _many(f: Furniture) -> Names:
    return {"external_id": [await f.person()]}


async def _unrun(f: Furniture) -> Names:
    return {"program": ["monthly"], "period": [f.period() for _ in range(3)]}


PREPARED: Final[Mapping[str, Callable[[Furniture], Awaitable[Names]]]] = {
    **furnished_notices.PREPARED,
    "applyEconomy": _text,
    "approveRun": _waiting,
    "approveVersion": _version,
    "cancelRun": _running,
    "captureHold": _hold,
    "changeHolders": _many,
    "claim": _claimant,
    "claimMine": _claimant,
    "eraseHolder": _leaving,
    "moveClock": _later,
    "pauseRun": _running,
    "placeHold": _wallet,
    "planEconomy": _text,
    "postBatch": _wallet,
    "postCommand": _wallet,
    "putHolder": _stranger,
    "refuseVersion": _version,
    "releaseHold": _hold,
    "resolveAlert": _alert,
    "resumeRun": _paused,
    "retryRun": _failed,
    "revertRun": _finished,
    "revokeKey": _key,
    "rotateKey": _key,
    "setLimit": _wallet,
    "setState": _wallet,
    "startRun": _unrun,
    "startVerification": _checked,
    "switchProgram": _switched,
}


async def prepare(f: Furniture, operation: str) -> Names:
    """Make what an endpoint uses up; what there is now, for a request to it."""
    make = PREPARED.get(operation)
    return f.names if make is None else f.names | await make(f)

"""A busy ledger for tests: every command there is, in two assets; and how to damage it."""

import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import psycopg

from bursar.ledger.audit.findings import Report
from bursar.ledger.commands import (
    AnyCommand,
    Capture,
    Credit,
    Debit,
    Expire,
    PlaceHold,
    Release,
    Reverse,
    SetLimit,
    SetState,
    Transfer,
)
from bursar.ledger.model import LotTerms, Result, WalletState
from bursar.ledger.posting import store
from bursar.ledger.service import Ledger


class Urls(Protocol):
    """Where a test's database is: as the service sees it, and as its owner does."""

    @property
    def url(self) -> str: ...

    @property
    def owner_url(self) -> str: ...


HOSTILE = 'a "quoted" \\ back\\slash; {braces} ^link #tag * payee | ünïcodé 漢字 🎈 ’'


def damage(database: Urls, *statements: str) -> None:
    """Do what only a superuser who means harm can do."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in statements:
            done = connection.execute(statement)
            assert done.rowcount > 0, statement


def named(report: Report) -> set[tuple[str, str]]:
    return {(finding.kind, finding.key) for finding in report.findings}


async def holder(ledger: Ledger, external_id: str) -> int:
    async with ledger.database.connection() as connection:
        query = "select holder_id from bursar.holder_ids where external_id = %s"
        row = await (await connection.execute(query, (external_id,))).fetchone()
    assert row is not None
    return int(row[0])


async def make_busy(ledger: Ledger) -> list[Result]:
    """Post some of everything; returns the results."""
    await ledger.add_asset("coins", actor="test", reason="test")
    await ledger.add_asset("gem_stones_2", scale=2, actor="test", reason="test")
    results: list[Result] = []
    for asset in ("coins", "gem_stones_2"):
        for batch in _story(asset):
            results += await ledger.post(batch, actor="tester", reason="a busy day")
    await _pass_time(ledger)
    settled = [Credit(holder=h, asset="coins", amount=1, reference="after") for h in ("a", "d")]
    results += await ledger.post(settled, actor="tester", reason="the day after")
    return results


def random_commands(chance: random.Random, run: str, size: int, holders: int) -> list[AnyCommand]:
    """A batch of what apps do all day."""
    commands: list[AnyCommand] = []
    for n in range(size):
        who = {"holder": f"h{chance.randrange(holders)}", "asset": "coins"}
        reference = f"{run}:{n}"
        soon = LotTerms(origin="rain", priority=chance.randrange(-1, 2))
        commands.append(
            chance.choice(
                [
                    Credit(**who, reference=reference, amount=chance.randrange(1, 500)),
                    Credit(**who, reference=reference, amount=chance.randrange(1, 500), lot=soon),
                    Debit(**who, reference=reference, amount=chance.randrange(1, 300)),
                    PlaceHold(**who, reference=reference, amount=chance.randrange(1, 100)),
                    Capture(
                        **who,
                        reference=reference,
                        hold=f"{run}:{chance.randrange(n + 1)}",
                        amount=chance.randrange(1, 50),
                        keep_rest=chance.random() < 0.5,
                    ),
                    Release(**who, reference=reference, hold=f"{run}:{chance.randrange(n + 1)}"),
                    Transfer(
                        **who,
                        reference=reference,
                        to=f"h{chance.randrange(holders)}",
                        amount=chance.randrange(1, 100),
                    ),
                    Reverse(
                        **who,
                        reference=reference,
                        target=f"{run}:{chance.randrange(n + 1)}",
                        policy=chance.choice(("debt", "clip", "net")),
                    ),
                    SetLimit(**who, reference=reference, limit=chance.choice((0, 0, 100))),
                    Expire(**who, reference=reference, keep=chance.randrange(50)),
                ]
            )
        )
    return commands


def _story(asset: str) -> list[list[AnyCommand]]:
    a, b, c, d = ({"holder": h, "asset": asset} for h in "abcd")
    old = LotTerms(origin="pack", priority=-1)
    meta = {"note": HOSTILE, "level": 3}
    return [
        [
            Credit(**a, amount=1_000, reference="r1", source="signup_bonus"),
            Credit(**a, amount=500, reference="lot1", lot=old, metadata=meta, source=HOSTILE),
            Credit(**b, amount=300, reference=HOSTILE, kind="purchase"),
            Credit(**c, amount=70, reference="brought along", kind="opening"),
            Credit(**d, amount=200, reference="d1", kind="earn", lot=LotTerms(priority=2)),
            SetLimit(**d, limit=100, reference="line"),
            Debit(**d, amount=250, reference="on credit"),
            SetLimit(**d, limit=0, reference="no line"),
        ],
        [
            PlaceHold(**a, amount=600, reference="hold1"),
            PlaceHold(**a, amount=50, reference="hold2"),
            PlaceHold(**a, amount=40, reference="hold3"),
            Capture(**a, hold="hold1", amount=200, keep_rest=True, reference="cap1"),
            Capture(**a, hold="hold1", amount=100, keep_rest=True, reference="cap2"),
            Release(**a, hold="hold2", reference="rel2"),
            Debit(**a, amount=123, reference="spend1", house_account="arcade"),
            Transfer(**a, amount=77, to="b", reference="gift"),
            Reverse(**a, target="spend1", amount=23, reference="undo part"),
            Reverse(**a, target="spend1", reference="undo rest"),
            Reverse(**a, target="gift", amount=7, reference="undo gift"),
        ],
        [
            Debit(**b, amount=350, reference="b spends"),
            Reverse(**b, target=HOSTILE, policy="debt", amount=100, reference="chargeback"),
            Debit(**c, amount=60, reference="c spends"),
            Reverse(**c, target="brought along", policy="net", reference="not yours"),
            Credit(**c, amount=45, reference="c again"),
            Reverse(**c, target="c again", policy="clip", reference="clipped"),
            Expire(**a, keep=10, origin="pack", reference="cap"),
            SetState(**d, state=WalletState.FROZEN, reference="freeze"),
            SetState(**d, state=WalletState.ACTIVE, reference="thaw"),
            Credit(**a, amount=5, reference="e1", kind="adjust"),
            Debit(**a, amount=3, reference="e2", kind="adjust"),
            Credit(**{**a, "holder": "e"}, amount=9, reference="g1", group="g"),
            Debit(**{**a, "holder": "e"}, amount=9, reference="g2", group="g"),
            SetState(**{**a, "holder": "e"}, state=WalletState.CLOSED, reference="g3", group="g"),
        ],
    ]


class _TooLate(Exception):
    """What was to end soon had ended before it was written."""


async def _pass_time(ledger: Ledger) -> None:
    """Leave lots and holds that end at once, so that the next command settles them.

    On a machine that is too busy for a short time a longer one is tried.
    """
    for seconds in (0.4, 4, 40):
        with suppress(_TooLate):
            soon = await _due_in(ledger, seconds)
            break
    else:
        raise AssertionError("what is to end soon is refused however late that is")
    async with ledger.database.connection() as connection:
        await connection.execute(
            "select pg_sleep(greatest(0, extract(epoch from %s - clock_timestamp()) + 0.01))",
            (soon,),
        )


async def _due_in(ledger: Ledger, seconds: float) -> datetime:
    async with ledger.database.connection() as connection:
        now, _ = await store.open_batch(connection, 1)
    soon = now + timedelta(seconds=seconds)
    due: list[AnyCommand] = [
        Credit(holder="a", asset="coins", amount=60, reference="s1", lot=LotTerms(soon)),
        PlaceHold(holder="a", asset="coins", amount=30, reference="s2", deadline=soon),
        Credit(holder="d", asset="coins", amount=500, reference="s1", lot=LotTerms(soon, -3)),
        PlaceHold(holder="d", asset="coins", amount=30, reference="s2", deadline=soon),
        PlaceHold(holder="d", asset="coins", amount=20, reference="s3"),
    ]
    async with ledger.database.transaction() as tx:
        results = await ledger.post(due, actor="tester", reason="soon over", tx=tx)
        if not all(result.ok for result in results):
            raise _TooLate
    return soon

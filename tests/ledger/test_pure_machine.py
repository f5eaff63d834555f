"""The decision against the reference model, and its invariants after every step (L1–L8, L13)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bursar.ledger import commands as c
from bursar.ledger.decision.position import Position
from bursar.ledger.model import Entry, Result, Status
from tests.ledger.in_memory import InMemory, chain_breaks, folded
from tests.ledger.reference_model import Line, Model, Wallet
from tests.ledger.scribe import ASSETS, HOLDERS, Scribe

START = datetime(2030, 1, 1, tzinfo=UTC)
PATIENT = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


@PATIENT
@given(random=st.randoms(use_true_random=False))
def test_every_batch_does_what_the_reference_model_does(random: Random) -> None:
    play(random)


def test_long_histories_do_what_the_reference_model_does() -> None:
    for seed in range(25):
        print(f"seed {seed}")  # noqa: T201
        play(Random(seed), batches=60)


@PATIENT
@given(random=st.randoms(use_true_random=False))
def test_a_batch_is_the_same_as_its_units_one_by_one(random: Random) -> None:
    model = Model(HOLDERS)
    scribe = Scribe(random, model)
    together, single = InMemory(HOLDERS, ASSETS), InMemory(HOLDERS, ASSETS)
    now = START
    for _ in range(random.randint(1, 5)):
        now = scribe.later(now)
        batch = [scribe.command(now) for _ in range(random.randint(1, 8))]
        units = pairs(random, [together.ask(command) for command in batch])
        one_by_one = [single.decide([unit], now)[0] for unit in units]
        assert together.decide(units, now) == one_by_one
        model.post(batch, now)  # only so that the scribe knows what there is
        by_wallet = sorted(together.entries, key=place)
        assert by_wallet == sorted(single.entries, key=place)
    assert together.positions == single.positions


@PATIENT
@given(random=st.randoms(use_true_random=False))
def test_a_refused_group_leaves_no_trace(random: Random) -> None:
    model = Model(HOLDERS)
    ledger = InMemory(HOLDERS, ASSETS)
    scribe = Scribe(random, model)
    now = START
    for _ in range(random.randint(1, 8)):
        now = scribe.later(now)
        batch = scribe.batch(now)
        model.post(batch, now)
        ledger.post(batch, now)
    now = scribe.later(now)
    members = [scribe.command(now) for _ in range(random.randint(1, 6))]
    last = c.Capture(holder="ada", asset="coins", reference="last", hold="there is none")
    before = ledger.entries.copy(), ledger.positions.copy()
    group = [msgspec.structs.replace(member, group="g") for member in (*members, last)]
    results = ledger.post(group, now)
    assert not any(result.ok for result in results)
    assert (ledger.entries, ledger.positions) == before
    assert chain_breaks(ledger.entries) == []
    for key, position in ledger.positions.items():
        assert seen(folded(ledger.entries, key)) == seen(position)
    # nor does what follows find any
    model.post(members, now)
    ledger.post(members, now)
    check(ledger, model)


@PATIENT
@given(random=st.randoms(use_true_random=False))
def test_it_does_not_matter_how_often_a_wallet_is_looked_at(random: Random) -> None:
    """What time does is the same, whether it is written at once or found late (L6)."""
    model = Model(HOLDERS)
    scribe = Scribe(random, model)
    rarely, often = InMemory(HOLDERS, ASSETS), InMemory(HOLDERS, ASSETS)
    now = START
    for _ in range(random.randint(1, 12)):
        for _ in range(6):
            now += timedelta(minutes=15)
            often.post([look(holder, asset) for holder in HOLDERS for asset in ASSETS], now)
        batch = scribe.batch(now)
        model.post(batch, now)
        assert [r.status for r in rarely.post(batch, now)] == [
            r.status for r in often.post(batch, now)
        ]
    rarely.post([look(holder, asset) for holder in HOLDERS for asset in ASSETS], now)
    for key, position in rarely.positions.items():
        assert what_happened(rarely, key) == what_happened(often, key)
        assert seen(position) == seen(often.positions[key])


def look(holder: str, asset: str) -> c.AnyCommand:
    """Ask for something that is refused, so that only time has its way."""
    return c.Release(holder=holder, asset=asset, reference="look", hold="there is none")


def what_happened(ledger: InMemory, key: tuple[int, int]) -> list[tuple]:
    return [
        (entry.kind, entry.amount, entry.held_change, entry.reference, entry.effective_at)
        for entry in ledger.entries
        if (entry.holder_id, entry.asset_id) == key
    ]


def play(random: Random, batches: int | None = None) -> None:
    """Let ledger and model do the same, and compare."""
    model = Model(HOLDERS)
    ledger = InMemory(HOLDERS, ASSETS)
    scribe = Scribe(random, model)
    now = START
    for _ in range(batches or random.randint(1, 10)):
        now = scribe.later(now)
        batch = scribe.batch(now)
        floors = {k: floor_of(p) for k, p in ledger.positions.items()}
        first = len(ledger.entries)
        expected = model.post(batch, now)
        results = ledger.post(batch, now)
        for command, result, (status, line) in zip(batch, results, expected, strict=True):
            assert result.status == status, (command, result, status)
            if line is not None:
                assert as_line(result.entry) == expectation(line)
        check(ledger, model)
        check_floors(ledger, ledger.entries[first:], floors)


def check(ledger: InMemory, model: Model) -> None:
    """Compare with the model, wallet by wallet, and hold the invariants up against it."""
    assert chain_breaks(ledger.entries) == []
    for (holder, asset), wallet in model.wallets.items():
        key = (HOLDERS[holder], ASSETS[asset])
        position = ledger.positions[key]
        own = [e for e in ledger.entries if (e.holder_id, e.asset_id) == key]
        assert [as_line(entry) for entry in own] == [expectation(line) for line in wallet.lines]
        assert [entry.seq for entry in own] == list(range(1, len(own) + 1))
        assert all(a.recorded_at <= b.recorded_at for a, b in pairwise(own))
        assert all(entry.effective_at <= entry.recorded_at for entry in own)
        assert seen(position) == wanted(wallet)
        assert seen(folded(own, key)) == seen(position)
        check_parts(position)
    assert {k for k, p in ledger.positions.items() if p.seq} == {
        (HOLDERS[h], ASSETS[a]) for h, a in model.wallets
    }
    for asset_id in ASSETS.values():
        entries = [e for e in ledger.entries if e.asset_id == asset_id]
        balances = [p.balance for k, p in ledger.positions.items() if k[1] == asset_id]
        assert sum(e.amount for e in entries) == sum(balances)
        assert sum(e.amount for e in entries if e.house_account == "transit") == 0


def check_parts(position: Position) -> None:
    parts = position.parts
    lots = [] if parts is None else list(parts.lots.values())
    holds = [] if parts is None else [h for h in parts.holds.values() if h.state == "open"]
    assert sum(lot.remaining for lot in lots) <= max(0, position.available)
    assert all(lot.remaining >= 0 and lot.held >= 0 for lot in lots)
    drawn: dict[int, int] = {}
    for hold in holds:
        assert sum(share for _, share in hold.draws) <= hold.remaining
        for seq, share in hold.draws:
            drawn[seq] = drawn.get(seq, 0) + share
    assert {lot.seq: lot.held for lot in lots if lot.held} == drawn
    assert position.held == sum(hold.remaining for hold in holds)
    assert position.open_holds == len(holds)
    assert position.open_lots == len([lot for lot in lots if lot.remaining + lot.held])


def check_floors(
    ledger: InMemory, entries: list[Entry], floors: dict[tuple[int, int], tuple[int, int]]
) -> None:
    """Only a reversal by policy takes a wallet below its floor (L4)."""
    for entry in entries:
        key = (entry.holder_id, entry.asset_id)
        available, limit = floors.get(key, (0, 0))
        after = available + entry.amount - entry.held_change
        if after < available and entry.kind != "reverse":
            assert after >= -limit, entry
        if entry.detail is not None and entry.detail.limit is not None:
            limit = entry.detail.limit
        floors[key] = (after, limit)


def floor_of(position: Position) -> tuple[int, int]:
    return position.available, position.credit_limit


def pairs(random: Random, asks: list) -> list[list]:
    """Cut a list into units of one or two."""
    units = []
    while asks:
        size = random.choice((1, 1, 1, 2))
        units.append(asks[:size])
        asks = asks[size:]
    return units


def place(entry: Entry) -> tuple[int, int, int]:
    return entry.holder_id, entry.asset_id, entry.seq


def as_line(entry: Entry | None) -> tuple:
    assert entry is not None
    lots = {} if entry.detail is None else dict(entry.detail.lots)
    return (
        entry.seq,
        str(entry.kind),
        entry.amount,
        entry.held_change,
        entry.balance,
        entry.reference,
        entry.house_account,
        entry.effective_at,
        entry.recorded_at,
        lots,
    )


def expectation(line: Line) -> tuple:
    return (
        line.seq,
        line.kind,
        line.amount,
        line.held_change,
        line.balance,
        line.reference,
        line.house_account,
        line.effective_at,
        line.recorded_at,
        line.lots,
    )


def seen(position: Position) -> tuple:
    """What a position says, in plain values."""
    parts = position.parts
    lots = {} if parts is None else parts.lots
    holds = {} if parts is None else parts.holds
    return (
        (position.balance, position.held, position.credit_limit, position.owed, position.state),
        {
            seq: (lot.remaining, lot.held, lot.priority, lot.expires_at, lot.origin)
            for seq, lot in lots.items()
        },
        {
            ref: (hold.seq, hold.remaining, str(hold.state), hold.deadline, hold.draws)
            for ref, hold in holds.items()
        },
        {} if parts is None else {seq: n for seq, n in parts.reversed.items() if n},
    )


def wanted(wallet: Wallet) -> tuple:
    """What the model says, in the same shape."""
    return (
        (wallet.balance, wallet.held, wallet.limit, wallet.owed, wallet.state),
        {
            p.seq: (p.left, p.held, p.priority, p.expires_at, p.origin)
            for p in wallet.parcels.values()
        },
        {
            ref: (h.seq, h.left, h.state, h.deadline, tuple((s, n) for s, n in h.paid.parcels))
            for ref, h in wallet.holds.items()
        },
        {line.seq: line.undone for line in wallet.lines if line.undone},
    )


def differs(result: Result) -> list[str]:
    assert result.status is Status.REFERENCE_CONFLICT
    assert result.refusal is not None
    return result.refusal.fields["differs"]

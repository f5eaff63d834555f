"""Whatever is asked, it is refused alone: neighbours are applied exactly once (L2)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

from bursar.ledger import commands as c
from bursar.ledger.decision.distribution import Distribution
from bursar.ledger.model import MAX_AMOUNT, MAX_BATCH, LotTerms, Result, Status
from bursar.ledger.posting import store
from bursar.ledger.service import Ledger
from bursar.platform.errors import Invalid
from tests.ledger.books import damage, everything, table

NOON = datetime(2040, 1, 1, 12, tzinfo=UTC)
ADA = {"holder": "ada", "asset": "coins"}
WELL = c.Credit(**ADA, reference="bad", amount=5)
HOLD = c.PlaceHold(**ADA, reference="bad", amount=5)
EXTEND = c.Extend(**ADA, reference="bad", until=NOON)
CAPTURE = c.Capture(**ADA, reference="bad", hold="good hold")
TRANSFER = c.Transfer(**ADA, reference="bad", to="ben", amount=5)


def deep(levels: int) -> dict[str, Any]:
    nested: Any = None
    for _ in range(levels):
        nested = [nested]
    return {"deep": nested}


def endless() -> dict[str, Any]:
    nested: dict[str, Any] = {}
    nested["again"] = nested
    return nested


class Instant(datetime):
    """Not quite a datetime."""


MALFORMED: list[tuple[c.AnyCommand, dict[str, Any], str]] = [
    *((WELL, {"amount": bad}, "amount") for bad in (0, -5, MAX_AMOUNT + 1, 10**30, 5.0, True)),
    *((WELL, {"amount": bad}, "amount") for bad in (None, "5", Decimal(5), [], float("nan"))),
    *((WELL, {"reference": bad}, "reference") for bad in ("", "a\0", "\ud800", "a\nb", "x" * 201)),
    *((WELL, {"reference": bad}, "reference") for bad in ("bursar:x", None, 5, [], b"x")),
    *((WELL, {"asset": bad}, "asset") for bad in ("", "\ud800", "x" * 10**7, None, [], 5)),
    *((WELL, {"holder": bad}, "holder") for bad in ("", "a\0", "\ud800", "a\nb", 5, [])),
    (WELL, {"holder": None}, "holder"),
    (WELL, {"holder_id": 1}, "holder"),
    *(
        (WELL, {"holder": None, "holder_id": bad}, "holder_id")
        for bad in (0, -1, MAX_AMOUNT + 1, True, 1.0, "1", [])
    ),
    *((WELL, {"group": bad}, "group") for bad in ("", "a\0", 0, 1, True, [], {}, "x" * 201)),
    *((WELL, {"source": bad}, "source") for bad in ("", "a\0", 5, [], "\ud800")),
    *((WELL, {"kind": bad}, "kind") for bad in ("spend", "", None, [], {}, 5, "\ud800")),
    *((WELL, {"house_account": bad}, "house_account") for bad in ("", "A", "1a", "é", [], 5)),
    *(
        (WELL, {"metadata": bad}, "metadata")
        for bad in (
            [],
            "text",
            5,
            {"a": object()},
            {"a": "\0"},
            {"a": "\ud800"},
            {"a": float("nan")},
            {"a": [{"b": float("inf")}]},
            {"a": "x" * 10**7},
            {1: 2},
            {None: 1},
            endless(),
            deep(3000),
            {"a": NOON.tzinfo},
        )
    ),
    *(
        (WELL, {"effective_at": bad}, "effective_at")
        for bad in (datetime(2020, 1, 1), "2020-01-01T00:00:00Z", 0, [])  # noqa: DTZ001
    ),
    *(
        (WELL, {"effective_at": bad}, "effective_at")
        for bad in (
            datetime(1, 1, 1, tzinfo=UTC),
            datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
            datetime.max.replace(tzinfo=UTC),
        )
    ),
    *((WELL, {"lot": bad}, "lot") for bad in ({}, {"priority": 1}, [], "lot", 5, LotTerms)),
    *(
        (WELL, {"lot": LotTerms(priority=bad)}, "lot.priority")
        for bad in (1001, -1001, 1.0, True, None, "1")
    ),
    *((WELL, {"lot": LotTerms(origin=bad)}, "lot.origin") for bad in ("", "a\0", 5, [])),
    *(
        (WELL, {"lot": LotTerms(expires_at=bad)}, "lot.expires_at")
        for bad in (
            datetime(2040, 1, 1),  # noqa: DTZ001
            datetime.max.replace(tzinfo=UTC),
            NOON.replace(tzinfo=timezone(timedelta(seconds=30))),
            Instant(2040, 1, 1, tzinfo=UTC),
            "never",
        )
    ),
    *(
        (HOLD, {"deadline": bad}, "deadline")
        for bad in (datetime(2040, 1, 1), NOON.replace(tzinfo=timezone(timedelta(seconds=30))), 5)  # noqa: DTZ001
    ),
    *((CAPTURE, {"hold": bad}, "hold") for bad in ("", "a\0", None, [])),
    *((CAPTURE, {"keep_rest": bad}, "keep_rest") for bad in ("yes", 1, None, [])),
    *((CAPTURE, {"amount": bad}, "amount") for bad in (0, -1, True, 1.0)),
    *((TRANSFER, {"to": bad}, "to") for bad in ("ada", "", "a\0", None, 5, [])),
    (TRANSFER, {"to_id": 5}, "to"),
    *((TRANSFER, {"to": None, "to_id": bad}, "to_id") for bad in (0, -1, True, [])),
    *(
        (c.Reverse(**ADA, reference="bad", target="good hold"), {"policy": bad}, "policy")
        for bad in ("", None, [], "steal")
    ),
    (c.Reverse(**ADA, reference="bad", target="x"), {"target": []}, "target"),
    *((c.SetLimit(**ADA, reference="bad", limit=0), {"limit": bad}, "limit") for bad in (-1, 1.0)),
    *((c.SetState(**ADA, reference="bad", state=bad), {}, "state") for bad in ("open", [], None)),
    *((c.Expire(**ADA, reference="bad"), {"keep": bad}, "keep") for bad in (-1, None, True)),
    (c.Expire(**ADA, reference="bad"), {"origin": []}, "origin"),
    *(
        (EXTEND, {"until": bad}, "until")
        for bad in (None, 5, "2040", datetime(2040, 1, 1), datetime.max.replace(tzinfo=UTC))  # noqa: DTZ001
    ),
    *((EXTEND, {"hold": bad}, "hold") for bad in ("", "a\0", 5, [])),
    *((EXTEND, {"origin": bad}, "origin") for bad in ("", "a\0", 5, [])),
    (EXTEND, {"origin": "plan", "hold": "good hold"}, "origin"),
]


@pytest.fixture
async def opened(ledger: Ledger) -> Ledger:
    await post(
        ledger,
        c.Credit(**ADA, reference="start", amount=1000),
        c.Credit(holder="ben", asset="coins", reference="start", amount=1000),
        c.PlaceHold(**ADA, reference="good hold", amount=10),
    )
    return ledger


async def test_what_is_malformed_is_refused_by_name_and_its_neighbours_are_applied(
    opened: Ledger, database: Any
) -> None:
    """All in one batch, each between two sound neighbours."""
    batch: list[Any] = []
    for number, (command, change, _) in enumerate(MALFORMED):
        batch.append(c.Credit(**ADA, reference=f"good {number}", amount=1))
        batch.append(msgspec.structs.replace(command, **change))
    results = await post(opened, *batch)
    for result, (command, change, field) in zip(results[1::2], MALFORMED, strict=True):
        told = (type(command).__name__, field, list(change))
        assert result.status is Status.INVALID, told
        assert result.refusal is not None
        assert result.refusal.fields["field"] == field, told
        msgspec.json.encode(result.refusal)
    assert {result.status for result in results[::2]} == {Status.APPLIED}
    assert balance(database, "ada") == 1000 + len(MALFORMED)
    assert damage(database.owner_url) == []


@pytest.mark.parametrize("group", [0, 1, True, [], {"a": 1}])
async def test_a_malformed_group_drags_nobody_along(opened: Ledger, group: Any) -> None:
    good = c.Credit(**ADA, reference="a", amount=1)
    bad = c.Credit(**ADA, reference="b", amount=1, group=group)
    in_a_group = c.Credit(**ADA, reference="c", amount=1, group="g")
    results = await post(opened, good, in_a_group, bad)
    assert [result.status for result in results] == [
        Status.APPLIED,
        Status.APPLIED,
        Status.INVALID,
    ]


async def test_a_malformed_member_refuses_its_group(opened: Ledger, database: Any) -> None:
    bad = c.Credit(**ADA, reference="b", amount=0, group="g")
    good = c.Credit(holder="ben", asset="coins", reference="c", amount=1, group="g")
    results = await post(opened, good, bad)
    assert [r.status for r in results] == [Status.GROUP_REFUSED, Status.INVALID]
    assert balance(database, "ben") == 1000


@pytest.mark.parametrize("thing", [None, 5, "credit", {}, [], object(), LotTerms(), c.Credit])
async def test_what_is_no_command_is_refused_alone(opened: Ledger, thing: Any) -> None:
    good = c.Credit(**ADA, reference="good", amount=1)
    results = await post(opened, thing, good)
    assert [result.status for result in results] == [Status.INVALID, Status.APPLIED]
    single = await opened.submit(thing, actor="test", reason="bad input")
    assert single.status is Status.INVALID


@pytest.mark.parametrize("size", [0, MAX_BATCH + 1])
async def test_a_batch_has_its_bounds(opened: Ledger, size: int) -> None:
    with pytest.raises(Invalid, match="batch"):
        await post(opened, *[WELL] * size)


@pytest.mark.parametrize("voice", ["", "a\nb", "\0", "\ud800", None, 5, "x" * 1000])
async def test_a_posting_says_who_and_why(opened: Ledger, voice: Any) -> None:
    with pytest.raises(Invalid, match="actor"):
        await opened.post([WELL], actor=voice, reason="why")
    with pytest.raises(Invalid, match="reason"):
        await opened.submit(WELL, actor="who", reason=voice)


async def test_what_is_not_there_is_told(opened: Ledger, database: Any) -> None:
    for command, status in (
        (c.Credit(holder="ada", asset="shells", reference="r", amount=1), Status.ASSET_UNKNOWN),
        (c.Credit(holder_id=10**9, asset="coins", reference="r", amount=1), Status.WALLET_UNKNOWN),
        (c.Debit(holder="nobody", asset="coins", reference="r", amount=1), Status.WALLET_UNKNOWN),
        (c.Debit(holder="ada", asset="gems", reference="r", amount=1), Status.WALLET_UNKNOWN),
        (c.Transfer(**ADA, reference="r", to_id=10**9, amount=1), Status.WALLET_UNKNOWN),
        (
            c.Transfer(holder="ada", asset="gems", reference="r", to="ben", amount=1),
            Status.WALLET_UNKNOWN,
        ),
        (c.Capture(**ADA, reference="r", hold="start"), Status.HOLD_UNKNOWN),
        (c.Reverse(**ADA, reference="r", target="nothing"), Status.ENTRY_UNKNOWN),
        (c.Reverse(**ADA, reference="r", target="good hold"), Status.NOT_REVERSIBLE),
    ):
        assert [r.status for r in await post(opened, command)] == [status], command
    assert table(database.owner_url, "select count(*) from bursar.wallets") == [(2,)]


async def test_nobody_sends_to_oneself_under_whatever_name(opened: Ledger, database: Any) -> None:
    ((number,),) = table(
        database.owner_url, "select holder_id from bursar.holder_ids where external_id = 'ada'"
    )
    for sender in ({"holder": "ada"}, {"holder_id": number}):
        for receiver in ({"to": "ada"}, {"to_id": number}):
            command = c.Transfer(**sender, **receiver, asset="coins", reference="r", amount=1)
            (result,) = await post(opened, command)
            assert result.status is Status.INVALID


async def test_no_instant_lies_on_the_wrong_side_of_now(opened: Ledger) -> None:
    past, future = datetime(2001, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    for command in (
        c.Credit(**ADA, reference="r", amount=1, effective_at=future),
        c.Credit(**ADA, reference="r", amount=1, lot=LotTerms(past)),
        c.PlaceHold(**ADA, reference="r", amount=1, deadline=past),
    ):
        (result,) = await post(opened, command)
        assert result.status is Status.TIME_OUT_OF_RANGE
    far = datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(-timedelta(hours=14)))
    long_ago = datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    for command in (
        c.Credit(**ADA, reference="1", amount=1, lot=LotTerms(far), effective_at=long_ago),
        c.PlaceHold(**ADA, reference="2", amount=1, deadline=far),
    ):
        (result,) = await post(opened, command)
        (again,) = await post(opened, command)
        assert (result.status, again.status) == (Status.APPLIED, Status.REPLAYED)
        assert again.entry == result.entry


async def test_as_large_as_it_may_be_it_is_taken(opened: Ledger, database: Any) -> None:
    metadata = deep(400) | {"null": None, "text": "é" * 1000, "number": 2**63}
    command = c.Credit(
        holder="𝄞" * 200, asset="gems", reference="𝄞" * 200, amount=MAX_AMOUNT, metadata=metadata
    )
    gift = c.Transfer(
        holder="𝄞" * 200, asset="gems", reference="𝄞" * 199, to="é" * 200, amount=MAX_AMOUNT
    )
    for each in (command, gift):
        (result,) = await post(opened, each)
        (again,) = await post(opened, each)
        assert (result.status, again.status) == (Status.APPLIED, Status.REPLAYED)
        assert again.entry == result.entry
    assert damage(database.owner_url) == []


async def test_what_becomes_of_the_callers_metadata_is_no_matter(
    opened: Ledger, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken when the command is examined, though it is written later."""
    metadata: dict[str, Any] = {"a": 1}

    def spoil() -> None:
        metadata["a"] = object()

    meanwhile(monkeypatch, "read_positions", spoil)
    command = c.Credit(**ADA, reference="r", amount=5, metadata=metadata)
    (result,) = await post(opened, command)
    assert result.entry is not None
    assert result.entry.metadata == '{"a":1}'


async def test_no_sum_leaves_the_range(opened: Ledger, database: Any) -> None:
    def command(kind: type, reference: str, **more: Any) -> Any:
        return kind(holder="max", asset="coins", reference=reference, **more)

    for asked, status in (
        (command(c.Credit, "a", amount=MAX_AMOUNT), Status.APPLIED),
        (command(c.Credit, "over", amount=1), Status.BALANCE_OVERFLOW),
        (command(c.SetLimit, "limit", limit=MAX_AMOUNT), Status.APPLIED),
        (command(c.PlaceHold, "h", amount=MAX_AMOUNT), Status.APPLIED),
        (command(c.PlaceHold, "over", amount=1), Status.BALANCE_OVERFLOW),
        (command(c.Transfer, "over", to="ada", amount=1), Status.APPLIED),
        (command(c.Reverse, "-a", target="a", policy="debt"), Status.APPLIED),
        (command(c.Credit, "b", amount=MAX_AMOUNT), Status.APPLIED),
        (command(c.Debit, "s", amount=MAX_AMOUNT - 1), Status.APPLIED),
        (command(c.Reverse, "-b", target="b", policy="debt"), Status.APPLIED),
        (command(c.Capture, "c", hold="h"), Status.BALANCE_OVERFLOW),
        (command(c.Reverse, "-s", target="s"), Status.APPLIED),
    ):
        (result,) = await post(opened, asked)
        assert result.status is status, asked
    assert damage(database.owner_url) == []


async def test_what_is_owed_stays_in_range(opened: Ledger) -> None:
    for reference in ("a", "b"):
        results = await post(
            opened,
            c.Credit(
                holder="max", asset="coins", reference=reference, amount=MAX_AMOUNT, kind="purchase"
            ),
            c.Debit(holder="max", asset="coins", reference=f"s{reference}", amount=MAX_AMOUNT),
            c.Reverse(
                holder="max",
                asset="coins",
                reference=f"-{reference}",
                target=reference,
                policy="net",
            ),
        )
    assert results[-1].status is Status.BALANCE_OVERFLOW


@pytest.fixture
def picky(database: Any) -> None:
    """A database that will not have one amount."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("alter table bursar.entries add constraint no_beast check (amount <> 666)")


PAYDAY = Distribution(asset="coins", reference="payday", holder_ids=(1, 2), amounts=(5, 5))


@pytest.mark.parametrize(
    "change",
    [
        *({"holder_ids": bad} for bad in ((), (1,), (1, 1), (1, [2]), (1, 2.0), (1, True), (0, 1))),
        *({"holder_ids": bad} for bad in (None, 5, {1, 2}, "12", (1, None), (1, 2**63))),
        *({"amounts": bad} for bad in ((5,), (5, 0), (5, 2.5), (5, True), (5, []), (5, 2**63))),
        *({"amounts": bad} for bad in (None, 5, "55", (5, None))),
        *({"asset": bad} for bad in ([], None, "", "\ud800")),
        *({"reference": bad} for bad in ("", "bursar:x", [], None, "a\0")),
        *({"kind": bad} for bad in ([], None, "spend")),
        {"metadata": {"a": float("nan")}},
        {"metadata": []},
        {"lot": {}},
        {"effective_at": datetime(2020, 1, 1)},  # noqa: DTZ001
    ],
    ids=str,
)
async def test_a_malformed_distribution_is_refused_as_a_whole(
    change: dict[str, Any], opened: Ledger, database: Any
) -> None:
    before = everything(database.owner_url)
    with pytest.raises(Invalid):
        await opened.distribute(
            msgspec.structs.replace(PAYDAY, **change), actor="test", reason="bad input"
        )
    assert everything(database.owner_url) == before


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize("inside", [False, True], ids=["on its own", "in a transaction"])
async def test_whoever_cannot_be_paid_keeps_nobody_else_from_it(
    opened: Ledger, database: Any, inside: bool
) -> None:
    """A stranger, a closed wallet, an amount that the database refuses, one that is too much."""
    names = [f"h{i}" for i in range(5)]
    await post(
        opened,
        *[c.SetLimit(holder=name, asset="coins", reference="open", limit=0) for name in names],
        c.SetState(holder="h1", asset="coins", reference="close", state="closed"),
        c.Credit(holder="h2", asset="coins", reference="rich", amount=MAX_AMOUNT),
        c.SetState(holder="h4", asset="coins", reference="freeze", state="frozen"),
    )
    ids = dict(table(database.owner_url, "select external_id, holder_id from bursar.holder_ids"))
    given = Distribution(
        asset="coins",
        reference="payday",
        holder_ids=[ids["h0"], ids["h1"], ids["h2"], ids["h3"], ids["h4"], 10**9],
        amounts=[666, 5, 5, 5, 5, 5],
    )
    if inside:
        async with opened.database.transaction() as tx:
            done = await opened.distribute(given, actor="test", reason="bad input", tx=tx)
    else:
        done = await opened.distribute(given, actor="test", reason="bad input")
    assert {holder: refusal.status for holder, refusal in done.refused.items()} == {
        ids["h0"]: Status.DATABASE_REFUSED,
        ids["h1"]: Status.WALLET_CLOSED,
        ids["h2"]: Status.BALANCE_OVERFLOW,
        10**9: Status.WALLET_UNKNOWN,
    }
    assert (done.applied, done.replayed) == (2, 0)
    assert [balance(database, name) for name in names] == [0, 0, MAX_AMOUNT, 5, 5]
    assert damage(database.owner_url) == []


@pytest.fixture
def guarded(database: Any) -> None:
    """A database with a guard of the operator's own."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            """
            create function guard() returns trigger language plpgsql as $$
            begin
                if new.amount = 666 then raise exception 'no beasts here'; end if;
                return new;
            end $$;
            create trigger guard before insert on bursar.entries
                for each row execute function guard();
            """
        )


@pytest.mark.usefixtures("guarded")
async def test_what_a_trigger_of_the_operator_refuses_is_refused_alone(opened: Ledger) -> None:
    batch = [c.Credit(**ADA, reference=f"r{n}", amount=n) for n in (665, 666, 667)]
    results = await post(opened, *batch)
    assert [result.status for result in results] == [
        Status.APPLIED,
        Status.DATABASE_REFUSED,
        Status.APPLIED,
    ]


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize("size", [1, 2, 9, 1200])
async def test_what_the_database_refuses_is_refused_alone(
    opened: Ledger, database: Any, size: int
) -> None:
    batch = [
        c.Credit(holder=f"h{i % 7}", asset="coins", reference=f"r{i}", amount=1)
        for i in range(size)
    ]
    beast = msgspec.structs.replace(batch[size // 2], amount=666)
    batch[size // 2] = beast
    results = await post(opened, *batch)
    refused = [i for i, result in enumerate(results) if result.status is not Status.APPLIED]
    assert refused == [size // 2]
    refusal = results[size // 2].refusal
    assert refusal is not None
    assert (refusal.status, refusal.fields["constraint"]) == (Status.DATABASE_REFUSED, "no_beast")
    ((applied,),) = table(database.owner_url, "select count(*) from bursar.entries") or ((0,),)
    assert applied == 3 + size - 1
    again = await post(opened, *batch)
    assert {r.status for i, r in enumerate(again) if i != size // 2} <= {Status.REPLAYED}
    assert damage(database.owner_url) == []


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize("inside", [False, True], ids=["on its own", "in a transaction"])
async def test_what_the_database_refuses_takes_its_group_along_and_nobody_else(
    opened: Ledger, database: Any, inside: bool
) -> None:
    batch = [
        c.Credit(holder="cyd", asset="coins", reference="before", amount=1),
        c.Debit(**ADA, reference="g", amount=100, group="g"),
        c.Credit(holder="ben", asset="coins", reference="g", amount=666, group="g"),
        c.Credit(**ADA, reference="after", amount=1),
        c.Transfer(**ADA, reference="gift", to="ben", amount=5),
    ]
    if inside:
        async with opened.database.transaction() as tx:
            results = await opened.post(batch, actor="test", reason="bad input", tx=tx)
    else:
        results = await post(opened, *batch)
    assert [result.status for result in results] == [
        Status.APPLIED,
        Status.DATABASE_REFUSED,
        Status.DATABASE_REFUSED,
        Status.APPLIED,
        Status.APPLIED,
    ]
    assert [balance(database, name) for name in ("ada", "ben", "cyd")] == [996, 1005, 1]
    assert damage(database.owner_url) == []


async def test_a_group_does_not_tie_strangers_together(opened: Ledger) -> None:
    """Singles meet in one transaction by chance; a group means nothing there."""
    good = c.Credit(**ADA, reference="good", amount=1, group="g")
    bad = c.Debit(holder="ben", asset="coins", reference="bad", amount=10**9, group="g")
    results = await asyncio.gather(
        *(opened.submit(command, actor="test", reason="stranger") for command in (good, bad, good))
    )
    assert [result.status for result in results] == [
        Status.APPLIED,
        Status.INSUFFICIENT_FUNDS,
        Status.REPLAYED,
    ]


def meanwhile(monkeypatch: pytest.MonkeyPatch, moment: str, act: Callable[[], None]) -> None:
    """Let something happen just before the ledger's step ``moment``."""
    original = getattr(store, moment)

    async def step(*args: Any, **kwargs: Any) -> Any:
        act()
        return await original(*args, **kwargs)

    monkeypatch.setattr(store, moment, step)


async def post(ledger: Ledger, *commands: Any) -> list[Result]:
    return await ledger.post(commands, actor="test", reason="bad input")


def balance(database: Any, name: str) -> int:
    rows = table(
        database.owner_url,
        "select balance from bursar.wallets w join bursar.holder_ids h using (holder_id)"
        " join bursar.assets a using (asset_id) where external_id = %s and code = 'coins'",
        name,
    )
    return int(rows[0][0]) if rows else 0

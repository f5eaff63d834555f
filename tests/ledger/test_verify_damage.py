"""Every kind of damage is found, and the row is named (L10)."""

from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import pytest

from bursar.ledger.audit import verify_slices
from bursar.ledger.audit.findings import MAX_FINDINGS
from bursar.ledger.audit.verify import verify
from bursar.ledger.commands import Credit, Debit, Extend, PlaceHold
from bursar.ledger.model import LotTerms
from bursar.ledger.service import Ledger
from tests.ledger.busy import Urls, damage, holder, make_busy, named

COINS = "asset coins"
W = "holder_id = {a} and asset_id = 1"
FROM_DETAILS = (
    "owed = 7, credit_limit = 9, state = 'frozen', open_lots = open_lots + 1, "
    "open_holds = open_holds + 1"
)
DAMAGE = [
    pytest.param(
        [f"update bursar.entries set amount = amount + 1 where {W} and seq = 1"],
        {("balance_after", "seq 1"), ("checksum", "seq 1")},
        id="amount",
    ),
    pytest.param(
        [f"update bursar.entries set balance = balance - 5 where {W} and seq = 3"],
        {("balance_after", "seq 3"), ("balance_after", "seq 4"), ("checksum", "seq 3")},
        id="balance after",
    ),
    pytest.param(
        [f"update bursar.entries set metadata = '[4]' where {W} and seq = 2"],
        {("checksum", "seq 2")},
        id="metadata",
    ),
    pytest.param(
        [f"update bursar.entries set checksum = sha256('') where {W} and seq = 2"],
        {("checksum", "seq 2")},
        id="checksum alone",
    ),
    pytest.param(
        [f"update bursar.entries set detail = '{{\"lots\":7}}' where {W} and seq = 2"],
        {("unreadable", "")},
        id="detail that is none",
    ),
    pytest.param(
        [f"delete from bursar.entries where {W} and seq = 1"],
        {("sequence_gap", "seq 1")},
        id="first entry gone",
    ),
    pytest.param(
        [f"delete from bursar.entries where {W} and reference = 'spend1'"],
        {("sequence_gap", "seq 9")},
        id="entry gone",
    ),
    pytest.param(
        [f"update bursar.wallets set balance = balance + 1 where {W}"],
        {("wallet_balance", "")},
        id="wallet balance",
    ),
    pytest.param(
        [f"update bursar.wallets set held = held + 1 where {W}"],
        {("wallet_held", "")},
        id="wallet held",
    ),
    pytest.param(
        [f"update bursar.wallets set head = sha256('') where {W}"],
        {("wallet_head", "")},
        id="wallet head",
    ),
    pytest.param(
        [f"update bursar.wallets set seq = seq - 1 where {W}"],
        {("wallet_seq", "")},
        id="wallet seq",
    ),
    pytest.param(
        [f"update bursar.wallets set recorded_at = '2020-01-01Z' where {W}"],
        {("wallet_recorded_at", "")},
        id="wallet recorded at",
    ),
    pytest.param(
        [f"update bursar.wallets set {FROM_DETAILS} where {W}"],
        {
            ("wallet_owed", ""),
            ("wallet_credit_limit", ""),
            ("wallet_state", ""),
            ("wallet_open_lots", ""),
            ("wallet_open_holds", ""),
        },
        id="what a wallet got from details",
    ),
    pytest.param(
        [f"delete from bursar.wallets where {W}"], {("wallet_missing", "")}, id="wallet gone"
    ),
    pytest.param(
        [f"update bursar.lots set remaining = remaining + 1, open = true where {W} and seq = 2"],
        {("lot", "seq 2")},
        id="lot",
    ),
    pytest.param(
        [f"delete from bursar.lots where {W} and seq = 2"], {("lot", "seq 2")}, id="no lot"
    ),
    pytest.param(
        ["insert into bursar.lots values ({a}, 1, 99, 5, 0, 0, true, null, null)"],
        {("lot", "seq 99")},
        id="a lot of no entry",
    ),
    pytest.param(
        [f"update bursar.lots set origin = 'elsewhere' where {W} and seq = 2"],
        {("lot", "seq 2")},
        id="terms of a lot",
    ),
    pytest.param(
        [f"update bursar.holds set remaining = remaining + 1 where {W} and reference = 'hold1'"],
        {("hold", "reference hold1")},
        id="hold",
    ),
    pytest.param(
        [f"update bursar.holds set state = 'captured' where {W} and reference = 'hold2'"],
        {("hold", "reference hold2")},
        id="state of a hold",
    ),
    pytest.param(
        [f"update bursar.holds set draws = '{{2,1}}' where {W} and reference = 'hold1'"],
        {("hold", "reference hold1")},
        id="draws of a hold",
    ),
    pytest.param(
        [f"delete from bursar.holds where {W} and reference = 'hold3'"],
        {("hold", "reference hold3")},
        id="no hold",
    ),
    pytest.param(
        [f"update bursar.reversals set reversed = reversed - 1 where {W} and seq = 9"],
        {("reversal", "seq 9")},
        id="reversal",
    ),
    pytest.param(
        [f"delete from bursar.reversals where {W} and seq = 9"],
        {("reversal", "seq 9")},
        id="no reversal",
    ),
]


HEAVY = [  # whose consequences are found as well
    pytest.param(
        [
            f"update bursar.entries set seq = 1000 where {W} and seq = 1",
            f"update bursar.entries set seq = 1 where {W} and seq = 2",
            f"update bursar.entries set seq = 2 where {W} and seq = 1000",
        ],
        {("checksum", "seq 1"), ("checksum", "seq 2"), ("balance_after", "seq 1")},
        id="swapped pair",
    ),
    pytest.param(
        [f"delete from bursar.entries where {W}"],
        {("wallet_without_entries", "")},
        id="all its entries gone",
    ),
    pytest.param(
        [f"delete from bursar.entries where {W} and seq > 20"],
        {("sequence_gap", "seq 21")},
        id="last entries gone",
    ),
]


@pytest.mark.parametrize(("statements", "expected"), DAMAGE + HEAVY)
async def test_damage_to_a_wallet_is_named(
    ledger: Ledger,
    database: Urls,
    statements: Sequence[str],
    expected: set[tuple[str, str]],
) -> None:
    await make_busy(ledger)
    a = await holder(ledger, "a")
    filled = [s.replace("{a}", str(a)) for s in statements]
    damage(database, *filled)
    report = await verify(ledger.database, ledger.seal, first_holder=a, last_holder=a)
    wallet = f"holder {a}, {COINS}"
    wanted = {
        (kind, f"holder {a}" if kind == "unreadable" else f"{wallet}, {row}" if row else wallet)
        for kind, row in expected
    }
    if any(param.values[0] is statements for param in DAMAGE):
        assert named(report) == wanted
    assert wanted <= named(report)
    whole = await verify(ledger.database, ledger.seal)
    assert wanted <= named(whole)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("insert into bursar.lots values ({a}, 1, 1, 5, 0, 0, true, null, null)", "lot"),
        ("insert into bursar.holds values ({a}, 1, 1, 5, now(), null, 'r', 'open', '{}')", "hold"),
        ("insert into bursar.reversals values ({a}, 1, 1, 5)", "reversal"),
        ("update bursar.wallets set state = 'closed' where holder_id = {a}", "wallet_state"),
        ("update bursar.wallets set owed = 1 where holder_id = {a}", "wallet_owed"),
        ("update bursar.wallets set open_lots = 1 where holder_id = {a}", "wallet_open_lots"),
        ("update bursar.wallets set open_holds = 1 where holder_id = {a}", "wallet_open_holds"),
        ("update bursar.wallets set credit_limit = 1 where holder_id = {a}", "wallet_credit_limit"),
        ("delete from bursar.entries where holder_id = {a} and seq = 2", "sequence_gap"),
        ("update bursar.wallets set seq = 1 where holder_id = {a}", "wallet_seq"),
        ("delete from bursar.wallets where holder_id = {a}", "wallet_missing"),
        ("update bursar.entries set holder_id = -1 where holder_id = {a}", "checksum"),
    ],
)
async def test_damage_to_a_plain_wallet_is_named(
    ledger: Ledger, database: Urls, statement: str, expected: str
) -> None:
    await ledger.add_asset("coins", actor="test", reason="test")
    for number in range(3):
        given = [
            Credit(holder=h, asset="coins", amount=9, reference=f"r{number}") for h in ("a", "b")
        ]
        await ledger.post(given, actor="t", reason="t")
    a = await holder(ledger, "a")
    damage(database, statement.replace("{a}", str(a)))
    report = await verify(ledger.database, ledger.seal, last_holder=a)
    assert expected in {finding.kind for finding in report.findings}


@pytest.mark.parametrize(
    ("statement", "kind", "key"),
    [
        (
            "update bursar.house_totals set amount = amount + 1 where account = 'arcade'",
            "house_total",
            "account arcade, kind spend",
        ),
        (
            "update bursar.house_totals set entries = entries + 1 where account = 'sales'",
            "house_total",
            "account sales, kind purchase",
        ),
        (
            "delete from bursar.house_totals where asset_id > 2 and account = 'opening'",
            "house_total",
            "account opening, kind opening",
        ),
        ("delete from bursar.postings where posting_id = 2", "posting", "posting 2"),
        (
            "update bursar.postings set entries = entries + 1 where posting_id = 3",
            "posting",
            "posting 3",
        ),
        (
            "insert into bursar.postings values (999, 1, '5', now(), 4, 'nobody', 'no reason')",
            "posting",
            "posting 999",
        ),
        (
            "delete from bursar.posting_kinds where posting_id = 2 and kind = 'hold'",
            "posting_kind",
            "posting 2, kind hold",
        ),
        (
            "update bursar.wallets set balance = 77 where asset_id > 2",
            "trial_balance",
            "asset gem",
        ),
    ],
)
async def test_damage_to_the_house_is_named(
    ledger: Ledger, database: Urls, statement: str, kind: str, key: str
) -> None:
    await make_busy(ledger)
    damage(database, statement)
    report = await verify(ledger.database, ledger.seal)
    assert [f for f in report.findings if f.kind == kind and key in f.key]


async def test_a_holder_taken_out_altogether_is_missed_by_the_house(
    ledger: Ledger, database: Urls
) -> None:
    await make_busy(ledger)
    b = await holder(ledger, "b")
    tables = ("entries", "wallets", "lots", "holds", "reversals")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        for table in tables:
            connection.execute(f"delete from bursar.{table} where holder_id = {b}")
    kinds = {finding.kind for finding in (await verify(ledger.database, ledger.seal)).findings}
    assert kinds == {"house_total", "posting", "posting_kind", "trial_balance"}


async def test_a_floor_that_was_crossed_is_named(ledger: Ledger, database: Urls) -> None:
    await ledger.add_asset("coins", actor="test", reason="test")
    who = {"holder": "a", "asset": "coins"}
    posted = await ledger.post(
        [
            Credit(**who, amount=100, reference="1"),
            PlaceHold(**who, amount=60, reference="2"),
            Debit(**who, amount=40, reference="3"),
            Debit(**{**who, "holder": "b"}, amount=1, reference="none"),
        ],
        actor="t",
        reason="t",
    )
    assert [result.ok for result in posted] == [True, True, True, False]
    damage(database, "update bursar.entries set held_change = 61 where seq = 2")
    report = await verify(ledger.database, ledger.seal)
    assert ("floor", f"holder 1, {COINS}, seq 3") in named(report)
    assert ("wallet_held", f"holder 1, {COINS}") in named(report)


async def test_an_amount_that_overflows_does_not_stop_the_check(
    ledger: Ledger, database: Urls
) -> None:
    await make_busy(ledger)
    b, d = await holder(ledger, "b"), await holder(ledger, "d")
    damage(
        database,
        f"update bursar.entries set amount = {-(2**63)} where holder_id = {b} and seq = 1",
        f"update bursar.wallets set balance = 4 where holder_id = {d} and asset_id = 1",
    )
    report = await verify(ledger.database, ledger.seal)
    assert ("unreadable", f"holder {b}") in named(report)
    assert ("wallet_balance", f"holder {d}, {COINS}") in named(report)


async def test_more_findings_than_are_kept_are_counted(
    ledger: Ledger, database: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_slices, "ENTRIES_A_SLICE", 700)
    await ledger.add_asset("coins", actor="test", reason="test")
    commands = [
        Credit(holder=f"h{n}", asset="coins", amount=n + 1, reference="r") for n in range(1_500)
    ]
    await ledger.post(commands, actor="t", reason="t")
    damage(database, "update bursar.wallets set held = 1")
    report = await verify(ledger.database, ledger.seal)
    assert report.found == 1_500
    assert len(report.findings) == MAX_FINDINGS
    assert {finding.kind for finding in report.findings} == {"wallet_held"}


async def test_a_date_that_no_extension_has_set_is_found(ledger: Ledger, database: Urls) -> None:
    """A lot and a hold are extended twice; the dates of before are as wrong as any others."""
    first, second, third = (datetime(year, 1, 1, tzinfo=UTC) for year in (2090, 2091, 2092))
    ada = {"holder": "ada", "asset": "coins"}
    commands = [
        Credit(**ada, reference="lot", amount=10, lot=LotTerms(first)),
        Credit(**ada, reference="other", amount=10, lot=LotTerms(third)),
        PlaceHold(**ada, reference="hold", amount=5, deadline=first),
        *(
            Extend(**ada, reference=f"{until.year} {hold}", until=until, hold=hold)
            for until in (second, third)
            for hold in (None, "hold")
        ),
    ]
    for result in await ledger.post(commands, actor="test", reason="outage"):
        result.unwrap()
    assert (await verify(ledger.database, ledger.seal)).findings == ()
    damage(database, f"update bursar.lots set expires_at = '{first}' where seq = 1")
    assert {kind for kind, _ in named(await verify(ledger.database, ledger.seal))} == {"lot"}
    damage(
        database,
        f"update bursar.lots set expires_at = '{third}' where seq = 1",
        f"update bursar.holds set deadline = '{second}'",
    )
    assert {kind for kind, _ in named(await verify(ledger.database, ledger.seal))} == {"hold"}
    damage(database, f"update bursar.holds set deadline = '{third}'")
    assert (await verify(ledger.database, ledger.seal)).ok

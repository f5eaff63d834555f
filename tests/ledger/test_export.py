"""What is exported is accepted by Beancount, and says what the books say (L11)."""

import csv
import io
from collections import defaultdict
from decimal import Decimal

import pytest
from beancount import loader
from beancount.core import data
from beancount.core.realization import compute_balance, realize

from bursar.ledger.audit import beancount, export
from bursar.ledger.audit.journal_line import decimal
from bursar.ledger.commands import Credit, Debit
from bursar.ledger.service import Ledger
from tests.ledger.busy import HOSTILE, make_busy

FORMULAS = ["=1+1", "+1", "-1", "@sum", "'quoted'", "plain, with comma", 'say "hi"', "\\", '\\"']


async def exported(ledger: Ledger, format_: export.Format) -> str:
    parts: list[str] = []
    await ledger.export(format_, parts.append)
    return "".join(parts)


def check(text: str) -> data.Directives:
    """Do what `bean-check` does."""
    entries, errors, _ = loader.load_string(text)
    assert errors == []
    return entries


async def balances(ledger: Ledger) -> dict[tuple[int, str], Decimal]:
    query = """select w.holder_id, a.code, w.balance, a.scale
                 from bursar.wallets w join bursar.assets a using (asset_id)"""
    async with ledger.database.connection() as connection:
        rows = await (await connection.execute(query)).fetchall()
    return {(row[0], row[1]): Decimal(decimal(row[2], row[3])) for row in rows}


async def test_beancount_accepts_a_busy_journal_and_comes_to_our_balances(ledger: Ledger) -> None:
    results = await make_busy(ledger)
    text = await exported(ledger, "beancount")
    entries = check(text)
    written = [e for e in entries if isinstance(e, data.Transaction | data.Note)]
    assert len(written) >= len(results)
    accounts = realize(entries)
    ours = await balances(ledger)
    for (holder_id, code), balance in ours.items():
        account = accounts["Liabilities"]["Wallets"][f"H{holder_id}"]
        units = compute_balance(account).get_currency_units(beancount.commodity(code))
        assert (units.number or 0) == -balance
    assert compute_balance(accounts).is_empty()
    asserted = [e for e in entries if isinstance(e, data.Balance)]
    wallets = [e for e in asserted if e.account.startswith("Liabilities")]
    assert len(wallets) == len(ours)
    assert len(asserted) > len(ours) + 8


async def test_beancount_reads_back_every_text_as_it_was(ledger: Ledger) -> None:
    await make_busy(ledger)
    commands = [
        Credit(holder="f", asset="coins", amount=1, reference=text, source=text)
        for text in FORMULAS
    ]
    for result in await ledger.post(commands, actor='the "actor" \\', reason="why; because \\n"):
        result.unwrap()
    entries = [
        e
        for e in check(await exported(ledger, "beancount"))
        if isinstance(e, data.Transaction) and e.payee == 'the "actor" \\'
    ]
    assert {e.meta["reference"] for e in entries} == set(FORMULAS)
    assert {e.meta["source"] for e in entries} == set(FORMULAS)
    assert {e.narration for e in entries} == {"why; because \\n"}


async def test_any_asset_and_house_account_has_a_name_in_beancount(ledger: Ledger) -> None:
    codes = ["true", "null", "x", "end_", "a_b", "abcdefghijklmnopqrstuvwxyz_12345", "p2"]
    names = ["x", "end_", "prize_pool", "issuance", "a1__b"]
    for n, code in enumerate(codes):
        await ledger.add_asset(code, scale=2 * n, actor="test", reason="test")
        give = [
            Credit(holder="a", asset=code, amount=2**62, reference=name, house_account=name)
            for name in names[:1]
        ]
        take = [
            Debit(holder="a", asset=code, amount=3, reference=f"-{name}", house_account=name)
            for name in names
        ]
        for result in await ledger.post([*give, *take], actor="t", reason="t"):
            result.unwrap()
    entries = check(await exported(ledger, "beancount"))
    declared = [e.currency for e in entries if isinstance(e, data.Commodity)]
    assert len(set(declared)) == len(declared) == len(await ledger.assets())


async def test_beancount_finds_a_balance_that_the_journal_does_not_come_to(ledger: Ledger) -> None:
    await make_busy(ledger)
    text = await exported(ledger, "beancount")
    last = text.rstrip().splitlines()[-1]
    day, rest = last[:10], last[10:].split()
    wrong = f"{day} {rest[0]} {rest[1]} {Decimal(rest[2]) - Decimal('0.01')} ~ 0 {rest[-1]}"
    _, errors, _ = loader.load_string(text.replace(last, wrong))
    assert len(errors) == 1


async def test_an_empty_journal_is_a_valid_one(ledger: Ledger) -> None:
    assert check(await exported(ledger, "beancount")) == []
    assert await exported(ledger, "csv") == ",".join(export.CSV_COLUMNS) + "\r\n"


async def test_csv_has_every_entry_in_recorded_order(ledger: Ledger) -> None:
    await make_busy(ledger)
    text = await exported(ledger, "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.count("\r\n") == len(rows) + 1
    assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)
    sums: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    last: dict[tuple[int, str], Decimal] = {}
    for row in rows:
        key = int(row["holder_id"]), row["asset"]
        sums[key] += Decimal(row["amount"])
        last[key] = Decimal(row["balance"])
    assert sums == last == await balances(ledger)
    assert HOSTILE in {row["reference"] for row in rows}


async def test_csv_disarms_formulas_reversibly(ledger: Ledger) -> None:
    await ledger.add_asset("coins", actor="test", reason="test")
    commands = [Credit(holder="f", asset="coins", amount=1, reference=text) for text in FORMULAS]
    await ledger.post(commands, actor="=cmd", reason="t")
    text = await exported(ledger, "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["actor"] for row in rows} == {"'=cmd"}
    cells = [row["reference"] for row in rows]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert {cell.removeprefix("'") for cell in cells} == set(FORMULAS)


@pytest.mark.parametrize(
    ("minor", "scale", "text"),
    [(0, 0, "0"), (-5, 0, "-5"), (5, 2, "0.05"), (-5, 2, "-0.05"), (123456, 3, "123.456")],
)
def test_amounts_have_the_decimal_places_of_their_asset(minor: int, scale: int, text: str) -> None:
    assert decimal(minor, scale) == text

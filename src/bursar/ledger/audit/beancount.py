"""The journal in the words of Beancount, plain-text accounting, without plugins. Pure (L11).

What wallets hold is what the house owes: `Liabilities:Wallets:H17` is −5 when holder 17 has 5.
Beancount knows no transaction of nothing; an entry of amount 0 (a hold, a limit) is a note.
"""

import re
from datetime import date
from typing import Final

from bursar.ledger.audit.journal_line import JournalLine, decimal
from bursar.ledger.catalogue import (
    ADJUSTMENT,
    BREAKAGE,
    ISSUANCE,
    OPENING,
    REVENUE,
    SALES,
    TRANSIT,
)

_HOUSE: Final = {
    ISSUANCE: "Expenses:Issuance",
    SALES: "Assets:Sales",
    REVENUE: "Income:Revenue",
    BREAKAGE: "Income:Breakage",
    TRANSIT: "Equity:Transit",
    OPENING: "Equity:Opening",
    ADJUSTMENT: "Expenses:Adjustment",
}

_RESERVED: Final = frozenset({"TRUE", "FALSE", "NULL"})
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_TO_ESCAPE: Final = re.compile(r'["\\\n\t]')
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def title() -> str:
    """Begin the file."""
    return 'option "title" "Bursar"\n\n'


def commodity(code: str) -> str:
    """Name an asset as Beancount can: capitals, not one of its own words, no `_` at the end."""
    name = code.upper()
    return f"{name}.C" if len(name) == 1 or name in _RESERVED or name.endswith("_") else name


def wallet_account(holder_id: int) -> str:
    """Name the account of what is owed to a holder."""
    return f"Liabilities:Wallets:H{holder_id}"


def house_account(name: str) -> str:
    """Name the account of the house: `prize_pool` is `Equity:House:Prize-pool`."""
    known = _HOUSE.get(name)
    return known or "Equity:House:" + (name[0].upper() + name[1:]).replace("_", "-")


def text(value: str) -> str:
    """Quote a string; control characters, which no sound entry has, become blanks."""
    escaped = _TO_ESCAPE.sub(lambda match: _ESCAPES[match.group()], value)
    return '"' + _CONTROLS.sub(" ", escaped) + '"'


def commodity_line(day: date, code: str) -> str:
    """Declare an asset."""
    return f"{day} commodity {commodity(code)}\n  name: {text(code)}\n"


def open_line(day: date, account: str) -> str:
    """Open an account."""
    return f"{day} open {account}\n"


def balance_line(day: date, account: str, code: str, scale: int, minor: int) -> str:
    """Assert, to the last digit, what an account stands at when ``day`` begins."""
    return f"{day} balance {account}  {decimal(minor, scale)} ~ 0 {commodity(code)}\n"


def entry_lines(line: JournalLine) -> str:
    """Write one entry: a transaction of two legs, or a note if it moves nothing."""
    day = line.recorded_at.date()
    links = f"^posting-{line.posting_id} #{line.kind}"
    wallet = wallet_account(line.holder_id)
    meta = [
        f"  seq: {line.seq}\n",
        f"  kind: {text(line.kind)}\n",
        f"  asset: {text(line.asset)}\n",
        f"  reference: {text(line.reference)}\n",
        f"  recorded: {text(line.recorded_at.isoformat())}\n",
    ]
    if line.effective_at != line.recorded_at:
        meta.append(f"  effective: {text(line.effective_at.isoformat())}\n")
    if line.source is not None:
        meta.append(f"  source: {text(line.source)}\n")
    if line.metadata is not None:
        meta.append(f"  metadata: {text(line.metadata)}\n")
    if line.house_account is None:
        held = f", held {decimal(line.held_change, line.scale)}" if line.held_change else ""
        note = text(f"{line.kind}{held}: {line.reason or ''}")
        return f"\n{day} note {wallet} {note} {links}\n" + "".join(meta)
    amount, unit = decimal(line.amount, line.scale), commodity(line.asset)
    owed = decimal(-line.amount, line.scale)
    return (
        f"\n{day} * {text(line.actor or '')} {text(line.reason or '')} {links}\n"
        + "".join(meta)
        + f"  {wallet}  {owed} {unit}\n  {house_account(line.house_account)}  {amount} {unit}\n"
    )

"""Showing entries: the same columns in a statement and in the journal."""

from collections.abc import Mapping, Sequence
from typing import Any

from bursar.cli import output
from bursar.ledger import Asset, Entry, Ledger
from bursar.platform.pages import Page

_STATEMENT = ("seq>", "recorded (UTC)", "kind", "amount>", "balance>", "reference", "source")
_JOURNAL = ("posting>", "recorded (UTC)", "holder", "kind", "amount>", "reference")


async def journal_names(ledger: Ledger, page: Page[Entry]) -> Mapping[int, str]:
    """Name the holders of a page."""
    return await ledger.holders({entry.holder_id for entry in page.items})


def show_statement(page: Page[Entry], asset: Asset) -> None:
    """Show the entries of one wallet."""
    rows = [
        (
            str(entry.seq),
            output.instant(entry.recorded_at),
            entry.kind.value,
            _amount(entry, asset.scale),
            output.amount(entry.balance, asset.scale),
            entry.reference,
            entry.source or "",
        )
        for entry in page.items
    ]
    _show(_STATEMENT, rows, page)


def show_journal(
    page: Page[Entry], assets: Mapping[int, Asset], holders: Mapping[int, str]
) -> None:
    """Show entries of many wallets, each amount with its asset."""
    rows = [
        (
            str(entry.posting_id),
            output.instant(entry.recorded_at),
            holders.get(entry.holder_id, f"#{entry.holder_id}"),
            entry.kind.value,
            _amount(entry, asset.scale, asset.code),
            entry.reference,
        )
        for entry in page.items
        for asset in [assets[entry.asset_id]]
    ]
    _show(_JOURNAL, rows, page)


def page_json(
    page: Page[Entry], assets: Mapping[int, Asset], holders: Mapping[int, str]
) -> dict[str, Any]:
    """Give a page the shape that programs see."""
    items = [
        output.entry_json(
            entry, asset=assets[entry.asset_id].code, holder=holders.get(entry.holder_id)
        )
        for entry in page.items
    ]
    return {"items": items, "cursor": page.cursor}


def _amount(entry: Entry, scale: int, code: str = "") -> str:
    """Show what an entry moved, or what else it changed."""
    detail = entry.detail
    if entry.amount:
        return output.change(entry.amount, scale, code)
    if entry.held_change:
        return f"held {output.change(entry.held_change, scale, code)}"
    if detail is not None and detail.limit is not None:
        return f"limit {output.amount(detail.limit, scale, code)}"
    return detail.state.value if detail is not None and detail.state is not None else ""


def _show(columns: Sequence[str], rows: Sequence[Sequence[str]], page: Page[Entry]) -> None:
    if not rows:
        output.say("no entries")
        return
    output.tabulate(columns, rows)
    if page.cursor is not None:
        output.say(f"\nthere are older ones: --cursor {page.cursor}")

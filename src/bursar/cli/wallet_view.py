"""Showing a wallet and the explanation of its balance."""

import msgspec

from bursar.cli import output
from bursar.ledger import Asset, Entry, Explanation, Lot, Wallet


def wallet_facts(wallet: Wallet, asset: Asset) -> None:
    """Show a wallet; what is usual is left out."""

    def spelled(minor: int) -> str:
        return output.amount(minor, asset.scale, asset.code)

    pairs = [
        ("holder", f"{wallet.holder} (number {wallet.holder_id})"),
        ("state", wallet.state.value),
        ("balance", spelled(wallet.balance)),
    ]
    if wallet.held:
        pairs += [("held", spelled(wallet.held)), ("available", spelled(wallet.available))]
    if wallet.credit_limit:
        pairs.append(("credit limit", spelled(wallet.credit_limit)))
    if wallet.owed:
        pairs.append(("owed", f"{spelled(wallet.owed)}, withheld from the next grants"))
    pairs.append(("as of", f"{output.instant(wallet.at)} UTC, after entry {wallet.seq}"))
    output.facts(pairs)
    if wallet.holds:
        output.say("\nHolds")
        output.tabulate(
            ["reference", "amount>", "placed (UTC)", "until (UTC)"],
            [
                (
                    hold.reference,
                    output.amount(hold.remaining, asset.scale),
                    output.instant(hold.placed_at),
                    output.instant(hold.deadline, none="for good"),
                )
                for hold in wallet.holds
            ],
        )
    if wallet.lots:
        output.say("\nLots")
        output.tabulate(
            ["entry>", "remaining>", "held>", "expires (UTC)", "priority>", "origin"],
            [_lot_row(lot, asset.scale) for lot in wallet.lots],
        )


def show_explanation(answer: Explanation, asset: Asset) -> None:
    """Show the balance three ways: by kind and source, by what is left, lot by lot."""
    scale, wallet = asset.scale, answer.wallet
    output.say(f"{wallet.holder} has {output.amount(wallet.balance, scale, asset.code)}:\n")
    rows = [
        (
            total.kind.value,
            total.source or "",
            output.change(total.amount, scale),
            str(total.entries),
        )
        for total in answer.totals
    ]
    if answer.overdue:
        rows.append(
            ("due", "expired, not yet in the books", output.change(-answer.overdue, scale), "")
        )
    rows.append(("balance", "", output.amount(wallet.balance, scale), ""))
    output.tabulate(["kind", "source", "amount>", "entries>"], rows)

    parts = [f"{output.amount(wallet.held, scale)} held"] if wallet.held else []
    in_lots = sum(lot.remaining for lot in wallet.lots)
    if wallet.lots:
        parts.append(f"{output.amount(in_lots, scale)} in lots")
    parts.append(f"{output.amount(answer.plain, scale)} in no lot")
    output.say(f"\nOf the balance: {', '.join(parts)}.")

    for story in answer.lots:
        lot, opened = story.lot, story.opened_by
        output.say(
            f"\nLot {lot.seq}: {output.amount(lot.remaining + lot.held, scale)} left of "
            f"{output.amount(opened.amount, scale)}"
            + (f", expires {output.instant(lot.expires_at)} UTC" if lot.expires_at else "")
        )
        output.say(
            f"  {opened.kind.value} {opened.reference!r} of {output.instant(opened.recorded_at)} "
            f"UTC by {story.posting.actor}: {story.posting.reason}"
        )
        if opened.metadata is not None:
            output.say(f"  inputs {opened.metadata}")
        for draw in story.draws:
            output.say(
                f"  {output.change(draw.amount, scale)} by {draw.kind.value} {draw.reference!r}"
                f" of {output.instant(draw.recorded_at)} UTC"
            )


def explanation_json(answer: Explanation) -> dict[str, object]:
    """Give an explanation the shape that programs see: entries as everywhere else."""
    wallet = answer.wallet

    def shape(entry: Entry) -> dict[str, object]:
        return output.entry_json(entry, asset=wallet.asset, holder=wallet.holder)

    return msgspec.structs.asdict(answer) | {
        "lots": [
            msgspec.structs.asdict(story) | {"opened_by": shape(story.opened_by)}
            for story in answer.lots
        ]
    }


def _lot_row(lot: Lot, scale: int) -> tuple[str, ...]:
    return (
        str(lot.seq),
        output.amount(lot.remaining, scale),
        output.amount(lot.held, scale) if lot.held else "",
        output.instant(lot.expires_at),
        str(lot.priority),
        lot.origin or "",
    )

"""How holders are shown."""

from typing import Any

import msgspec

from bursar.cli import output
from bursar.holders import Holder, Past, Report
from bursar.platform.pages import Page


def holder_json(holder: Holder) -> dict[str, Any]:
    """Give a holder the shape that programs see: attributes as an object."""
    return msgspec.structs.asdict(holder) | {"attributes": msgspec.Raw(holder.attributes.encode())}


def show_holder(holder: Holder) -> None:
    """Show one holder."""
    pairs = [
        ("holder", holder.external_id),
        ("number", str(holder.holder_id)),
        ("status", holder.status),
        ("tier", holder.tier or "none"),
        ("verified", "yes" if holder.verified else "no"),
        ("so since", output.instant(holder.matters_since)),
        ("created", output.instant(holder.created_at)),
        ("subscription", output.instant(holder.subscription_start, none="none")),
        ("billing anchor", output.instant(holder.billing_anchor, none="none")),
        ("last login", output.instant(holder.last_login_at)),
        ("username", holder.username or "none"),
        ("e-mail", holder.email or "none"),
        ("locale", holder.locale or "none"),
        ("time zone", holder.time_zone or "none"),
        ("attributes", holder.attributes),
    ]
    if holder.erased_at is not None:
        pairs.append(("erased", output.instant(holder.erased_at)))
    output.facts(pairs)


def show_holders(page: Page[Holder]) -> None:
    """List holders, one a line."""
    rows = [
        (
            h.external_id,
            h.status,
            h.tier,
            "yes" if h.verified else "no",
            output.instant(h.matters_since),
            output.instant(h.last_login_at),
        )
        for h in page.items
    ]
    output.tabulate(["holder", "status", "tier", "verified", "since", "last login"], rows)


def show_past(page: Page[Past]) -> None:
    """List what was in force, one a line."""
    rows = [
        (
            output.instant(p.since),
            output.instant(p.until),
            p.status,
            p.tier,
            "yes" if p.verified else "no",
            output.instant(p.subscription_start, none=""),
            p.actor,
            p.reason,
        )
        for p in page.items
    ]
    columns = ["since", "until", "status", "tier", "verified", "subscription", "ended by", "why"]
    output.tabulate(columns, rows)


def show_report(report: Report, rejects: str | None) -> None:
    """Say how an import went."""
    if report.dry_run:
        output.say("a dry run: nothing was imported")
    pairs = [
        ("rows", output.amount(report.read, 0)),
        ("new", output.amount(report.created, 0)),
        ("changed", output.amount(report.changed, 0)),
        ("unchanged", output.amount(report.unchanged, 0)),
        ("rejected", output.amount(report.rejected, 0) + (f", see {rejects}" if rejects else "")),
        ("opening balances", output.amount(report.openings, 0)),
        ("posted before", output.amount(report.replayed, 0)),
        ("took", f"{report.seconds:.1f} s"),
    ]
    output.facts(pairs)


def next_page(cursor: str | None) -> None:
    """Say how to go on, if there is more."""
    if cursor is not None:
        output.say(f"more: --cursor {cursor}")

"""Showing programs in words: when they give, how much, to whom, within what limits."""

from collections.abc import Iterator
from typing import assert_never

from bursar.cli import output
from bursar.ledger import Asset
from bursar.programs.model import (
    Amount,
    Calendar,
    Claim,
    InForce,
    Limits,
    Once,
    Override,
    Program,
    Rolling,
    Schedule,
    Terms,
)

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def state_words(in_force: InForce) -> str:
    """Say whether a program gives, and if not why not."""
    if in_force.retired_at is not None:
        return f"retired {output.instant(in_force.retired_at)} UTC"
    if in_force.switched_off:
        who = in_force.switch
        return "off, by the switch" + (f": {who.actor}, {who.reason}" if who else "")
    if not in_force.program.enabled:
        return "off, by its definition"
    return "on, dry runs only" if in_force.program.dry_run else "on"


def schedule_words(schedule: Schedule) -> str:
    """Say when a program gives."""
    match schedule:
        case Calendar(every="month"):
            return f"on day {schedule.day} of a month at {schedule.at} {schedule.zone}"
        case Calendar(every="week"):
            return f"every {_WEEKDAYS[schedule.day - 1]} at {schedule.at} {schedule.zone}"
        case Calendar():
            return f"every day at {schedule.at} {schedule.zone}"
        case Rolling():
            told = f"every {output.counted(schedule.days, 'day')} from {schedule.anchor}"
            return told + (", staggered" if schedule.stagger else "")
        case Claim():
            asked = f"a claim a {schedule.every}, {schedule.zone}"
            if schedule.automatic == "no":
                return asked
            whom = "those logged in" if schedule.automatic == "logged_in" else "everybody"
            return f"{asked}, automatic for {whom}"
        case Once():
            return "once, on joining"
        case _:
            assert_never(schedule)


def amount_words(amount: Amount, asset: Asset) -> str:
    """Say how much a program gives."""
    if amount.fixed is not None:
        return output.amount(amount.fixed, asset.scale, asset.code)
    if amount.formula is not None:
        return f"{amount.formula} (minor units)" if asset.scale else amount.formula
    rows = dict(amount.by_tier or {})
    if amount.otherwise is not None:
        rows["others"] = amount.otherwise
    table = ", ".join(f"{tier} {output.amount(n, asset.scale)}" for tier, n in rows.items())
    return f"{table} {asset.code}"


def program_facts(in_force: InForce, asset: Asset) -> Iterator[tuple[str, str]]:
    """Give the names and values of everything that a program is; what is usual is left out."""
    program, standing = in_force.program, in_force.standing
    yield "program", f"{program.name}, version {in_force.version} by {in_force.author}"
    if program.description:
        yield "", program.description
    yield "state", state_words(in_force)
    yield "gives", amount_words(program.amount, asset)
    yield "when", schedule_words(program.schedule)
    for reason, condition in program.who.items():
        yield "to whom", f"{condition or 'everybody'}, else {reason}"
    if program.keep_reasons:
        yield "kept reasons", ", ".join(program.keep_reasons)
    yield from _terms(program.terms, asset)
    if program.proration is not None:
        yield "first period", f"by {program.proration.by}, rounded {program.proration.rounding}"
    yield from _limits(program.limits, asset)
    yield "after downtime", f"{program.catch_up}; late after {program.late_hours} hours"
    yield "reference", program.reference
    yield "begins", f"{output.instant(standing.starts_at)} UTC"
    if standing.paid_until is not None:
        yield "taken up until", f"{output.instant(standing.paid_until)} UTC"


def override_words(override: Override, asset: Asset) -> str:
    """Say what a holder has of their own in a program."""
    parts = []
    if override.amount is not None:
        parts.append(output.amount(override.amount, asset.scale, asset.code))
    if override.refresh_day is not None:
        parts.append(f"on day {override.refresh_day} of a month")
    if override.paused:
        parts.append("paused")
    return ", ".join(parts) or "as all others"


def changed_fields(before: Program, after: Program) -> list[str]:
    """Name the fields in which two versions differ."""
    names = after.__struct_fields__
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _terms(terms: Terms, asset: Asset) -> Iterator[tuple[str, str]]:
    if terms.expires == "period_end":
        yield "expires", "when the period ends"
    if terms.expires_days is not None:
        yield "expires", f"after {output.counted(terms.expires_days, 'day')}"
    if terms.rollover_cap is not None:
        yield "rolls over", f"up to {output.amount(terms.rollover_cap, asset.scale, asset.code)}"
    if terms.priority:
        yield "priority", str(terms.priority)


def _limits(limits: Limits, asset: Asset) -> Iterator[tuple[str, str]]:
    ceilings = {
        "most an award": limits.award,
        "most a run": limits.run,
        "most a day": limits.day,
        "approval above": limits.approve_above,
    }
    for name, ceiling in ceilings.items():
        if ceiling is not None:
            yield name, output.amount(ceiling, asset.scale, asset.code)

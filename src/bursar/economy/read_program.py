"""From a table ``[programs.NAME]`` to a `Program`, key by key (P1–P11). Pure.

What can be said of one key, or of keys beside one another, is said here; what needs the rest of
the file, or an expression compiled, is in `check`.
"""

from typing import Final, get_args

import whenever

from bursar.economy.fields import Fields, kind
from bursar.programs.model import (
    Amount,
    Calendar,
    CatchUp,
    Claim,
    Limits,
    Once,
    Program,
    Proration,
    Rolling,
    Rounding,
    Schedule,
    Streak,
    Terms,
)

DEFAULT_REASON: Final = "not_eligible"
BUILT_IN_REASONS: Final = (
    "already_paid",
    "minimum_days",
    "no_amount",
    "not_logged_in",
    "not_started",
    "paused",
    "returns_next_period",
)
"""Why a holder may be left out for whom every condition holds."""

_MAX_DAYS: Final = 3_660
_MAX_LATE_HOURS: Final = 8_760
_SCHEDULE: Final = '{ every = "month", day = 1 }'
_KINDS: Final = ("every", "days", "claim", "once")


def read_program(table: Fields, name: str, time_zone: str) -> Program:
    """Read a program; ``time_zone`` is the economy's, for a schedule that names none."""
    for key in ("asset", "schedule", "amount"):
        table.required(key)
    schedule = _schedule(table.table("schedule", _SCHEDULE), time_zone)
    program = Program(
        name=name,
        asset=table.name("asset"),
        description=table.text("description"),
        schedule=schedule,
        who=_who(table),
        amount=_amount(table),
        keep_reasons=table.names("keep_reasons"),
        reference=table.text("reference", "{program}:{period}", most=200),
        starts=table.day("starts"),
        proration=_proration(table, schedule),
        on_tier_change=table.choice(
            "on_tier_change", ("next_period", "difference_now"), "next_period"
        ),
        catch_up=table.choice("catch_up", get_args(CatchUp), _usual_catch_up(schedule)),
        late_hours=_or(table.number("late_hours", 0, _MAX_LATE_HOURS), 6),
        terms=_terms(table.table("terms", "{ expires_days = 90 }"), schedule),
        limits=_limits(table.table("limits", "{ award = 1000, run = 100000 }")),
        enabled=table.flag("enabled", True),
        dry_run=table.flag("dry_run", False),
    )
    if "reference" in table and not table.take("reference"):
        table.wrong("reference", "may not be empty")
    table.end()
    return program


def _usual_catch_up(schedule: Schedule) -> CatchUp:
    """Settle every day of automatic claims after a downtime: a missed one would break streaks."""
    return "all" if isinstance(schedule, Claim) else "latest"


def zone(table: Fields, default: str) -> str:
    """Read a time zone by its IANA name."""
    name = table.text("time_zone", default, most=64)
    try:
        whenever.PlainDateTime(2000, 1, 1).assume_tz(name)
    except ValueError:
        table.wrong("time_zone", 'there is no such zone; write it like "Europe/London"')
        return default
    return name


def _schedule(table: Fields | None, time_zone: str) -> Schedule:
    if table is None:
        return Once()
    given = [key for key in _KINDS if key in table]
    if len(given) != 1:
        table.wrong(None, "has exactly one of every, days, claim and once")
        return Once()
    read: Schedule
    match given[0]:
        case "every":
            read = _calendar(table, time_zone)
        case "days":
            read = _rolling(table, time_zone)
        case "claim":
            read = _claim(table, time_zone)
        case _:
            if not table.flag("once", True):
                table.wrong("once", "is true or left out")
            read = Once()
    table.end()
    return read


def _calendar(table: Fields, time_zone: str) -> Calendar:
    every = table.choice("every", ("month", "week", "day"), "month")
    if every == "day" and "day" in table:
        table.wrong("day", "belongs to a month or a week")
    day = table.number("day", 1, 7 if every == "week" else 31)
    at = table.hour("at", "00:00")
    return Calendar(every=every, day=_or(day, 1), at=at or "00:00", zone=zone(table, time_zone))


def _rolling(table: Fields, time_zone: str) -> Rolling:
    days = _or(table.number("days", 1, _MAX_DAYS), 1)
    by_tier = _numbers(table.table("days_by_tier", "{ pro = 30 }"), "a tier", 1, _MAX_DAYS)
    minimum_days = table.number("minimum_days", 1, _MAX_DAYS)
    grace_days = table.number("grace_days", 1, _MAX_DAYS)
    every = (days, *by_tier.values())
    if minimum_days is not None and minimum_days > min(every):
        table.wrong("minimum_days", f"may not be above the interval of {min(every)} days")
    if grace_days is not None and grace_days < max(every):
        table.wrong("grace_days", f"may not be below the interval of {max(every)} days")
    return Rolling(
        days=days,
        days_by_tier=by_tier,
        anchor=table.choice(
            "anchor", ("created", "subscription_start", "billing", "last_grant"), "created"
        ),
        at_once=table.flag("at_once", False),
        stagger=table.flag("stagger", False),
        at=table.hour("at", None),
        zone=zone(table, time_zone),
        minimum_days=minimum_days,
        grace_days=grace_days,
    )


def _claim(table: Fields, time_zone: str) -> Claim:
    every = table.choice("claim", ("day", "week"), "day")
    automatic = table.choice("automatic", ("no", "logged_in", "everybody"), "no")
    by_hand = table.flag("by_hand", True)
    if automatic == "no" and not by_hand:
        table.wrong("by_hand", "nobody could claim: by_hand is false and automatic is no")
    streak = _streak(table.table("streak", "{ freezes = 1 }"))
    return Claim(
        every=every,
        zone=zone(table, time_zone),
        automatic=automatic,
        by_hand=by_hand,
        streak=streak,
    )


def _streak(table: Fields | None) -> Streak | None:
    if table is None:
        return None
    streak = Streak(
        freezes=_or(table.number("freezes", 0, 1_000), 0),
        freeze_days=_or(table.number("freeze_days", 1, _MAX_DAYS), 30),
        grace_days=_or(table.number("grace_days", 0, 365), 0),
        milestones=_milestones(table.table("milestones", "{ 7 = 500 }")),
    )
    if streak.freezes > streak.freeze_days:
        table.wrong("freezes", f"may not be above freeze_days, which is {streak.freeze_days}")
    table.end()
    return streak


def _milestones(table: Fields | None) -> dict[int, int]:
    if table is None:
        return {}
    read = {}
    for key in table.each():
        amount = table.amount(key)
        if not (key.isascii() and key.isdigit() and len(key) <= 5 and not key.startswith("0")):
            table.wrong(key, "a milestone is the length of a streak, from 1 to 99999")
        elif amount is not None:
            read[int(key)] = amount
    return read


def _who(table: Fields) -> dict[str, str]:
    """Read the conditions: one as text, or several by reason."""
    value = table.take("who")
    if value is None:
        return {}
    if isinstance(value, str):
        return {DEFAULT_REASON: value}
    if not isinstance(value, dict):
        table.wrong("who", f"must be a condition or a table of them by reason, not {kind(value)}")
        return {}
    conditions = table.table("who")
    read: dict[str, str] = {}
    if conditions is not None:
        for reason in conditions.keys("a reason"):
            if reason in BUILT_IN_REASONS:
                conditions.wrong(reason, "is a reason of Bursar's own; choose another name")
            read[reason] = conditions.source(reason)
    return read


def _amount(table: Fields) -> Amount:
    """Read the amount: a number, a formula, or a table that says which."""
    value = table.take("amount")
    if isinstance(value, str):
        return Amount(formula=table.source("amount"))
    if not isinstance(value, dict):
        if type(value) is not int and value is not None:
            table.wrong("amount", f"must be a number, a formula or a table, not {kind(value)}")
            return Amount()
        return Amount(fixed=table.amount("amount"))
    inner = table.table("amount")
    assert inner is not None  # noqa: S101 - it is a dict
    given = [key for key in ("fixed", "by_tier", "formula") if key in inner]
    if len(given) != 1:
        inner.wrong(None, "has exactly one of fixed, by_tier and formula")
    if "otherwise" in inner and "by_tier" not in inner:
        inner.wrong("otherwise", "belongs to by_tier")
    by_tier = inner.table("by_tier", "{ free = 1000, pro = 20000 }")
    if by_tier is not None and by_tier.empty:
        inner.wrong("by_tier", "names no tier")
    amount = Amount(
        fixed=inner.amount("fixed"),
        by_tier=None if by_tier is None else _numbers(by_tier, "a tier", 1, None),
        otherwise=inner.amount("otherwise"),
        formula=inner.source("formula") if "formula" in inner else None,
    )
    inner.end()
    return amount


def _proration(table: Fields, schedule: Schedule) -> Proration | None:
    inner = table.table("proration", '{ by = "days" }')
    if inner is None:
        return None
    if not isinstance(schedule, Calendar):
        table.wrong("proration", "belongs to a schedule of months, weeks or days (every)")
    read = Proration(
        by=inner.choice("by", ("days", "seconds"), "days"),
        rounding=inner.choice("rounding", get_args(Rounding), "down"),
    )
    inner.end()
    return read


def _terms(table: Fields | None, schedule: Schedule) -> Terms:
    if table is None:
        return Terms()
    read = Terms(
        expires=table.choice("expires", ("period_end",)),
        expires_days=table.number("expires_days", 1, _MAX_DAYS * 10),
        rollover_cap=table.amount("rollover_cap", 0),
        priority=_or(table.number("priority", -1_000, 1_000), 0),
        notices=table.names("notices"),
    )
    if read.expires is not None and read.expires_days is not None:
        table.wrong("expires_days", "belongs in place of expires, not beside it")
    if isinstance(schedule, Once):
        for key in ("expires", "rollover_cap"):
            if key in table:
                table.wrong(key, "needs a schedule with periods; what is given once has none")
    table.end()
    return read


def _limits(table: Fields | None) -> Limits:
    if table is None:
        return Limits()
    read = Limits(
        award=table.amount("award"),
        run=table.amount("run"),
        day=table.amount("day"),
        approve_above=table.amount("approve_above", 0),
    )
    table.end()
    return read


def _numbers(table: Fields | None, what: str, least: int, most: int | None) -> dict[str, int]:
    """Read a table of numbers by name; without ``most`` they are amounts."""
    read: dict[str, int] = {}
    if table is not None:
        for key in table.keys(what):
            number = table.amount(key) if most is None else table.number(key, least, most)
            if number is not None:
                read[key] = number
    return read


def _or(value: int | None, default: int) -> int:
    return default if value is None else value

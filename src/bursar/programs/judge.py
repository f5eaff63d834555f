"""Whether a program gives to a holder, and how much, from what is known of the holder. Pure.

Holders of the same facts get the same verdict, so each distinct combination is judged once: a run
over a million people of three tiers evaluates a dozen expressions (P2, P3).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from bursar.platform.expressions import Expression, Failed
from bursar.programs.model import Amount, Claim, Period, Program

_KEPT_VERDICTS: Final = 50_000
_DAY: Final = timedelta(days=1)

NO_AMOUNT: Final = "no_amount"
ABOVE_LIMIT: Final = "award_above_limit"

DERIVED: Final = {
    "holder.subscription_days": "subscription_start",
    "holder.account_days": "created_at",
}
"""Facts that follow from another and the period's start."""


class Rules(NamedTuple):
    """A program's expressions, compiled."""

    conditions: tuple[tuple[str, Expression], ...]
    formula: Expression | None


class Verdict(NamedTuple):
    """``amount`` to give, or why nothing is: ``reason`` of exclusion, or ``failure``."""

    amount: int
    tier: str
    reason: str | None = None
    failure: tuple[str, str] | None = None


def facts_read(rules: Rules) -> tuple[str, ...]:
    """Name the facts of the directory that the rules read; the tier always, for the record."""
    expressions = [e for _, e in rules.conditions]
    if rules.formula is not None:
        expressions.append(rules.formula)
    names = {name for e in expressions for name in e.names if name.startswith("holder.")}
    return tuple(sorted({DERIVED.get(n, n.removeprefix("holder.")) for n in names} | {"tier"}))


def looks_at_period(rules: Rules) -> bool:
    """Tell whether the same holder may be judged otherwise in another period."""
    names = {n for _, e in rules.conditions for n in e.names}
    names |= rules.formula.names if rules.formula is not None else set()
    return any(n.startswith("period.") or n in DERIVED for n in names)


class Judge:
    """One program in one period; remembers its verdicts."""

    def __init__(self, program: Program, rules: Rules, period: Period) -> None:
        self.facts = facts_read(rules)
        self._program = program
        self._shortest = 1 if isinstance(program.schedule, Claim) else 0
        self._rules = rules
        self._tier_at = self.facts.index("tier")
        self._period = {
            "period.key": period.key,
            "period.start": period.start,
            "period.end": period.end,
            "period.days": period.whole_days,
        }
        self._start = period.start
        self._verdicts: dict[tuple[object, ...], Verdict] = {}

    def judge(self, facts: tuple[Any, ...], *, streak: int = 0) -> Verdict:
        """Judge a holder by these facts, in the order of `facts`.

        Where nobody says a streak, a claim is judged as the first.
        """
        streak = max(streak, self._shortest)
        key = (*facts, streak) if streak else facts
        found = self._verdicts.get(key)
        if found is None:
            found = self._judge(facts, streak)
            if len(self._verdicts) < _KEPT_VERDICTS:
                self._verdicts[key] = found
        return found

    def holds(self, facts: tuple[Any, ...]) -> bool:
        """Tell whether every condition holds for these facts; one that fails does not."""
        values = self._values(facts, 0)
        try:
            return all(e.evaluate(values) for _, e in self._rules.conditions)
        except Failed:
            return False

    def tier(self, facts: tuple[Any, ...]) -> str:
        """Read the tier out of facts."""
        return str(facts[self._tier_at])

    def replaced(self, facts: tuple[Any, ...], others: Mapping[str, object]) -> tuple[Any, ...]:
        """Put other values for some facts."""
        return tuple(others.get(n, v) for n, v in zip(self.facts, facts, strict=True))

    def limited(self, amount: int, tier: str) -> Verdict:
        """Give this amount, if it is one and the program's ceiling an award lets it (P10)."""
        if amount == 0:
            return Verdict(0, tier, reason=NO_AMOUNT)
        if amount < 0:
            return Verdict(0, tier, failure=("amount_negative", f"the amount is {amount}"))
        most = self._program.limits.award
        if most is not None and amount > most:
            return Verdict(
                0, tier, failure=(ABOVE_LIMIT, f"{amount} is above the limit of {most} an award")
            )
        return Verdict(amount, tier)

    def _judge(self, facts: tuple[Any, ...], streak: int) -> Verdict:
        values = self._values(facts, streak)
        tier = self.tier(facts)
        for reason, condition in self._rules.conditions:
            try:
                if not condition.evaluate(values):
                    return Verdict(0, tier, reason=reason)
            except Failed as failed:
                if any(name not in values for name in condition.names):
                    return Verdict(0, tier, reason=reason)  # what is not set holds no condition
                return Verdict(0, tier, failure=(failed.code, f"{reason}: {failed.message}"))
        try:
            amount = amount_of(self._program.amount, self._rules.formula, tier, values)
        except Failed as failed:
            return Verdict(0, tier, failure=(failed.code, f"amount: {failed.message}"))
        return self.limited(amount, tier)

    def _values(self, facts: tuple[Any, ...], streak: int) -> dict[str, object]:
        values: dict[str, object] = {**self._period, "streak": streak}
        for name, value in zip(self.facts, facts, strict=True):
            if value is None:
                continue
            values[f"holder.{name}"] = msgspec.json.decode(value) if name == "attributes" else value
        for name, origin in DERIVED.items():
            if origin in self.facts:
                since = values.get(f"holder.{origin}")
                values[name] = whole_days(since, self._start)
        return values


def amount_of(
    amount: Amount, formula: Expression | None, tier: str, values: Mapping[str, object]
) -> int:
    """Find the amount of an award (P3), 0 where the table has none; raises `Failed`."""
    if amount.fixed is not None:
        return amount.fixed
    if amount.by_tier is not None:
        return amount.by_tier.get(tier, amount.otherwise or 0)
    if formula is None:
        raise Failed("expression_missing", "the program has no amount")
    answer = formula.evaluate(values)
    if type(answer) is not int:
        raise Failed("expression_type", f"an amount is a whole number, not {answer!r}")
    return answer


def whole_days(since: object, until: datetime) -> int:
    """Count the full days between two instants; -1 if there is no first."""
    if not isinstance(since, datetime):
        return -1
    return (until - since) // _DAY


def milestone_of(judge: Judge, given: Verdict, extra: int) -> Verdict:
    """Add a milestone's bonus to what is given; the ceiling is on both together (P10)."""
    return judge.limited(given.amount + extra, given.tier) if given.amount and extra else given


class State(NamedTuple):
    """What was known of a holder from ``since`` on."""

    since: datetime
    subscription_start: datetime | None
    facts: tuple[Any, ...]


class Standing(NamedTuple):
    """Since when a holder has qualified: ``first`` ever, and whether when the period began.

    ``facts`` were in force then: when the period began, else when all first held.
    """

    first: datetime | None
    at_start: bool
    facts: tuple[Any, ...] | None = None


def standing(judge: Judge, states: Sequence[State], start: datetime) -> Standing:
    """Find the first instant at which all conditions held (P4), and whether they did at ``start``.

    ``states`` are the holder's, the oldest first. Whoever has a subscription start qualifies from
    then on at the earliest.
    """
    first: datetime | None = None
    at_start = False
    facts: tuple[Any, ...] | None = None
    for state, following in zip(states, [*states[1:], None], strict=True):
        if not judge.holds(state.facts):
            continue
        begins = max(state.since, state.subscription_start or state.since)
        if following is not None and begins >= following.since:
            continue
        if first is None or begins < first:
            first, facts = begins, facts if at_start else state.facts
        if begins <= start and (following is None or following.since > start):
            at_start, facts = True, state.facts
    return Standing(first, at_start, facts)

"""What a chunk of a run comes to: who is given what, who is not and why. Pure.

The common case, a holder who has been as they are since before the period began, costs one look
into a table of verdicts; whoever has changed since is decided from their history (P4).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from bursar.holders.model import Past, People
from bursar.programs.judge import Judge, Standing, State, Verdict, standing
from bursar.programs.model import AS_ALL, Override, Period, Proration
from bursar.programs.proration import Prorated, prorate
from bursar.programs.runs.model import AwardKind, Awards, Group

PAUSED: Final = "paused"
NOT_STARTED: Final = "not_started"
RETURNS_NEXT_PERIOD: Final = "returns_next_period"
ALREADY_PAID: Final = "already_paid"


class Terms(NamedTuple):
    """What the awards of one period have in common."""

    period: Period
    reference: str
    as_of: datetime
    zone: str
    proration: Proration | None
    amount: int | None = None
    kind: AwardKind = "scheduled"
    current_facts: bool = False
    """Judge whoever qualifies by what they are now, not by what they were when it counted."""
    newcomers_only: bool = False
    """The period is over: only who first qualified within it has a part of it."""


class Seen(NamedTuple):
    """What is known of one holder."""

    holder_id: int
    facts: tuple[Any, ...]
    since: datetime
    subscription_start: datetime | None


def unsettled(people: People, start: datetime) -> list[int]:
    """Name those who have changed, or begin their subscription, after ``start``."""
    return [
        holder_id
        for holder_id, since, begins in zip(
            people.holder_ids, people.settled, people.subscription_starts, strict=True
        )
        if since > start or (begins is not None and begins > start)
    ]


def award_period(
    judge: Judge,
    people: People,
    overrides: Mapping[int, Override],
    terms: Terms,
    *,
    changed: Collection[int] = (),
    pasts: Mapping[int, Sequence[Past]] | None = None,
) -> Awards:
    """Decide a period for these people.

    ``changed`` are those who are `unsettled`, and ``pasts`` their histories. Without histories it
    does not matter since when somebody qualifies: what an operator grants by hand.
    """
    awards = Awards()
    group = awards.group(terms.reference, terms.period, terms.kind)
    holder_ids, amounts, notes = group.holder_ids, group.amounts, group.notes
    shares: dict[tuple[Any, ...], tuple[int, dict[str, Any] | None, Verdict]] = {}
    singly = frozenset(people.holder_ids if terms.newcomers_only else changed).union(overrides)
    for place, (holder_id, facts) in enumerate(zip(people.holder_ids, people.facts, strict=True)):
        if holder_id in singly:
            since, begins = people.settled[place], people.subscription_starts[place]
            seen = Seen(holder_id, facts, since, begins)
            past = None if pasts is None else pasts.get(holder_id, ())
            override = overrides.get(holder_id, AS_ALL)
            _award_one(awards, group, judge, seen, override, past, terms)
            continue
        share = shares.get(facts)
        if share is None:
            verdict = judge.judge(facts) if terms.amount is None else _given(judge, facts, terms)
            share = shares[facts] = (*_share(verdict, terms, None), verdict)
        amount, note, verdict = share
        if amount:
            holder_ids.append(holder_id)
            amounts.append(amount)
            notes.append(note)
        else:
            _without(awards, holder_id, verdict)
    return awards


def _given(judge: Judge, facts: tuple[Any, ...], terms: Terms) -> Verdict:
    """Judge who, but take the amount that an operator has named."""
    verdict = judge.judge(facts)
    if verdict.reason == "no_amount" or verdict.amount:
        return judge.limited(terms.amount or 0, verdict.tier)
    return verdict


def _award_one(
    awards: Awards,
    group: Group,
    judge: Judge,
    seen: Seen,
    override: Override,
    past: Sequence[Past] | None,
    terms: Terms,
) -> None:
    if override.paused:
        awards.exclude(seen.holder_id, PAUSED)
        return
    facts = seen.facts
    first: datetime | None = None
    reason: str | None = None
    if past is not None:
        found = _standing(judge, seen, past, terms.period.start)
        first, reason = found.first, _why_not(found, terms)
        now_counts = terms.current_facts and judge.holds(seen.facts)
        if reason is None and found.facts is not None and not now_counts:
            facts = found.facts  # a run that is late gives what a punctual one would have given
    verdict = own_verdict(judge, facts, override)
    if terms.amount is not None:
        verdict = _given(judge, facts, terms)
    if verdict.amount and reason is not None:
        awards.exclude(seen.holder_id, reason)
        return
    amount, note = _share(verdict, terms, first)
    if amount:
        group.add(seen.holder_id, amount, note)
    else:
        _without(awards, seen.holder_id, verdict)


def own_verdict(
    judge: Judge, facts: tuple[Any, ...], override: Override, *, streak: int = 0
) -> Verdict:
    """Judge a holder for whom an operator may have set another amount (P3)."""
    verdict = judge.judge(facts, streak=streak)
    if override.amount is None or (verdict.reason and verdict.reason != "no_amount"):
        return verdict
    return judge.limited(override.amount, verdict.tier)


def _standing(judge: Judge, seen: Seen, past: Sequence[Past], start: datetime) -> Standing:
    states = [
        State(
            p.since,
            p.subscription_start,
            judge.replaced(
                seen.facts,
                {
                    "status": p.status,
                    "tier": p.tier,
                    "verified": p.verified,
                    "subscription_start": p.subscription_start,
                    "billing_anchor": p.billing_anchor,
                },
            ),
        )
        for p in past
    ]
    states.append(State(seen.since, seen.subscription_start, seen.facts))
    return standing(judge, states, start)


def _why_not(found: Standing, terms: Terms) -> str | None:
    """Say why somebody is not given this period, though they may qualify now, if so (P4)."""
    if found.first is None or found.first > terms.as_of or found.first >= terms.period.end:
        return NOT_STARTED
    if found.first <= terms.period.start and (terms.newcomers_only or not found.at_start):
        return RETURNS_NEXT_PERIOD
    return None


def _share(
    verdict: Verdict, terms: Terms, first: datetime | None
) -> tuple[int, dict[str, Any] | None]:
    """Find a holder's part of the amount, and what the entry tells of it (P4, P12)."""
    if not verdict.amount:
        return 0, None
    note: dict[str, Any] = {"tier": verdict.tier} if verdict.tier else {}
    whole = verdict.amount
    period = terms.period
    joined = first is not None and first > period.start
    shared = terms.amount is None and (period.partial or (joined and terms.proration is not None))
    if not shared:
        return whole, note or None
    how = terms.proration or Proration()
    since = first if joined and first is not None and terms.proration is not None else period.start
    part: Prorated = prorate(whole, period, since, how, terms.zone)
    note["proration"] = {
        "whole": whole,
        "part": part.numerator,
        "of": part.denominator,
        "by": how.by,
        "rounding": how.rounding,
        "since": since.isoformat(),
    }
    return part.amount, note


def _without(awards: Awards, holder_id: int, verdict: Verdict) -> None:
    """Leave a holder out, or set them aside."""
    if verdict.failure is not None:
        awards.fail(holder_id, *verdict.failure)
    else:
        awards.exclude(holder_id, verdict.reason or "no_amount")

"""Programs as one holder sees them: what comes next, and what came (P12, P13)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any, Final

import msgspec

from bursar.holders.store_people import read_these
from bursar.ledger import Entry, Filter, Kind, Ledger
from bursar.platform.database import Connection
from bursar.platform.errors import Missing
from bursar.platform.pages import MAX_PAGE, Page, place_of
from bursar.programs import store
from bursar.programs.claims import store as claims
from bursar.programs.claims.deciding import outages_of
from bursar.programs.cycles import store as cycles
from bursar.programs.judge import Judge, Verdict, milestone_of
from bursar.programs.library import Library
from bursar.programs.model import Calendar, Claim, InForce, Once, Override, Period, Rolling
from bursar.programs.outlook import next_period
from bursar.programs.periods import upcoming
from bursar.programs.runs.awarding import PAUSED, own_verdict
from bursar.programs.streaks import StreakState, claim

_DAY: Final = timedelta(days=1)


class NextGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gives to a holder next, as things stand (P13).

    ``amount`` is 0 with a ``reason`` if nothing would be given; ``why`` says in words how it comes
    about. ``at`` is None if no date is known; ``days`` are full days from now.
    """

    program: str
    asset: str
    at: datetime | None
    days: int | None
    amount: int
    reason: str | None
    why: str


class Award(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gave to a holder, or took back (P12)."""

    at: datetime
    program: str
    asset: str
    kind: str
    added: int
    before: int
    after: int
    tier: str | None
    days_since_last: int | None
    reference: str
    metadata: dict[str, Any]


async def read_next(connection: Connection, library: Library, holder_id: int) -> list[NextGrant]:
    """Tell what comes next to a holder from every program in force."""
    now = await store.read_now(connection)
    return [
        await _next_of(connection, library, in_force, holder_id, now)
        for in_force in await store.read_programs(connection)
        if not isinstance(in_force.program.schedule, Once)
    ]


async def _next_of(
    connection: Connection, library: Library, in_force: InForce, holder_id: int, now: datetime
) -> NextGrant:
    program = in_force.program
    compiled = await library.get(connection, in_force.program_id, in_force.version)
    period = next_period(program, in_force.standing, now)
    judge = Judge(program, compiled.rules, period)
    people = await read_these(connection, judge.facts, [holder_id])
    overrides = await store.read_overrides(connection, in_force.program_id, holder_id, holder_id)
    override = overrides.get(holder_id, Override())
    at, why, streak, extra = await _when(connection, in_force, period, holder_id, now)
    if not people.holder_ids:
        verdict = Verdict(0, "", reason="unknown")
    else:
        verdict = own_verdict(judge, people.facts[0], override, streak=streak)
        verdict = milestone_of(judge, verdict, extra)
    reason = verdict.failure[0] if verdict.failure is not None else verdict.reason
    if override.paused:
        reason = PAUSED
    elif not in_force.gives:
        reason = "program_off"
    return NextGrant(
        program=program.name,
        asset=program.asset,
        at=at,
        days=None if at is None else max((at - now) // _DAY, 0),
        amount=0 if reason else verdict.amount,
        reason=reason,
        why=why,
    )


async def _when(
    connection: Connection, in_force: InForce, period: Period, holder_id: int, now: datetime
) -> tuple[datetime | None, str, int, int]:
    """Find the date, its explanation, and for a claim the streak that it would reach."""
    schedule = in_force.program.schedule
    standing = in_force.standing
    match schedule:
        case Calendar():
            if period.start > now:
                return period.start, f"period {period.key}, for everybody at once", 0, 0
            following = upcoming(schedule, standing.paid_until, standing.starts_at, now)
            due = standing.paid_until is None or standing.paid_until <= now
            chosen = period if due else following
            return chosen.start, f"period {chosen.key}, for everybody at once", 0, 0
        case Rolling():
            found = await cycles.read_of(connection, in_force.program_id, [holder_id])
            if not found:
                return None, "no cycle yet: its anchor is not known", 0, 0
            cycle = found[0].cycle
            why = f"occurrence {cycle.n} counted from {cycle.anchor:%Y-%m-%d}"
            return cycle.due_at, why, 0, 0
        case Claim():
            held = await claims.read_streak(connection, in_force.program_id, holder_id)
            held = held or StreakState()
            outages = await outages_of(connection)
            claimed = claim(schedule, held, now, outages)
            if claimed.already:
                at = claimed.next_available_at
                claimed = claim(schedule, held, at, outages)
                return at, f"claim of day {claimed.length}", claimed.length, claimed.milestone
            return now, f"claim of day {claimed.length}", claimed.length, claimed.milestone
        case Once():
            return None, "once, on joining", 0, 0


async def read_history(
    ledger: Ledger, holder_id: int, program: str | None, limit: int, cursor: str | None
) -> Page[Award]:
    """List the awards of a holder, the newest first, from the books themselves.

    The cursor says for each asset where its wallet's next entries begin.
    """
    limit = min(limit, MAX_PAGE - 1)  # one more is read, to see what came before the last
    places = {} if cursor is None else _places(cursor)
    names = (program,) if program is not None else await _names(ledger)
    books: list[list[tuple[Entry, Award]]] = []
    wanted = Filter(kinds=(Kind.GRANT, Kind.REVERSE), sources=names)
    for asset in await ledger.assets():
        with suppress(Missing):  # no wallet in this asset
            page = await ledger.statement(
                holder_id=holder_id,
                asset=asset.code,
                wanted=wanted,
                limit=limit + 1,
                cursor=places.get(asset.code),
            )
            books.append(_awards(page.items, asset.code))
    merged = merge(*books, key=lambda pair: pair[0].recorded_at, reverse=True)
    awards = list(islice(merged, limit + 1))
    for entry, award in awards[:limit]:
        places[award.asset] = str(entry.seq - 1)
    following = ",".join(f"{asset}:{place}" for asset, place in sorted(places.items()))
    shown = tuple(award for _, award in awards[:limit])
    return Page(shown, following if len(awards) > limit else None)


def _places(cursor: str) -> dict[str, str]:
    """Read a cursor that an earlier page gave; raises `Invalid` ``cursor``."""
    places: dict[str, str] = {}
    for part in cursor.split(","):
        asset, _, place = part.partition(":")
        places[asset] = str(place_of(place))
    return places


def _awards(entries: Sequence[Entry], asset: str) -> list[tuple[Entry, Award]]:
    older = [*entries[1:], None] if entries else []
    return [(e, _award(e, asset, o)) for e, o in zip(entries, older, strict=True)]


async def _names(ledger: Ledger) -> tuple[str, ...]:
    """Name the sources of awards: every program that was ever, and what is granted by hand."""
    async with ledger.database.connection() as connection:
        return ("grant", *await store.read_names(connection))


def _award(entry: Entry, asset: str, older: Entry | None) -> Award:
    said: dict[str, Any] = msgspec.json.decode(entry.metadata) if entry.metadata else {}
    since = None if older is None else (entry.effective_at - older.effective_at) // _DAY
    return Award(
        at=entry.effective_at,
        program=entry.source or "",
        asset=asset,
        kind=str(said.get("kind", "manual")),
        added=entry.amount,
        before=entry.balance - entry.amount,
        after=entry.balance,
        tier=said.get("tier"),
        days_since_last=since,
        reference=entry.reference,
        metadata=said,
    )

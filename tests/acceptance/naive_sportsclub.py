"""What the sports club's subscribers must have, reckoned in the plainest way; nothing from Bursar.

50,000 for a month in London, to who subscribes and is verified. Whoever first was both within the
month has the share of its days left, that day included, rounded down. Once a month each; who was
both before, but not when the month began, waits for the next. However late the club looks, it gives
what it would have given in time (P4).
"""

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from tests.acceptance.churn import IMPORTED, Happening, Subscriber, joins_later

AMOUNT = 50_000
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class State:
    """How somebody was from an instant on."""

    since: datetime
    status: str
    verified: bool
    start: datetime

    def qualifies(self) -> bool:
        return self.status == "active" and self.verified


def reckon(
    subscribers: list[Subscriber], happenings: list[Happening], looks: list[datetime]
) -> dict[str, list[int]]:
    """What each is given, in order, if the club looks at these instants."""
    by_row: dict[int, list[Happening]] = {}
    for happening in happenings:
        by_row.setdefault(happening.row, []).append(happening)
    months = [(look, london_date(look)) for look in looks]
    return {
        one.name: awards_of(history(one, by_row.get(one.row, [])), months) for one in subscribers
    }


def history(one: Subscriber, happenings: list[Happening]) -> list[State]:
    states = []
    if not joins_later(one):
        status = "canceled" if one.churned else "active"
        states.append(State(min(one.start, IMPORTED), status, one.verified, one.start))
    for happening in happenings:
        before = states[-1] if states else State(happening.at, "", False, happening.at)
        states.append(
            replace(
                before,
                since=happening.at,
                status=before.status if happening.status is None else happening.status,
                verified=before.verified if happening.verified is None else happening.verified,
                start=happening.start or before.start,
            )
        )
    return states


def awards_of(states: list[State], looks: list[tuple[datetime, date]]) -> list[int]:
    awards = []
    paid: set[tuple[int, int]] = set()
    first = first_qualified(states)
    seen: set[tuple[int, int]] = set()
    for look, day in looks:
        month = (day.year, day.month)
        if first is None or first > look:
            seen.add(month)
            continue
        begins = london_midnight(day.replace(day=1))
        joined = london_date(first)
        joined_month = (joined.year, joined.month)
        eve = london_date(begins) - timedelta(days=1)
        if month not in seen and joined_month == (eve.year, eve.month) in seen - paid:
            # who joined after the last look at a month that the club has paid
            awards.append(share(joined))
            paid.add(joined_month)
        seen.add(month)
        if month in paid:
            continue
        if first <= begins:
            if not qualifies_at(states, begins):
                continue
            awards.append(AMOUNT)
        else:
            awards.append(share(joined))
        paid.add(month)
    return awards


def share(joined: date) -> int:
    """The part of a month from a day on."""
    days = monthrange(joined.year, joined.month)[1]
    return AMOUNT * (days - joined.day + 1) // days


def qualifies_at(states: list[State], instant: datetime) -> bool:
    """Tell whether somebody subscribes and is verified at an instant."""
    known = [state for state in states if state.since <= instant]
    return bool(known) and known[-1].qualifies() and known[-1].start <= instant


def first_qualified(states: list[State]) -> datetime | None:
    """When somebody was both for the first time ever."""
    for number, state in enumerate(states):
        begins = max(state.since, state.start)
        ended = number + 1 < len(states) and states[number + 1].since <= begins
        if state.qualifies() and not ended:
            return begins
    return None


def london_date(instant: datetime) -> date:
    return (instant + HOUR).date() if is_summer(instant) else instant.date()


def london_midnight(day: date) -> datetime:
    """Midnight in London; no month begins on a day on which the clocks change."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight - HOUR if is_summer(midnight) else midnight


def is_summer(instant: datetime) -> bool:
    """From one in the morning UTC on March's last Sunday to the same on October's."""
    return last_sunday(instant.year, 3) <= instant < last_sunday(instant.year, 10)


def last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)

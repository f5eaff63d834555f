"""What the subscribers of the refresh economy must have, in the plainest way; nothing from Bursar.

Every thirty days from the creation of the account, put back by 0–29 days that a hash of the id
chooses: 1,000 for `free`, 20,000 for `pro`, unless the subscription is canceled or past due. Who is
left out so when due has until 31 days after the occurrence before, and then goes without. Nothing
is given within 29 days of the last award. Of several that are due only the newest is given, and
however late one is given, the next is where it was. A higher tier brings at once what it gives
beyond what the last occurrence brought, unless the next is due just then (P1, P4, P9, H3).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from tests.acceptance.churn import IMPORTED, Happening, Subscriber, joins_later

AMOUNTS = {"free": 1_000, "pro": 20_000}
CYCLE = timedelta(days=30)
MINIMUM = timedelta(days=29)
GRACE = timedelta(days=31)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Award:
    """What was given when the program looked in, for an occurrence."""

    given_at: datetime
    due: datetime
    tier: str
    amount: int
    difference: bool = False


def reckon(
    subscribers: list[Subscriber], happenings: list[Happening], looks: list[datetime]
) -> dict[str, list[Award]]:
    """What each is given, in order, if the program looks in at these instants."""
    by_row: dict[int, list[Happening]] = {}
    for happening in happenings:
        by_row.setdefault(happening.row, []).append(happening)
    return {one.name: awards_of(one, by_row.get(one.row, []), looks) for one in subscribers}


def awards_of(one: Subscriber, happenings: list[Happening], looks: list[datetime]) -> list[Award]:
    created = happenings[0].at if joins_later(one) else min(one.start, IMPORTED)
    occurrence = created - timedelta(days=put_back_by(one.name)) + CYCLE
    while occurrence < FIRST:
        occurrence += CYCLE
    look_from = occurrence
    last: datetime | None = None
    awards: list[Award] = []
    tier_seen: str | None = None
    for look in looks:
        if look < created:
            continue
        status, tier = as_known(one, happenings, look)
        eligible = status not in {"canceled", "past_due"}
        changed, tier_seen = tier_seen not in {None, tier}, tier
        waits = last is not None and look < last + MINIMUM
        if changed and eligible and (look < occurrence or waits):
            awards += difference(awards, occurrence - CYCLE, tier, look)
        if look < look_from:
            continue
        if last is not None and waits:
            look_from = last + MINIMUM
            continue
        newest = occurrence
        while newest + CYCLE <= look:
            newest += CYCLE
        if eligible:
            awards.append(Award(look, newest, tier, AMOUNTS[tier]))
            last = look
        else:
            until = min(occurrence - CYCLE + GRACE, occurrence + CYCLE)
            if look < until:
                look_from = min(look + AGAIN, until)
                continue
        look_from = occurrence = newest + CYCLE
    return awards


def difference(awards: list[Award], before: datetime, tier: str, look: datetime) -> list[Award]:
    """What a tier gives beyond what the occurrence before brought; nothing if it was missed."""
    brought = sum(award.amount for award in awards if award.due == before)
    if 0 < brought < AMOUNTS[tier]:
        return [Award(look, before, tier, AMOUNTS[tier] - brought, difference=True)]
    return []


def put_back_by(name: str) -> int:
    """Say by how many days of the cycle somebody's first refresh is put back."""
    return int.from_bytes(sha256(f"0:{name}".encode()).digest()[:8], "big") % 30


def as_known(one: Subscriber, happenings: list[Happening], instant: datetime) -> tuple[str, str]:
    """Status and tier at an instant."""
    status, tier = "canceled" if one.churned else "active", one.tier
    for happening in happenings:
        if happening.at <= instant:
            status = happening.status or status
            tier = happening.tier or tier
    return status, tier

"""What the arena's players must have, reckoned in the plainest way; nothing from Bursar.

A day counts that is claimed, or on which a player logs in. Day n of a streak brings 1,000 and 500
more for each day before it, from the 18th on 10,000. One missed day is forgiven if none was in the
29 days before it; a day of an outage is not missed by anybody (P20–P23).
"""

from datetime import date, timedelta
from hashlib import sha256

DAY = timedelta(days=1)
SHARES = (100, 97, 90, 70, 40)
"""On how many days in a hundred the players play, in turns."""


def plays(player: int, day: date) -> bool:
    """Tell whether a player is there on a day, as chance has it, but the same in every run."""
    chance = sha256(f"{player} {day}".encode()).digest()[0] * 100 // 256
    return chance < SHARES[player % len(SHARES)]


def by_hand(player: int, day: date) -> bool:
    """Tell whether a player who is there claims, or leaves it to the night."""
    return (player + day.toordinal()) % 2 == 0


def rewards(days: list[date], outage: set[date]) -> list[int]:
    """What the days on which a player was there bring."""
    brought: list[int] = []
    length = 0
    last: date | None = None
    forgiven: date | None = None
    for day in days:
        missed = [] if last is None else between(last, day, outage)
        spared = forgiven is None or not missed or missed[0] - forgiven >= 30 * DAY
        if last is None or len(missed) > 1 or (missed and not spared):
            length = 1
        else:
            length += 1
            forgiven = missed[0] if missed else forgiven
        brought.append(10_000 if length >= 18 else 1_000 + (length - 1) * 500)
        last = day
    return brought


def between(last: date, day: date, outage: set[date]) -> list[date]:
    """The days missed between two on which a player was there."""
    days = [last + n * DAY for n in range(1, (day - last).days)]
    return [one for one in days if one not in outage]

"""Subscribers of a sports club, made up: the same number and instant make the same people."""

import csv
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

COLUMNS = ("member", "name", "email", "plan", "state", "joined", "id_checked")

_GIVEN_NAMES = (
    "Ada Amir Bea Carlos Chen Dara Elif Emma Femi Grace Hana Igor Ines Jack Jonas Kofi Lena Luca "
    "Maya Milan Nadia Noah Olga Omar Pia Priya Quinn Rosa Sam Sofia Tariq Tom Uma Vera Yuki Zoe"
)
_FAMILY_NAMES = (
    "Adams Baker Berg Castro Costa Diaz Evans Fischer Garcia Haddad Hansen Ito Jones Kaya Khan "
    "Kim Kowalski Lee Lopez Martin Mensah Moreau Novak Okafor Patel Quist Rossi Silva Singh Smith "
    "Tanaka Usman Vogel Walker Weber Young"
)
_PLANS = {"bronze": 60, "silver": 30, "gold": 10}
_STATES = {"current": 88, "late": 5, "on hold": 2, "left": 5}
_YEARS = 6
_UNCHECKED_EVERY = 16


def write_csv(file: Path, count: int, now: datetime) -> None:
    """Write the club's export: a header and a line for each subscriber."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(people(count, now))


def people(count: int, now: datetime) -> Iterator[tuple[str, ...]]:
    """Make them up in the order they joined: over six years, more each year, the last just now."""
    chance = random.Random(count)
    seconds = int(timedelta(days=365 * _YEARS).total_seconds())
    first = now - timedelta(seconds=seconds)
    since = sorted(int(seconds * chance.random() ** 0.6) for _ in range(count))
    given, family = _GIVEN_NAMES.split(), _FAMILY_NAMES.split()
    plans = chance.choices([*_PLANS], [*_PLANS.values()], k=count)
    states = chance.choices([*_STATES], [*_STATES.values()], k=count)
    for number, (after, plan, state) in enumerate(zip(since, plans, states, strict=True), 1):
        first_name, last_name = chance.choice(given), chance.choice(family)
        yield (
            f"m-{number:06}",
            f"{first_name} {last_name}",
            f"{first_name}.{last_name}.{number}@example.org".lower(),
            plan,
            state,
            (first + timedelta(seconds=after)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "no" if chance.randrange(_UNCHECKED_EVERY) == 0 else "yes",
        )

"""Real subscribers, and a year of what befalls them; plain Python, nothing from Bursar.

A subscriber is a row of a telecom operator's file; its number is the id, and whatever the file does
not say follows from the number. The year's happenings are made of it too, so that who joins in
mid-month, cancels, comes back, is verified or changes tier is the same in every run.
"""

import csv
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

IMPORTED = datetime(2025, 12, 31, 12, tzinfo=UTC)
TIERS = {"Month-to-month": "free", "One year": "pro", "Two year": "pro"}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One row: ``start`` may lie shortly after the import, for those who have just signed up."""

    row: int
    contract: str
    churned: bool
    verified: bool
    start: datetime

    @property
    def name(self) -> str:
        return str(self.row)

    @property
    def tier(self) -> str:
        return TIERS[self.contract]


@dataclass(frozen=True, slots=True)
class Happening:
    """What the app reports of somebody at an instant; what it does not say is None."""

    at: datetime
    row: int
    status: str | None = None
    tier: str | None = None
    verified: bool | None = None
    start: datetime | None = None


def read_subscribers(file: Path) -> list[Subscriber]:
    """Read the file: contract to tier, churn to status, tenure to the start."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            Subscriber(
                row=row,
                contract=line["Contract"],
                churned={"Yes": True, "No": False}[line["Churn"]],
                verified=row % 20 != 0,
                start=months_before_2026(int(line["tenure"]), row),
            )
            for row, line in enumerate(csv.DictReader(lines), 1)
        ]


def months_before_2026(tenure: int, row: int) -> datetime:
    """The month that lies ``tenure`` before January 2026, on a day and an hour that the row says.

    A tenure of 0 is a day of January itself: the subscription has yet to begin.
    """
    year, month = divmod(2026 * 12 - tenure, 12)
    day = 1 + row * 11 % monthrange(year, month + 1)[1]
    return datetime(year, month + 1, day, row % 24, tzinfo=UTC)


def joins_later(subscriber: Subscriber) -> bool:
    """Every tenth is not there at the import: they sign up in the course of the year."""
    return subscriber.row % 10 == 3


def moments() -> list[datetime]:
    """Every third day of the year, at night, at noon and just before midnight UTC in turns.

    Just before midnight UTC is the next day already in a London summer.
    """
    first = datetime(2026, 1, 5, tzinfo=UTC)
    hours = (timedelta(hours=3), timedelta(hours=12), timedelta(hours=23, minutes=30))
    return [first + timedelta(days=3 * n) + hours[n % 3] for n in range(120)]


def year_of(subscribers: list[Subscriber]) -> list[Happening]:
    """What befalls them in 2026, in order of time."""
    calendar = moments()
    happenings: list[Happening] = []
    for one in subscribers:
        happenings += befalls(one, calendar)
    return sorted(happenings, key=lambda happening: (happening.at, happening.row))


def befalls(one: Subscriber, calendar: list[datetime]) -> list[Happening]:
    """What befalls one, by the last digit of the row; what lies beyond the year is left out."""
    row, turn = one.row, one.row // 10
    first = turn * 37 % len(calendar)
    found: list[Happening | None] = []

    def later(steps: int, **said: str | bool | None) -> Happening | None:
        n = first + steps
        return Happening(calendar[n], row, **said) if n < len(calendar) else None  # type: ignore[arg-type]

    match row % 10:
        case 0 if turn % 4 == 0:  # verified at last
            found = [later(0, verified=True)]
        case 3:  # joins; some are verified days later, some leave after two months
            known = turn % 3 != 0
            at = calendar[first]
            found = [Happening(at, row, "active", one.tier, known, at)]
            if not known:
                found.append(later(2 + turn % 7, verified=True))
            if one.churned:
                found.append(later(20, status="canceled"))
        case 4 if not one.churned:  # leaves; some come back within days, some within months
            found = [later(0, status="canceled")]
            if turn % 2:
                back = later(1 + turn % 23, status="active")
                if back is not None and turn % 4 == 1:  # a new subscription, with its own start
                    back = Happening(back.at, row, "active", start=back.at)
                found.append(back)
        case 5:  # another tier
            found = [later(0, tier="pro" if one.tier == "free" else "free")]
            if turn % 3 == 0:
                found.append(later(9, tier=one.tier))
        case 6 if one.churned:  # had left before the import, and comes back
            found = [later(0, status="active")]
        case 7 if not one.churned:  # a payment fails, and is made days later
            found = [later(0, status="past_due"), later(1 + turn % 5, status="active")]
        case 8 if not one.churned:  # leaves and comes back, twice
            found = [
                later(step, status=status)
                for step, status in (
                    (0, "canceled"),
                    (1, "active"),
                    (2, "canceled"),
                    (30, "active"),
                )
            ]
        case 9 if turn % 7 == 0:  # the identity is in doubt for a while
            found = [later(0, verified=False), later(5, verified=True)]
    return [happening for happening in found if happening is not None]

"""The real subscribers as the app tells them to Bursar."""

import csv
from pathlib import Path

from bursar.holders.importing.import_plan import ImportPlan
from bursar.holders.model import HolderChange
from tests.acceptance.churn import IMPORTED, TIERS, Happening, Subscriber, joins_later
from tests.acceptance.world import World

COLUMNS = ("Row", "Contract", "Churn", "Checked", "Created", "Since")
PLAN = ImportPlan(
    map={
        "external_id": "Row",
        "tier": "Contract",
        "status": "Churn",
        "verified": "Checked",
        "created_at": "Created",
        "subscription_start": "Since",
    },
    values={"tier": TIERS, "status": {"Yes": "canceled", "No": "active"}},
    date_format="%d.%m.%Y %H:%M",
    strict=True,
)


async def import_subscribers(world: World, folder: Path, subscribers: list[Subscriber]) -> None:
    """Import everybody who is there, if only to subscribe from some day of January on.

    As an app would: from a file of its own columns and words, with maps.
    """
    there = [one for one in subscribers if not joins_later(one)]
    file = folder / "subscribers.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        writer.writerows(_row(one) for one in there)
    report = await world.programs.holders.import_file(file, PLAN, actor="app", reason="import")
    assert (report.created, report.rejected) == (len(there), 0)


def _row(one: Subscriber) -> tuple[str, ...]:
    created = min(one.start, IMPORTED)
    return (
        one.name,
        one.contract,
        "Yes" if one.churned else "No",
        "yes" if one.verified else "no",
        f"{created:{PLAN.date_format}}",
        f"{one.start:{PLAN.date_format}}",
    )


def reported(happening: Happening) -> HolderChange:
    """What befell somebody, told when it does."""
    said = {
        "status": happening.status,
        "tier": happening.tier,
        "verified": happening.verified,
        "subscription_start": happening.start,
    }
    return HolderChange(
        str(happening.row), **{name: value for name, value in said.items() if value is not None}
    )

"""The real subscribers as the app tells them to Bursar."""

from bursar.holders.model import HolderChange
from tests.acceptance.churn import IMPORTED, Happening, Subscriber, joins_later


def imported(subscribers: list[Subscriber]) -> list[HolderChange]:
    """Everybody who is there at the import, if only to subscribe from some day of January on."""
    return [
        HolderChange(
            one.name,
            created_at=min(one.start, IMPORTED),
            status="canceled" if one.churned else "active",
            tier=one.tier,
            verified=one.verified,
            subscription_start=one.start,
        )
        for one in subscribers
        if not joins_later(one)
    ]


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

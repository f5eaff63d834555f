"""A higher tier in the midst of a period: the difference now, where a program says so (P4)."""

from bursar.ledger.reading.given import read_by_references
from bursar.platform.database import Connection
from bursar.programs.runs.awarding import ALREADY_PAID
from bursar.programs.runs.model import Awards, Group
from bursar.programs.runs.work import Work


async def pay_differences(
    connection: Connection, work: Work, awards: Awards, *, only_paid: bool = False
) -> None:
    """Give whoever has been paid for a period what their tier gives beyond it.

    It goes under the period's reference and the tier, so that going back and forth between tiers
    pays once for each. A lower tier takes nothing back. With ``only_paid`` whoever has not been
    paid at all is left to the program's schedule.
    """
    for group in list(awards.groups.values()):
        if group.holder_ids:
            await _differ(connection, work, awards, group, only_paid=only_paid)


async def _differ(
    connection: Connection, work: Work, awards: Awards, group: Group, *, only_paid: bool
) -> None:
    tiers = {str((note or {}).get("tier", "")) for note in group.notes}
    tiers |= set(work.program.amount.by_tier or {})
    names = [group.reference, *(_reference(group, tier) for tier in sorted(tiers))]
    given: dict[int, int] = {}
    paid: set[int] = set()
    entries = await read_by_references(connection, work.run.asset, group.holder_ids, names)
    for (holder_id, reference), amount in entries.items():
        given[holder_id] = given.get(holder_id, 0) + amount
        if reference == group.reference:
            paid.add(holder_id)
    unpaid = Group(reference=group.reference, period=group.period, kind=group.kind)
    for holder_id, amount, note in zip(group.holder_ids, group.amounts, group.notes, strict=True):
        if holder_id in paid:
            more = amount - given[holder_id]
            if more > 0:
                tier = str((note or {}).get("tier", ""))
                differing = awards.group(
                    _reference(group, tier), group.period, "subscription_change"
                )
                differing.add(holder_id, more, {"tier": tier, "whole": amount})
            else:
                awards.exclude(holder_id, ALREADY_PAID)
        elif not only_paid:
            unpaid.add(holder_id, amount, note)
    awards.groups[group.reference] = unpaid


def _reference(group: Group, tier: str) -> str:
    return f"{group.reference}:{tier}"

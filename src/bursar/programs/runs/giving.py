"""Posting the awards of a chunk, one distribution for each reference (L2, P5, P11)."""

from datetime import timedelta
from typing import Final

from bursar.ledger import Distribution, Ledger, LotTerms, Status
from bursar.platform.database import Connection
from bursar.programs.model import Period, Program, Terms
from bursar.programs.runs.already import leave_out_paid
from bursar.programs.runs.awarding import ALREADY_PAID
from bursar.programs.runs.model import Awards, Group, Run
from bursar.programs.runs.rollover import expire_beyond_cap
from bursar.programs.runs.work import Work

EXPIRED: Final = "expired"
"""What would have been given has expired already: a missed period caught up with too late."""


async def give(
    connection: Connection, ledger: Ledger, work: Work, awards: Awards
) -> tuple[int, int]:
    """Post the awards; whoever has theirs already, or is refused, is told apart."""
    run, program = work.run, work.program
    awarded = amount = 0
    if program.terms.rollover_cap is not None:
        # what a period has given is not of an earlier one: it must not expire beyond the cap
        await leave_out_paid(connection, run.asset, awards)
    for group in awards.groups.values():
        if not group.holder_ids:
            continue
        lot = lot_of(program.terms, program.name, group.period, run)
        if lot is not None and lot.expires_at is not None and lot.expires_at <= run.as_of:
            for holder_id in group.holder_ids:
                awards.exclude(holder_id, EXPIRED)
            continue
        if program.terms.rollover_cap is not None:
            await expire_beyond_cap(connection, ledger, run, program, group)
        given = Distribution(
            asset=run.asset,
            reference=group.reference,
            holder_ids=group.holder_ids,
            amounts=group.amounts,
            notes=group.notes,
            source=program.name,
            metadata=_metadata(run, program, group),
            effective_at=group.effective_at,
            lot=lot,
        )
        outcome = await ledger.distribute(given, actor=run.name, reason=run.reason, tx=connection)
        awarded += outcome.applied
        amount += outcome.applied_amount
        if outcome.replayed_ids:
            awards.excluded[ALREADY_PAID] += len(outcome.replayed_ids)
        for holder_id, refusal in outcome.refused.items():
            if refusal.status is Status.REFERENCE_CONFLICT:
                awards.exclude(holder_id, ALREADY_PAID)
            else:
                awards.fail(holder_id, refusal.status.value, refusal.message)
    return awarded, amount


def lot_of(terms: Terms, name: str, period: Period, run: Run) -> LotTerms | None:
    """Say how an award is kept: in a lot of the program's if it may expire or be capped (P11)."""
    if terms.expires == "period_end":
        expires_at = period.end
    elif terms.expires_days is not None:
        expires_at = run.as_of + timedelta(days=terms.expires_days)
    elif terms.rollover_cap is not None or terms.priority:
        return LotTerms(priority=terms.priority, origin=name)
    else:
        return None
    return LotTerms(expires_at=expires_at, priority=terms.priority, origin=name)


def _metadata(run: Run, program: Program, group: Group) -> dict[str, object]:
    """Tell on every entry which program, version, period and run gave it (L12, P12)."""
    said: dict[str, object] = {"kind": group.kind}
    if run.run_id:
        said["run"] = run.name
    if run.program is not None:
        said |= {"program": program.name, "version": run.version, "period": group.period.key}
    return said

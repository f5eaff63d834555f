"""From a chunk to its awards: read what the decision needs, decide, and say what to do after."""

from collections.abc import Sequence

from bursar.holders.model import People
from bursar.holders.store_people import read_past, read_people, read_these
from bursar.platform.database import Connection
from bursar.programs import store
from bursar.programs.claims.deciding import decide_claims
from bursar.programs.cycles.deciding import award_again, counting_anew, decide_due
from bursar.programs.model import Calendar, Claim, Once, Override, Rolling, RunKind
from bursar.programs.references import reference_of
from bursar.programs.runs.already import leave_out_kept
from bursar.programs.runs.awarding import Terms, award_period, unsettled
from bursar.programs.runs.difference import pay_differences
from bursar.programs.runs.model import Awards, Chunk
from bursar.programs.runs.work import Decided, Work


async def decide(connection: Connection, work: Work, chunk: Chunk) -> Decided:
    """Decide who in a chunk is given what; nothing is written yet (P6)."""
    if work.run.kind is RunKind.GRANT:
        granted = _decide_grant(work, *await _everybody(connection, work, chunk))
        return Decided(granted, counting_anew(connection, work, granted))
    match work.program.schedule:
        case Calendar(zone=zone):
            people, overrides = await _everybody(connection, work, chunk)
            changed = unsettled(people, work.run.period.start)
            pasts = await read_past(connection, changed)
            over = work.run.kind is RunKind.JOINERS and work.run.as_of >= work.run.period.end
            terms = terms_of(work, zone)._replace(newcomers_only=over)
            awards = award_period(
                work.judge, people, overrides, terms, changed=changed, pasts=pasts
            )
            await leave_out_kept(connection, work, awards)
            if pays_differences(work):
                await pay_differences(connection, work, awards)
            return Decided(awards)
        case Once():
            return Decided(_decide_once(work, *await _everybody(connection, work, chunk)))
        case Rolling() as rolling if work.run.kind is RunKind.JOINERS:
            people, overrides = await _everybody(connection, work, chunk)
            awards = await award_again(connection, work, rolling, people, overrides)
            await pay_differences(connection, work, awards, only_paid=True)
            return Decided(awards)
        case Rolling() as rolling:
            return await decide_due(connection, work, rolling, chunk)
        case Claim() as claim:
            people, overrides = await _everybody(connection, work, chunk)
            return await decide_claims(connection, work, claim, chunk, people, overrides)


def pays_differences(work: Work) -> bool:
    """Tell whether a run looks for tiers that have changed since the period was paid."""
    changes = work.program.on_tier_change == "difference_now"
    return changes and work.run.kind is RunKind.JOINERS


async def _everybody(
    connection: Connection, work: Work, chunk: Chunk
) -> tuple[People, dict[int, Override]]:
    """Read the people of a chunk, and what operators have set for them."""
    people = await people_of(connection, work.judge.facts, chunk)
    overrides = await store.read_overrides(
        connection, work.program_id, chunk.first_holder, chunk.last_holder, chunk.holder_ids
    )
    return people, overrides


async def people_of(connection: Connection, facts: Sequence[str], chunk: Chunk) -> People:
    """Read the people of a chunk."""
    if chunk.holder_ids is not None:
        return await read_these(connection, facts, chunk.holder_ids)
    return await read_people(connection, facts, first=chunk.first_holder, last=chunk.last_holder)


def terms_of(work: Work, zone: str) -> Terms:
    """What the awards of a run's period have in common."""
    run, program = work.run, work.program
    return Terms(
        period=run.period,
        reference=reference_of(program, run.period.key, run.period.start, run.generation),
        as_of=run.as_of,
        zone=zone,
        proration=program.proration,
        current_facts=program.on_tier_change == "difference_now",
    )


def _decide_grant(work: Work, people: People, overrides: dict[int, Override]) -> Awards:
    """By hand: whoever qualifies now, the whole amount or the one named (P14)."""
    run = work.run
    terms = Terms(
        period=run.period,
        # no reference that an operator may choose reads like that of a run without one
        reference=f"grant:{run.reference}" if run.reference is not None else f"{run.name}:grant",
        as_of=run.as_of,
        zone="UTC",
        proration=None,
        amount=run.amount,
        kind="manual",
    )
    return award_period(work.judge, people, overrides, terms)


def _decide_once(work: Work, people: People, overrides: dict[int, Override]) -> Awards:
    """Those who joined since the program began (P14)."""
    terms = terms_of(work, "UTC")
    joined = [n for n, created in enumerate(people.created) if created >= work.run.period.start]
    newcomers = People(
        holder_ids=[people.holder_ids[n] for n in joined],
        facts=[people.facts[n] for n in joined],
        settled=[people.settled[n] for n in joined],
        subscription_starts=[people.subscription_starts[n] for n in joined],
        created=[people.created[n] for n in joined],
    )
    awards = award_period(work.judge, newcomers, overrides, terms)
    if before := len(people.holder_ids) - len(joined):
        awards.excluded["joined_before"] += before
    return awards

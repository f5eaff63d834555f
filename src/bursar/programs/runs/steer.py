"""Steering a run: approve, pause, resume, cancel, revert, retry (P6, P8, P10).

Each writes down who did it and why, in the same transaction (I2).
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from bursar.ledger import Policy
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected
from bursar.platform.voice import check_voice, person_of
from bursar.programs import store as programs
from bursar.programs.model import RunId, RunKind, RunState
from bursar.programs.runs import store
from bursar.programs.runs import store_failures as failures
from bursar.programs.runs.model import NewRun, Run
from bursar.programs.runs.store_period import end_joiners
from bursar.trail import record

_REVERTIBLE: Final = frozenset(
    # one that is being reverted: once more, if the run that did it was canceled
    {RunState.FINISHED, RunState.PAUSED, RunState.CANCELED, RunState.REVERTING}
)
_TAKEN_BACK: Final = frozenset({RunState.REVERTING, RunState.REVERTED})


async def get_run(connection: Connection, run_id: RunId) -> Run:
    """Read a run; raises `Missing` ``run_unknown``."""
    found = await store.read_runs(connection, run_ids=[run_id])
    if not found:
        raise Missing("run_unknown", f"there is no run_{run_id}", run=f"run_{run_id}")
    return found[0]


async def approve(
    connection: Connection, run_id: RunId, total: int, *, actor: str, reason: str
) -> None:
    """Let a run that waits begin: exactly this run, with this total, by a second person (P10).

    Neither who started it nor who made the program's version may approve, through whichever door
    they come. The run then gives no more than the total.
    """
    check_voice(actor, reason)
    run = await get_run(connection, run_id)
    if run.state is not RunState.WAITING or run.estimate is None:
        raise Rejected("run_state", f"{run.name} does not wait for approval", state=run.state)
    if total != run.estimate.amount:
        raise Conflict(
            "approval_total",
            f"{run.name} comes to {run.estimate.amount}, not {total}: look at it again",
            total=total,
            estimate=run.estimate.amount,
        )
    author = None
    if run.program_id is not None and run.version is not None:
        version = await programs.read_version(connection, run.program_id, run.version)
        author = version[1] if version is not None else None
    if person_of(actor) in {person_of(one) for one in (run.started_by, author) if one is not None}:
        raise Rejected(
            "approval_second_person",
            f"{actor} has made this run or its program: another person must approve it",
            actor=actor,
        )
    ceiling = total if run.ceiling is None else min(total, run.ceiling)
    await _move(
        connection,
        run,
        RunState.RUNNING,
        [RunState.WAITING],
        act="run.approve",
        voice=(actor, reason),
        told={"total": total, "ceiling": ceiling},
        approved_by=actor,
        ceiling=ceiling,
    )


async def pause(connection: Connection, run_id: RunId, *, actor: str, reason: str) -> None:
    """Stop a run where it is; chunks under way are finished."""
    run = await get_run(connection, run_id)
    await _move(
        connection,
        run,
        RunState.PAUSED,
        [RunState.RUNNING],
        act="run.pause",
        voice=(actor, reason),
        note=f"paused by {actor}",
    )


async def resume(connection: Connection, run_id: RunId, *, actor: str, reason: str) -> None:
    """Let a paused run go on; not one that would come to more than its ceiling (P10)."""
    run = await get_run(connection, run_id)
    expected = 0 if run.estimate is None else run.estimate.amount
    if run.ceiling is not None and expected > run.ceiling:
        raise Rejected(
            "run_ceiling",
            f"{run.name} comes to {expected}, above its limit of {run.ceiling}: cancel it, raise"
            " the limit, start it again",
            estimate=expected,
            ceiling=run.ceiling,
        )
    await _move(
        connection,
        run,
        RunState.RUNNING,
        [RunState.PAUSED],
        act="run.resume",
        voice=(actor, reason),
        note=f"resumed by {actor}",
    )


async def cancel(connection: Connection, run_id: RunId, *, actor: str, reason: str) -> None:
    """End a run for good; what it has given stays until it is reverted."""
    run = await get_run(connection, run_id)
    states = [RunState.RUNNING, RunState.PAUSED, RunState.WAITING]
    await _move(
        connection,
        run,
        RunState.CANCELED,
        states,
        act="run.cancel",
        voice=(actor, reason),
        note=f"canceled by {actor}",
    )


async def revert(
    connection: Connection, run_id: RunId, policy: Policy, *, actor: str, reason: str
) -> RunId:
    """Start the run that takes back what another gave; a second time is refused (P6).

    Waits for whoever works on a chunk of it, and ends its period's runs for joiners, whose awards
    stay: the period may be run again now. Raises `Rejected` ``run_state``.
    """
    check_voice(actor, reason)
    run = await get_run(connection, run_id)
    if run.kind is RunKind.REVERT:
        raise Rejected("run_not_revertible", f"{run.name} is itself a reversal", run=run.name)
    if policy not in ("debt", "clip", "net"):
        raise Invalid("revert_policy", "a policy is debt, clip or net", policy=str(policy))
    # the chunks first: who works on one goes on to the run
    await store.hold_chunks(connection, run_id)
    before = await _change(
        connection, run, RunState.REVERTING, _REVERTIBLE, note=f"reverted by {actor}: {reason}"
    )
    if run.kind is RunKind.SCHEDULED and run.program_id is not None:
        stands = await store.read_newest(connection, run.program_id, run.period.key)
        if stands is None or stands.state in _TAKEN_BACK:
            note = f"ended by the reversal of {run.name}"
            await end_joiners(connection, run.program_id, run.period.key, run.generation, note)
    progress = await store.read_progress(connection, run_id)
    made = await store.add_run(
        connection,
        NewRun(
            kind=RunKind.REVERT,
            asset=run.asset,
            period=run.period,
            as_of=run.as_of,
            started_by=actor,
            reason=reason,
            program_id=run.program_id,
            version=run.version,
            generation=run.generation,
            target_run=run_id,
            policy=policy,
            holders=progress.awarded,
        ),
    )
    if made is None:
        raise Rejected("run_state", f"{run.name} has been reverted", state=RunState.REVERTED)
    await store.add_copied(connection, made, run_id)
    await record(
        connection,
        actor=actor,
        act="run.revert",
        subject=run.name,
        reason=reason,
        before={"state": before},
        after={"state": RunState.REVERTING, "run": f"run_{made}", "policy": policy},
    )
    return made


async def retry_now(
    connection: Connection, run_id: RunId, size: int, *, actor: str, reason: str
) -> int:
    """Take up all whom a run has set aside, at somebody's word; where there are none, do nothing.

    Returns how many.
    """
    check_voice(actor, reason)
    run = await get_run(connection, run_id)
    before = await store.hold_state(connection, run_id)
    count = (await retry(connection, run_id, size)).get(run_id, 0)
    if count:
        after = {"state": await store.hold_state(connection, run_id), "holders": count}
        await record(
            connection,
            actor=actor,
            act="run.retry",
            subject=run.name,
            reason=reason,
            before={"state": before},
            after=after,
        )
    return count


async def retry(connection: Connection, run_id: RunId | None, size: int) -> dict[RunId, int]:
    """Take up holders set aside whose next try is due, or all those of one run at once (P8).

    They become chunks of their run, which goes on with them. Returns how many, by run.
    """
    taken = await failures.take_failures(connection, run_id)
    for run, holder_ids in taken.items():
        last = await store.lock_last_chunk(connection, run)
        await store.add_listed(connection, run, holder_ids, size, after=last)
        await store.move_run(connection, run, RunState.RUNNING, [RunState.FINISHED])
    return {run: len(holder_ids) for run, holder_ids in taken.items()}


async def _move(
    connection: Connection,
    run: Run,
    state: RunState,
    from_states: Collection[RunState],
    *,
    act: str,
    voice: tuple[str, str],
    told: Mapping[str, Any] | None = None,
    note: str | None = None,
    approved_by: str | None = None,
    ceiling: int | None = None,
) -> None:
    """Take a run to another state, and write the act down with ``told`` beside the state."""
    before = await _change(
        connection, run, state, from_states, note=note, approved_by=approved_by, ceiling=ceiling
    )
    actor, reason = voice
    await record(
        connection,
        actor=actor,
        act=act,
        subject=run.name,
        reason=reason,
        before={"state": before},
        after={"state": state, **(told or {})},
    )


async def _change(
    connection: Connection,
    run: Run,
    state: RunState,
    from_states: Collection[RunState],
    *,
    note: str | None = None,
    approved_by: str | None = None,
    ceiling: int | None = None,
) -> RunState:
    """Take a run to another state; returns the one before, or raises `Rejected` ``run_state``."""
    before = await store.hold_state(connection, run.run_id)
    moved = await store.move_run(
        connection,
        run.run_id,
        state,
        from_states,
        note=note,
        approved_by=approved_by,
        ceiling=ceiling,
    )
    if not moved:
        raise Rejected(
            "run_state",
            f"{run.name} is {before}: it cannot become {state}",
            run=run.name,
            state=before,
        )
    return before

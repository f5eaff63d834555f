"""What an operator sets for one holder in one program (P3)."""

import msgspec

from bursar.ledger import MAX_AMOUNT
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid
from bursar.programs import store
from bursar.programs.cycles import store as cycles
from bursar.programs.cycles.store import CycleMove
from bursar.programs.model import InForce, Override, Rolling
from bursar.programs.rolling import begin
from bursar.trail import record


def mark_of(override: Override) -> str:
    """Name what an override says, so that who changes it can tell what they have read."""
    return f"{override.amount}.{override.refresh_day}.{override.paused}".lower()


def check_override(override: Override) -> None:
    """Refuse what cannot be meant; raises `Invalid` ``override_invalid``."""
    amount, day = override.amount, override.refresh_day
    if amount is not None and not (type(amount) is int and 0 <= amount <= MAX_AMOUNT):
        raise Invalid("override_invalid", "an amount is a whole number, 0 or more", field="amount")
    if day is not None and not (type(day) is int and 1 <= day <= 31):
        raise Invalid("override_invalid", "a refresh day is 1 to 31", field="refresh_day")


async def set_override(
    connection: Connection,
    in_force: InForce,
    holder_id: int,
    override: Override,
    *,
    expect: str | None = None,
    actor: str,
    reason: str,
) -> None:
    """Write an override; another refresh day moves the holder's cycle to that day (P1).

    The cycle's next occurrence is then the first such day that has not begun, counted from the
    occurrence that would have been next. The act names the holder by number, since it stays.
    """
    schedule = in_force.program.schedule
    if override.refresh_day is not None and not isinstance(schedule, Rolling):
        raise Invalid(
            "override_invalid",
            f"{in_force.program.name} is not rolling: it has no refresh days",
            field="refresh_day",
        )
    await store.lock_override(connection, in_force.program_id, holder_id)
    before = await store.read_overrides(connection, in_force.program_id, holder_id, holder_id)
    _check_mark(before.get(holder_id, Override()), expect)
    await store.set_override(
        connection, in_force.program_id, holder_id, override, actor=actor, reason=reason
    )
    old = before.get(holder_id, Override())
    await record(
        connection,
        actor=actor,
        act="program.override",
        subject=f"{in_force.program.name}/{holder_id}",
        reason=reason,
        before=msgspec.structs.asdict(old),
        after=msgspec.structs.asdict(override),
    )
    old_day = old.refresh_day
    if not isinstance(schedule, Rolling) or old_day == override.refresh_day:
        return
    now = await store.read_now(connection)
    moves = []
    for one in await cycles.read_of(connection, in_force.program_id, [holder_id]):
        cycle = begin(schedule, one.cycle.anchor, one.tier, override.refresh_day, now)
        moves.append(CycleMove(holder_id, one.cycle.due_at, cycle, cycle.due_at, None, one.tier))
    await cycles.move(connection, in_force.program_id, moves)


def _check_mark(found: Override, expect: str | None) -> None:
    if expect is not None and expect != mark_of(found):
        raise Conflict(
            "precondition_failed", "the override was changed meanwhile", version=mark_of(found)
        )

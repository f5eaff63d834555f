"""Taking back what a run gave: an entry against each of its entries, chunk by chunk (P6, L8).

Nothing of what came later is touched; what is already spent is handled by the policy.
"""

from typing import Final

from bursar.ledger import MAX_BATCH, Ledger, Reverse, Status
from bursar.ledger.reading.given import read_given
from bursar.platform.database import Connection
from bursar.programs.runs import store
from bursar.programs.runs.model import Awards, Chunk, Run

NOTHING_LEFT: Final = "nothing_left"
"""The entry has been reversed before, whole, by another hand."""


async def take_back(
    connection: Connection, ledger: Ledger, run: Run, chunk: Chunk
) -> tuple[Awards, int, int]:
    """Reverse what one chunk of the target gave; how many, and how much was taken back.

    The amount is what has left the wallets; under the policy ``clip`` it may be less than was
    given, under ``net`` the rest is owed.
    """
    awards = Awards()
    target = run.target_run
    if target is None:
        return awards, 0, 0
    wanted = None if chunk.holder_ids is None else frozenset(chunk.holder_ids)
    given = [
        one
        for source in await store.read_sources(connection, target, chunk)
        for one in await read_given(connection, *source, f"run_{target}")
        if wanted is None or one.holder_id in wanted
    ]
    said: dict[str, object] = {"run": run.name, "kind": "compensation", "reverts": f"run_{target}"}
    if run.program is not None:
        said |= {"program": run.program, "version": run.version, "period": run.period.key}
    commands = [
        Reverse(
            holder_id=g.holder_id,
            asset=g.asset,
            target=g.reference,
            policy=run.policy or "clip",
            reference=f"{g.reference}:{run.name}",
            source=run.program,
            metadata=said,
        )
        for g in given
    ]
    count = amount = 0
    for first in range(0, len(commands), MAX_BATCH):
        part = commands[first : first + MAX_BATCH]
        results = await ledger.post(part, actor=run.name, reason=run.reason, tx=connection)
        for command, result in zip(part, results, strict=True):
            if result.entry is not None:
                count += 1
                amount -= result.entry.amount
            elif result.refusal is not None:
                if result.status is Status.REVERSAL_EXCEEDED:
                    awards.exclude(command.holder_id or 0, NOTHING_LEFT)
                else:
                    awards.fail(command.holder_id or 0, result.status.value, result.refusal.message)
    return awards, count, amount

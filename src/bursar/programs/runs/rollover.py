"""What is left of earlier awards beyond the cap expires before the next is given (P11, L7)."""

from bursar.ledger import Expire, Ledger
from bursar.platform.database import Connection
from bursar.programs.model import Program
from bursar.programs.runs.model import Group, Run


async def expire_beyond_cap(
    connection: Connection, ledger: Ledger, run: Run, program: Program, group: Group
) -> None:
    """Let expire what these holders have kept of the program's awards beyond its cap.

    Whoever has no wallet, or not so much, has nothing to expire.
    """
    commands = [
        Expire(
            holder_id=holder_id,
            asset=run.asset,
            reference=f"{group.reference}:rollover",
            keep=program.terms.rollover_cap or 0,
            origin=program.name,
            source=program.name,
        )
        for holder_id in group.holder_ids
    ]
    await ledger.post(commands, actor=run.name, reason=run.reason, tx=connection)

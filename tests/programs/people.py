"""People for the tests of programs."""

from datetime import UTC, datetime
from typing import Any

from bursar.holders import HolderChange, Holders
from bursar.programs.service import Programs


def at(*when: int) -> datetime:
    """An instant in UTC."""
    return datetime(*when, tzinfo=UTC)


async def enrol(programs: Programs, external_id: str, **said: Any) -> None:
    """Enrol or change one holder; it must be accepted."""
    change = HolderChange(external_id, **said)
    [done] = await Holders(programs.ledger).upsert([change], actor="test", reason="test")
    assert done.refusal is None, done.refusal


async def balance(programs: Programs, external_id: str) -> int:
    """What a holder has in coins, 0 without a wallet."""
    holder = await programs.holders.get(external_id)
    async with programs.ledger.database.connection() as connection:
        rows = await (
            await connection.execute(
                "select balance from bursar.wallets where holder_id = %s", (holder.holder_id,)
            )
        ).fetchall()
    return rows[0][0] if rows else 0

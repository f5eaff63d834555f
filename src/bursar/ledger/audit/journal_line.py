"""A line of the journal as it is exported, and how amounts are written. Pure (L11)."""

from datetime import datetime
from typing import NamedTuple


class JournalLine(NamedTuple):
    """An entry with its asset's name and its posting's actor and reason."""

    recorded_at: datetime
    posting_id: int
    holder_id: int
    seq: int
    asset: str
    scale: int
    kind: str
    amount: int
    held_change: int
    balance: int
    house_account: str | None
    reference: str
    source: str | None
    effective_at: datetime
    metadata: str | None
    detail: str | None
    key_id: int
    checksum: bytes
    actor: str | None
    reason: str | None


def decimal(minor: int, scale: int) -> str:
    """Write an amount of minor units with the decimal places of its asset, and no other marks."""
    if not scale:
        return str(minor)
    digits = str(abs(minor)).zfill(scale + 1)
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"

"""Which lots pay, and which get credit back (L7). Pure.

Credit that came without terms is in no lot; it is *plain*: priority 0, without expiry, drawn
after the lots of its priority.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from bursar.ledger.model import Lot

Shares = tuple[tuple[int, int], ...]
"""``(seq of the lot, amount)``; a share of plain credit is not listed."""

PLAIN_PRIORITY: Final = 0
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def draw(lots: Iterable[Lot], plain: int, amount: int, first: Sequence[int] = ()) -> Shares:
    """Choose the lots that pay ``amount``: priority, soonest expiry (never last), oldest.

    ``first`` names lots that pay before all others, in that order: a reversal takes from what it
    undoes. What lots and plain credit cannot cover is left to the credit line; the caller has
    checked that there is one. Shares are in the order in which they were drawn.
    """
    left = amount
    shares: list[tuple[int, int]] = []
    of_plain = max(plain, 0)
    for lot in sorted(lots, key=lambda lot: _turn(lot, first)):
        if lot.priority > PLAIN_PRIORITY and lot.seq not in first:
            from_plain = min(left, of_plain)
            left -= from_plain
            of_plain -= from_plain
        share = min(left, lot.remaining)
        if share > 0:
            shares.append((lot.seq, share))
            left -= share
    return tuple(shares)


def give_back(shares: Shares, amount: int, skip: int = 0) -> Shares:
    """Return ``amount`` of what ``shares`` paid, last drawn first, as if less had been drawn.

    ``skip`` is what was given back before, in the same order.
    """
    back: list[tuple[int, int]] = []
    for seq, share in reversed(shares):
        passed = min(skip, share)
        skip -= passed
        part = min(amount, share - passed)
        if part > 0:
            back.append((seq, part))
            amount -= part
    return tuple(back)


def split(shares: Shares, amount: int) -> tuple[Shares, Shares]:
    """Cut ``shares`` in two: what pays the first ``amount``, and the rest."""
    paid: list[tuple[int, int]] = []
    rest: list[tuple[int, int]] = []
    for seq, share in shares:
        part = min(amount, share)
        amount -= part
        if part > 0:
            paid.append((seq, part))
        if share > part:
            rest.append((seq, share - part))
    return tuple(paid), tuple(rest)


def total(shares: Shares) -> int:
    """Add the amounts up."""
    return sum(share for _, share in shares)


def negative(shares: Shares) -> Shares:
    """Turn amounts drawn into changes of the lots."""
    return tuple((seq, -share) for seq, share in shares)


def _turn(lot: Lot, first: Sequence[int]) -> tuple[int, int, datetime, int]:
    if lot.seq in first:
        return (-(10**6), first.index(lot.seq), _NEVER, lot.seq)
    return (lot.priority, 0, lot.expires_at or _NEVER, lot.seq)

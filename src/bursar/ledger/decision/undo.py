"""What undoing an entry takes and what it gives back (L8). Pure."""

from bursar.ledger.catalogue import Kind
from bursar.ledger.commands import Reverse
from bursar.ledger.decision.draw import Shares, give_back, negative, total
from bursar.ledger.decision.position import Position
from bursar.ledger.model import Detail, Entry, WalletKey

_NO_DETAIL = Detail()


def takeable(position: Position, command: Reverse, want: int) -> int:
    """Say how much of a credit can be taken back under the command's policy."""
    return want if command.policy == "debt" else min(want, max(0, position.available))


def shares_back(position: Position, target: Entry, amount: int) -> Shares:
    """Return to the lots that paid for ``target`` what they now get of ``amount``.

    Plain credit was drawn last and comes back first; what earlier reversals gave back is passed
    over; debt is paid before any lot.
    """
    detail = target.detail or _NO_DETAIL
    shares = detail.drawn if target.kind is Kind.CAPTURE else negative(detail.lots)
    of_plain = abs(target.amount) - total(shares)
    done = 0 if position.parts is None else position.parts.reversed.get(target.seq, 0)
    plain_back = min(amount, max(0, of_plain - done))
    back = give_back(shares, amount - plain_back, skip=max(0, done - of_plain))
    return position.into_lots(back, amount)


def far_side(target: Entry) -> WalletKey | None:
    """Name the receiver's wallet, if ``target`` is a transfer."""
    if target.kind is not Kind.TRANSFER_OUT or target.detail is None:
        return None
    return WalletKey(target.detail.counterparty or 0, target.asset_id)


def undoing(
    command: Reverse, target: Entry, lots: Shares, owed: int = 0, counterparty: int | None = None
) -> Detail:
    """Describe the entry that undoes ``target``."""
    return Detail(
        lots=lots,
        asked=command.amount,
        counterparty=counterparty,
        reverses=target.seq,
        target=command.target,
        target_kind=target.kind,
        policy=command.policy,
        owed=owed,
    )

"""The refusals that more than one rule gives. Pure."""

from bursar.ledger.decision.position import Position
from bursar.ledger.model import MAX_AMOUNT, Refusal, Status


def unknown_wallet() -> Refusal:
    """The holder has no wallet in this asset, or there is no such holder."""
    return Refusal(Status.WALLET_UNKNOWN, "the holder has no wallet in this asset")


def unknown_asset(code: str) -> Refusal:
    """There is no such kind of credit."""
    return Refusal(Status.ASSET_UNKNOWN, f"there is no asset {code!r}", {"asset": code})


def insufficient(position: Position, amount: int) -> Refusal:
    """More was asked for than may be spent (L4)."""
    return Refusal(
        Status.INSUFFICIENT_FUNDS,
        f"{amount} is more than the {position.room} that may be spent",
        {
            "amount": amount,
            "balance": position.balance,
            "held": position.held,
            "available": position.available,
            "credit_limit": position.credit_limit,
        },
    )


def overflow(position: Position) -> Refusal:
    """The balance would not fit an int64."""
    return Refusal(
        Status.BALANCE_OVERFLOW,
        f"the wallet would leave the range of ±{MAX_AMOUNT}",
        {"balance": position.balance},
    )


def out_of_time(field: str, problem: str) -> Refusal:
    """An instant lies on the wrong side of now."""
    return Refusal(Status.TIME_OUT_OF_RANGE, f"{field} {problem}", {"field": field})


def closed(side: str) -> Refusal:
    """The wallet is closed; ``side`` says whose in a transfer (L13)."""
    return Refusal(Status.WALLET_CLOSED, f"the {side}'s wallet is closed", {"side": side})


def frozen(side: str) -> Refusal:
    """The wallet is frozen; ``side`` says whose in a transfer (L13)."""
    return Refusal(Status.WALLET_FROZEN, f"the {side}'s wallet is frozen", {"side": side})

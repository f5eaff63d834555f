"""When a delivery is tried again, and when no more. Pure.

The first pauses are short, for a hiccup; the last are long, for an outage over a weekend. Each
swings by up to a fifth, so that what failed together does not come back together.
"""

from typing import Final

import msgspec

from bursar.notices.model import DeliveryState, Outcome

PAUSES_S: Final = (
    5,
    30,
    2 * 60,
    10 * 60,
    30 * 60,
    3_600,
    2 * 3_600,
    4 * 3_600,
    8 * 3_600,
    12 * 3_600,
    24 * 3_600,
    24 * 3_600,
)
"""The pause after each try but the last."""

MOST_TRIES: Final = len(PAUSES_S) + 1
"""After so many tries a delivery is given up: some three days after the first."""

SWING: Final = 200
"""By how many thousandths a pause may be longer or shorter."""

_LONGEST_S: Final = 24 * 3_600


class Verdict(msgspec.Struct, frozen=True):
    """How a delivery stands after a try; ``pause_ms`` is for what waits.

    The note of what waits is what the last try has come to, so that an outage shows in every list.
    """

    state: DeliveryState
    note: str = ""
    pause_ms: int = 0


def judge(outcome: Outcome, tries: int, swing: int) -> Verdict:
    """Say how a delivery stands after its ``tries``-th try.

    ``swing`` is drawn from -200 to 200. Where the other side asked for a longer pause it is given
    one, of a day at most.
    """
    match outcome.outcome:
        case "sent":
            return Verdict(DeliveryState.SENT)
        case "refused":
            return Verdict(DeliveryState.PARKED, "refused")
        case "bounced":
            return Verdict(DeliveryState.DROPPED, "bounced")
        case "dropped":
            return Verdict(DeliveryState.DROPPED, outcome.detail or "dropped")
        case "failed" if tries >= MOST_TRIES:
            return Verdict(DeliveryState.PARKED, given_up(tries))
        case "failed":
            own_ms = PAUSES_S[max(tries, 1) - 1] * (1_000 + max(-SWING, min(swing, SWING)))
            asked_ms = min(outcome.retry_after_s or 0, _LONGEST_S) * 1_000
            return Verdict(DeliveryState.WAITING, outcome.detail, max(own_ms, asked_ms))


def given_up(tries: int) -> str:
    """Say in a note why nothing more is tried."""
    return f"given up after {tries} tries"

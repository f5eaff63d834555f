"""Which places have how many deliveries under way, and which are let rest for a while. Pure.

A place is an endpoint, or 0 for the mail server. An endpoint that has just failed is tried with
one delivery at a time, so that a dead one does not take up the lanes of those that live. One that
fails again and again rests, for up to a minute: what waits for it keeps its tries until somebody is
there to take them. The mail server never rests: most of what fails there is about one mail.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from bursar.notices.model import Outcome

PATIENCE: Final = 10
"""So many failures in a row before a place rests."""

LONGEST_REST_S: Final = 60
_MAIL: Final = 0


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    rests_until: int = 0


class Places:
    """The places of one sender; instants are whole seconds of any clock that only goes ahead."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._under_way: Counter[int] = Counter()
        self._troubles: dict[int, _Trouble] = {}

    def begin(self, place: int) -> None:
        """A delivery is on its way there."""
        self._under_way[place] += 1

    def end(self, place: int, outcome: Outcome | None, now: int) -> None:
        """It is no longer; an outcome of None is one that says nothing about the place."""
        self._under_way[place] -= 1
        if not self._under_way[place]:
            del self._under_way[place]
        if outcome is None:
            return
        if place == _MAIL or outcome.outcome != "failed":
            self._troubles.pop(place, None)
            return
        trouble = self._troubles.setdefault(place, _Trouble())
        trouble.failures += 1
        too_many = trouble.failures - PATIENCE
        rest_s = min(2 ** min(too_many, 6), LONGEST_REST_S) if too_many >= 0 else 0
        asked_s = min(outcome.retry_after_s or 0, LONGEST_REST_S)
        trouble.rests_until = max(trouble.rests_until, now + max(rest_s, asked_s))

    def room(self, now: int) -> dict[int, int]:
        """Say for each place that has not all its width how many more may go there."""
        return {place: self._room(place, now) for place in {*self._under_way, *self._troubles}}

    def _room(self, place: int, now: int) -> int:
        width = self.width
        if (trouble := self._troubles.get(place)) is not None:
            width = 0 if now < trouble.rests_until else 1
        return max(0, width - self._under_way[place])

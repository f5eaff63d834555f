"""How much a subject may still have in this minute: a sliding window of seconds. Pure.

Sixty-one whole seconds are counted: the one that is going on and the sixty before it. So within
any sixty seconds, wherever they begin, no more is given than the limit, and what was given is back
after 60 to 61 s. A whole minute's worth may be had at once.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

WINDOW_S: Final = 60
_SECONDS: Final = WINDOW_S + 1
_PACK: Final = struct.Struct(f"!{_SECONDS}I")


class Window(NamedTuple):
    """What was given in ``second`` (of the Unix clock), the last of ``given``, and before it."""

    second: int
    given: tuple[int, ...] = (0,) * _SECONDS


class Unused(NamedTuple):
    """What was given in a second for later, and is given back."""

    second: int
    amount: int


class Given(NamedTuple):
    """What a subject was given: ``spare`` is for later, ``left`` is left of the limit after that.

    ``waits_us`` has, for each cost asked for, None if it was given, else the time until it fits.
    ``reset_us`` is the time until more is left than now.
    """

    window: Window
    waits_us: tuple[int | None, ...]
    spare: int
    left: int
    reset_us: int


def give(
    window: Window,
    now_us: int,
    limit: int,
    costs: Sequence[int],
    *,
    portion: int = 1,
    unused: Unused | None = None,
) -> Given:
    """Give to each cost in order what still fits, and so much more that it makes a portion.

    A cost that doesn't fit is refused and takes nothing; smaller ones after it may fit. What is
    given back counts as never given. Time that goes backwards stands still.
    """
    at = max(now_us // 1_000_000, window.second)
    given = list(_moved(window, at))
    if unused is not None and 0 <= at - unused.second < _SECONDS:
        place = _SECONDS - 1 - (at - unused.second)
        given[place] = max(0, given[place] - unused.amount)
    left = max(0, limit - sum(given))
    fits = []
    for cost in costs:
        fits.append(cost <= left)
        left -= cost if fits[-1] else 0
    taken = sum(cost for cost, fit in zip(costs, fits, strict=True) if fit)
    spare = min(left, max(0, portion - taken)) if all(fits) else 0
    given[-1] += taken + spare
    left -= spare

    def wait(wanted: int) -> int:
        return max(0, _back(given, at, limit, wanted) * 1_000_000 - now_us)

    waits = tuple(None if fit else wait(cost) for cost, fit in zip(costs, fits, strict=True))
    return Given(Window(at, tuple(given)), waits, spare, left, wait(left + 1) if any(given) else 0)


def pack(window: Window) -> bytes:
    """Pack what was given, to be kept beside the second."""
    return _PACK.pack(*window.given)


def unpack(second: int, given: bytes) -> Window:
    """Make a window of what was kept."""
    return Window(second, _PACK.unpack(given))


def _moved(window: Window, at: int) -> tuple[int, ...]:
    passed = min(at - window.second, _SECONDS)
    return window.given[passed:] + (0,) * passed


def _back(given: Sequence[int], at: int, limit: int, wanted: int) -> int:
    """Tell the second in which ``wanted`` is left, if nobody takes anything; now if it is."""
    left = limit - sum(given)
    for ahead, count in enumerate(given):
        if left >= wanted:
            return at + ahead
        left += count
    return at + _SECONDS

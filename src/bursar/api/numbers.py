"""Numbers in paths: one that nothing can have names nothing, as any other that is not there."""

from typing import Final

_HIGHEST: Final = 2**63 - 1


def known(number: int) -> int:
    """Return a number that the database and JSON can hold: the one given, or one of nothing."""
    return number if 0 < number < _HIGHEST else _HIGHEST

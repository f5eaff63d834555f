"""Finding an id's first line again, in some forty bytes an id. Pure.

A hash table in two arrays, for a file of millions of rows must not fill the memory. It keeps the
ids' 64-bit hashes, not the ids: that two different ids of one file look alike is possible once in
thousands of files of ten million.
"""

from array import array
from typing import Final

_START: Final = 1 << 16


class DoubleIds:
    """Ids with the line that brought each first."""

    def __init__(self) -> None:
        self._mask = _START - 1
        self._hashes = array("q", bytes(8 * _START))
        self._lines = array("q", bytes(8 * _START))
        self._count = 0

    def first_line(self, external_id: str, line: int) -> int:
        """Return the line that brought the id before; 0 if it is new, and then remember it."""
        key = hash(external_id) or 1
        hashes = self._hashes
        mask = self._mask
        at = key & mask
        while found := hashes[at]:
            if found == key:
                return self._lines[at]
            at = (at + 1) & mask
        hashes[at] = key
        self._lines[at] = line
        self._count += 1
        if 2 * self._count > mask:
            self._grow()
        return 0

    def _grow(self) -> None:
        """Make twice the room."""
        before = zip(self._hashes, self._lines, strict=True)
        size = 2 * (self._mask + 1)
        self._mask = mask = size - 1
        self._hashes, self._lines = array("q", bytes(8 * size)), array("q", bytes(8 * size))
        for key, line in before:
            if key:
                at = key & mask
                while self._hashes[at]:
                    at = (at + 1) & mask
                self._hashes[at] = key
                self._lines[at] = line

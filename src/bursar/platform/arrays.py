"""Columns of values as PostgreSQL's binary arrays, packed in one go.

A batch of ten thousand rows travels as some twenty arrays. The driver would pack each element
through a call of its own; here a column costs one `struct.pack` or one join. The statement names
the type (``%(x)s::bigint[]``).
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER: Final = struct.Struct("!iiiii")
_LENGTH: Final = struct.Struct("!i")
_NULL: Final = _LENGTH.pack(-1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)


class Array:
    """One array, ready to be sent."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class _ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: Array) -> bytes:
        return obj.data


def register(context: AdaptContext) -> None:
    """Teach a connection, or all of them, to send `Array`."""
    context.adapters.register_dumper(Array, _ArrayDumper)


def int2s(values: Sequence[int]) -> Array:
    """Pack a ``smallint[]``."""
    return _fixed(21, "h", 2, values)


def int4s(values: Sequence[int]) -> Array:
    """Pack an ``integer[]``."""
    return _fixed(23, "i", 4, values)


def int8s(values: Sequence[int]) -> Array:
    """Pack a ``bigint[]``."""
    return _fixed(20, "q", 8, values)


def texts(values: Sequence[str | None]) -> Array:
    """Pack a ``text[]``."""
    return _varying(25, [None if value is None else value.encode() for value in values])


def byteas(values: Sequence[bytes]) -> Array:
    """Pack a ``bytea[]``; quickest where all are of one length, as checksums are."""
    if len(set(map(len, values))) != 1:
        return _varying(17, values)
    length = _LENGTH.pack(len(values[0]))
    return Array(_HEADER.pack(1, 0, 17, len(values), 1) + length + length.join(values))


def instants(values: Sequence[datetime | None]) -> Array:
    """Pack a ``timestamptz[]`` of aware datetimes."""
    pack = struct.Struct("!q").pack
    return _varying(
        1184,
        [None if value is None else pack((value - _EPOCH) // _MICROSECOND) for value in values],
    )


def dates(values: Sequence[date]) -> Array:
    """Pack a ``date[]``."""
    return _fixed(1082, "i", 4, [value.toordinal() - _EPOCH_DAY for value in values])


def spread(
    values: Sequence[Any], pack: Callable[[Any], Array], *, nullable: bool = False
) -> tuple[Array, Any]:
    """Pack a column for ``coalesce(array element, one value)``.

    A column that is the same throughout travels once, beside an empty array: `unnest` fills up
    what a shorter array lacks with nulls. Beside a full array the one value is null where nulls
    have a meaning, else any value of the column.
    """
    if not values:
        return pack(()), None
    first = values[0]
    if values.count(first) == len(values):
        return pack(()), first
    return pack(values), None if nullable else first


def _fixed(oid: int, code: str, size: int, values: Sequence[int]) -> Array:
    count = len(values)
    if not count:
        return _empty(oid)
    flat = [size] * (2 * count)
    flat[1::2] = values
    return Array(_HEADER.pack(1, 0, oid, count, 1) + struct.pack("!" + f"i{code}" * count, *flat))


def _varying(oid: int, values: Sequence[bytes | None]) -> Array:
    if not values:
        return _empty(oid)
    length = _LENGTH.pack
    parts = [_HEADER.pack(1, int(None in values), oid, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(length(len(value)))
            parts.append(value)
    return Array(b"".join(parts))


def _empty(oid: int) -> Array:
    return Array(struct.pack("!iii", 0, 0, oid))

"""The checksum of an entry: SHA-256, or HMAC-SHA-256 with a key, over a chain (L5).

What is hashed is the wallet's previous checksum and then the entry as PostgreSQL itself writes a
composite in binary: the number of fields, and for each field the number of its type, its length
(−1 for null) and its bytes; big-endian throughout, instants as microseconds since 2000-01-01 UTC.
Before the first entry stands the wallet's own key, ``(holder_id, asset_id)``, written in the same
way; it has 32 bytes as well, and binds the whole chain to its wallet. So the database can
recompute every chain with ``sha256(previous || record_send(row(…)))``, and nobody has to trust
this file.
"""

import hmac
import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec

from bursar.platform.errors import Invalid

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_TEXT, _JSON = 25, 114
_HEAD: Final = struct.Struct("!ii")
_START: Final = struct.pack("!iii", 14, 21, 2)
_INT8: Final = _HEAD.pack(20, 8)
_INSTANT: Final = _HEAD.pack(1184, 8)
_FIXED: Final = struct.Struct("!12sh" + " 8sq" * 7)
_WALLET: Final = struct.Struct("!iiiqiii")


class Seal(msgspec.Struct, frozen=True):
    """How entries are sealed: without a key (``key_id`` 0), or with the key of that number."""

    key: bytes | None = None
    key_id: int = 0

    def __post_init__(self) -> None:
        if (self.key is None) != (self.key_id == 0):
            raise Invalid("setting_invalid", "a checksum key and its number go together")

    def __repr__(self) -> str:
        return f"Seal(key_id={self.key_id})"

    def entry(
        self,
        previous: bytes,
        holder_id: int,
        asset_id: int,
        seq: int,
        posting_id: int,
        amount: int,
        held_change: int,
        balance: int,
        effective_us: int,
        recorded_us: int,
        texts: bytes,
    ) -> bytes:
        """Seal an entry onto the chain that ends in ``previous``; 32 bytes.

        ``previous`` is empty before the first entry. Instants are as `microseconds` counts
        them; ``texts`` come from `text_fields`.
        """
        sealed = (
            (previous or genesis(holder_id, asset_id))
            + _FIXED.pack(
                _START,
                self.key_id,
                _INT8,
                seq,
                _INT8,
                posting_id,
                _INT8,
                amount,
                _INT8,
                held_change,
                _INT8,
                balance,
                _INSTANT,
                effective_us,
                _INSTANT,
                recorded_us,
            )
            + texts
        )
        if self.key is None:
            return sha256(sealed).digest()
        return hmac.digest(self.key, sealed, "sha256")


def genesis(holder_id: int, asset_id: int) -> bytes:
    """Write what stands before a wallet's first entry; 32 bytes."""
    return _WALLET.pack(2, 20, 8, holder_id, 23, 4, asset_id)


@lru_cache(maxsize=1024)
def text_fields(
    kind: str,
    reference: str,
    house_account: str | None,
    source: str | None,
    metadata: str | None,
    detail: str | None,
) -> bytes:
    """Write the six variable fields that end the record."""
    first = texts_before_detail(kind, reference, house_account, source, metadata)
    return first + detail_field(detail)


def texts_before_detail(
    kind: str,
    reference: str,
    house_account: str | None,
    source: str | None,
    metadata: str | None,
) -> bytes:
    """Write the first five of them: many entries have these in common."""
    return b"".join(
        (
            _field(_TEXT, kind),
            _field(_TEXT, reference),
            _field(_TEXT, house_account),
            _field(_TEXT, source),
            _field(_JSON, metadata),
        )
    )


def detail_field(detail: str | None) -> bytes:
    """Write the last."""
    return _field(_JSON, detail)


def microseconds(instant: datetime) -> int:
    """Count from 2000-01-01 UTC, as PostgreSQL does."""
    return (instant - _EPOCH) // _MICROSECOND


def _field(type_number: int, text: str | None) -> bytes:
    if text is None:
        return _HEAD.pack(type_number, -1)
    data = text.encode()
    return _HEAD.pack(type_number, len(data)) + data

"""The text of an API key's secret: how it is spelled, known again and hashed. Pure.

``bsk_``, 256 random bits in base64url, and their CRC in six characters: scanners for leaked secrets
find it, and a typo is told from a secret without asking anybody (I2).
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from binascii import crc32
from typing import Final

RANDOM_BYTES: Final = 32
_SHAPE: Final = re.compile(r"bsk_[A-Za-z0-9_-]{49}")
_CRC: Final = 6


def spell(random: bytes) -> str:
    """Spell a secret of 32 random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError("a secret is of 32 bytes")
    body = "bsk_" + _base64(random)
    return body + _check(body)


def is_secret(text: str) -> bool:
    """Tell whether a text is spelled as a secret is, its CRC included; says nothing of a key."""
    return _SHAPE.fullmatch(text) is not None and _check(text[:-_CRC]) == text[-_CRC:]


def digest(text: str) -> bytes:
    """Return the SHA-256 of a secret's text: all that is kept of it.

    Bare and unsalted is enough: nobody guesses 256 random bits. Since it is what is looked up, how
    long the look takes tells nothing about the secret.
    """
    return hashlib.sha256(text.encode()).digest()


def _check(body: str) -> str:
    return _base64(crc32(body.encode()).to_bytes(4, "big"))


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()

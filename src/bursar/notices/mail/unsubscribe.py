"""Links that end a kind of e-mail for one holder, without a login (RFC 8058).

A link says for whom and which kind, sealed: nobody can make one, change one, or learn anything out
of one. It has no end, for letters are kept; it works as long as the key that sealed it is there.
"""

import re
from typing import Final, Protocol

from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.model import Kind
from bursar.platform.errors import BursarError, Invalid

_MOST: Final = 400
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
_SAYS: Final = re.compile(rb"unsubscribe:([1-9][0-9]{0,18}):([a-z_]{1,40})")
_PATH: Final = "/v1/unsubscribe/"


class Sealing(Protocol):
    """Seals and opens bytes; what is sealed is base64url."""

    def seal(self, clear: bytes, /) -> bytes:
        """Seal."""
        ...

    def open(self, sealed: bytes, /) -> bytes:
        """Open, or raise `Broken` ``secret_unreadable``."""
        ...


class Unsubscribing:
    """Makes links below ``public_url`` and reads their tokens."""

    def __init__(self, seal: Sealing, public_url: str) -> None:
        self._seal = seal
        self._base = public_url.rstrip("/") + _PATH

    def url(self, holder_id: int, kind: Kind) -> str:
        """Make the link that ends a kind for a holder."""
        sealed = self._seal.seal(f"unsubscribe:{holder_id}:{kind}".encode())
        return self._base + sealed.decode("ascii").rstrip("=")

    def open_token(self, token: str) -> tuple[int, Kind]:
        """Say for whom a link is and which kind it ends; `Invalid` ``unsubscribe_token``."""
        if len(token) <= _MOST and _TOKEN.fullmatch(token) and len(token) % 4 != 1:
            padded = token + "=" * (-len(token) % 4)
            try:
                said = _SAYS.fullmatch(self._seal.open(padded.encode("ascii")))
            except BursarError:
                said = None
            if said is not None and said[2].decode() in OF_HOLDERS:
                return int(said[1]), Kind(said[2].decode())
        raise Invalid(
            "unsubscribe_token", "this link is not one of ours, or its key has been taken away"
        )

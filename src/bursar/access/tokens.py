"""Holder tokens: JWTs of one kind only, signed with HS256. Pure.

Nothing of a token is believed before its signature is: not its algorithm, which is fixed, nor its
size and shape, which are looked at before anything is parsed. Of its header only ``kid`` is used,
to choose among our own secrets.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

AUDIENCE: Final = "bursar"
MAX_TTL_S: Final = 86_400
_MAX_LENGTH: Final = 4_096
_LEEWAY_S: Final = 5
_ALGORITHM: Final = "HS256"
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says: for which holder, made by whom, from when until when (Unix seconds)."""

    sub: str
    iss: str
    aud: str
    iat: int
    nbf: int
    exp: int


class Expired(Exception):
    """The token is ours, and its time is over."""


class NotOurs(Exception):
    """The token is not one that we made, or not for now."""


def sign(claims: Claims, kid: str, secret: bytes) -> str:
    """Make a token's text."""
    header = {"alg": _ALGORITHM, "kid": kid, "typ": "JWT"}
    payload = msgspec.json.encode(claims)
    return jws.serialize_compact(header, payload, OctKey.import_key(secret), [_ALGORITHM])


def is_token(text: str) -> bool:
    """Tell whether a text has the size and shape of a token; says nothing of its worth."""
    return len(text) <= _MAX_LENGTH and _SHAPE.fullmatch(text) is not None


def verify(text: str, secrets: Mapping[str, bytes], now_s: int) -> Claims:
    """Return what a token says, if it is ours and its time is now.

    ``secrets`` are those that work, by kid. A clock may be 5 s behind that of who made the token,
    and no second longer is a token good. Raises `NotOurs`, or `Expired` for one that was good once.
    """
    if not is_token(text):
        raise NotOurs
    try:
        signed = jws.extract_compact(text.encode())
        kid = signed.headers().get("kid")
        secret = secrets.get(kid) if isinstance(kid, str) else None
        if secret is None or not jws.validate_compact(
            signed, OctKey.import_key(secret), [_ALGORITHM]
        ):
            raise NotOurs
        claims = msgspec.json.decode(signed.payload, type=Claims)
    except (JoseError, ValueError, RecursionError):
        raise NotOurs from None
    if claims.aud != AUDIENCE or now_s + _LEEWAY_S < max(claims.nbf, claims.iat):
        raise NotOurs
    if now_s >= claims.exp:
        raise Expired
    return claims

from enum import StrEnum

import msgspec


class Scope(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"
    INGEST = "ingest"
    PARTNER = "partner"
    HOLDER = "holder"


class Caller(msgspec.Struct, frozen=True):
    actor: str
    scopes: frozenset[Scope]
    key_id: int | None
    holder: str | None
    per_minute: int


class Allowance(msgspec.Struct, frozen=True):
    allowed: bool
    limit: int
    remaining: int
    reset_s: float


_C = Caller("api:x", frozenset({Scope.ADMIN}), 1, None, 600000)


class Access:
    def __init__(
        self, database, *, lease_s: float = 0.25, key_per_minute: int, holder_per_minute: int
    ):
        pass

    async def authenticate(self, credential: str) -> Caller:
        import hashlib

        hashlib.sha256(credential.encode()).digest()
        return _C

    async def close(self):
        pass


class Limiter:
    def __init__(self, database):
        pass

    async def take(self, subject: str, per_minute: int, cost: int = 1) -> Allowance:
        return Allowance(True, per_minute, per_minute - 5, 0.5)

"""Who may: the sets of scopes that endpoints are open to (I2).

| scope      | is for                                                                            |
|------------|-----------------------------------------------------------------------------------|
| `admin`    | everything, keys and the economy file included                                    |
| `operator` | people who run the economy: programs, runs, grants, wallets, the directory        |
| `viewer`   | reading all of it, changing nothing                                               |
| `ingest`   | the app's own servers: movements, holds, holders, claims, tokens for its people   |
| `partner`  | a partner's servers; what they may do comes with codes and offers                 |
| `holder`   | a holder token: one person's own wallets, inbox, claims, history; it never posts   |
"""

from typing import Final

from bursar.access import Scope

Scopes = frozenset[Scope]

ADMINS: Final[Scopes] = frozenset({Scope.ADMIN})
OPERATORS: Final[Scopes] = ADMINS | {Scope.OPERATOR}
READERS: Final[Scopes] = OPERATORS | {Scope.VIEWER}
APPS: Final[Scopes] = OPERATORS | {Scope.INGEST}
APPS_AND_READERS: Final[Scopes] = READERS | APPS
HOLDERS: Final[Scopes] = frozenset({Scope.HOLDER})
ANYBODY_KNOWN: Final[Scopes] = frozenset(Scope)


class _Everybody(frozenset[Scope]):
    """Told by identity: an empty set that came about otherwise opens nothing."""


EVERYBODY: Final[Scopes] = _Everybody()
"""No credentials are asked for."""

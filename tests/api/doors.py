"""Credentials of the tests, in the place of the capability that keeps them."""

from bursar.access import Caller, Scope
from bursar.platform.errors import Denied


class Doors:
    """Knows the keys of the tests, one a scope, and a token for whoever is asked for."""

    def __init__(self) -> None:
        self._callers = {
            f"key-{scope}": Caller(f"api:{scope}", frozenset({scope}), number, None, 600_000)
            for number, scope in enumerate(Scope, 1)
            if scope is not Scope.HOLDER
        }

    def secret(self, scope: Scope) -> str:
        """Tell the key of a scope."""
        return f"key-{scope}"

    def token(self, holder: str) -> str:
        """Make a token for a holder."""
        text = f"token-{len(self._callers)}"
        caller = Caller("api:holder", frozenset({Scope.HOLDER}), None, holder, 600_000)
        self._callers[text] = caller
        return text

    async def authenticate(self, credential: str) -> Caller:
        """Say whose this is."""
        if credential not in self._callers:
            raise Denied("credential_invalid", "these credentials are not valid")
        return self._callers[credential]

    async def close(self) -> None:
        """Nothing is kept."""

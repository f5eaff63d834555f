"""Who may ask: API keys, holder tokens, rates (I2)."""

from bursar.access.limiter import Limiter
from bursar.access.model import Allowance, Caller, Key, KeyId, NewKey, Scope, Token
from bursar.access.service import Access

__all__ = ["Access", "Allowance", "Caller", "Key", "KeyId", "Limiter", "NewKey", "Scope", "Token"]

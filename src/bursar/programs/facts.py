"""What conditions and formulas may ask (P2, P3): each fact's name and kind. Pure.

An instant that is not set makes what asks for it fail, and a condition that fails excludes.
``holder.subscription_days`` and ``holder.account_days`` are the full days at the period's start
since the subscription and the account began, -1 where there is none.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bursar.platform.expressions import FactKind

HOLDER_FACTS: Final[Mapping[str, FactKind]] = MappingProxyType(
    {
        "holder.external_id": "text",
        "holder.status": "text",
        "holder.tier": "text",
        "holder.verified": "bool",
        "holder.locale": "text",
        "holder.time_zone": "text",
        "holder.created_at": "instant",
        "holder.subscription_start": "instant",
        "holder.billing_anchor": "instant",
        "holder.last_login_at": "instant",
        "holder.attributes": "json",
        "holder.subscription_days": "int",
        "holder.account_days": "int",
    }
)
"""What a condition may ask."""

FORMULA_FACTS: Final[Mapping[str, FactKind]] = MappingProxyType(
    {
        **HOLDER_FACTS,
        "streak": "int",
        "period.key": "text",
        "period.start": "instant",
        "period.end": "instant",
        "period.days": "int",
    }
)
"""What a formula may ask: ``streak`` is the length that the claim reaches, 0 without a streak;
``period.days`` is the period's `Period.whole_days`."""

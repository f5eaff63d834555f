"""An example of every kind of notice, for previews and for trying templates. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bursar.notices.mail.model import Reader
from bursar.notices.model import Kind

SAMPLES: Final[Mapping[Kind, Mapping[str, Any]]] = MappingProxyType(
    {
        Kind.DEPOSIT: {
            "asset": "coins",
            "amount": 50_000,
            "balance": 63_250,
            "entry_kind": "grant",
            "reference": "monthly/2026-12",
            "program": "monthly",
            "period": "2026-12",
            "award": "scheduled",
        },
        Kind.REFRESH_DONE: {
            "asset": "coins",
            "amount": 1_500,
            "balance": 1_500,
            "reference": "refresh/2026-12-01",
            "program": "refresh",
            "period": "2026-12-01",
            "award": "scheduled",
        },
        Kind.REFRESH_FAILED: {
            "asset": "coins",
            "program": "refresh",
            "period": "2026-12-01",
            "reason": "subscription",
        },
        Kind.REMINDER: {
            "asset": "coins",
            "amount": 1_500,
            "program": "refresh",
            "period": "2026-12-01",
            "due_at": "2026-12-01T09:00:00Z",
        },
        Kind.CORRECTED: {
            "asset": "coins",
            "amount": -2_000,
            "balance": 61_250,
            "entry_kind": "reverse",
            "reference": "revert/monthly/2026-12",
            "program": "monthly",
        },
        Kind.EXPIRING_SOON: {
            "asset": "coins",
            "amount": 1_200,
            "expires_at": "2026-12-31T23:00:00Z",
        },
        Kind.LOW_BALANCE: {"asset": "coins", "balance": 80, "below": 100},
        Kind.HOLD_LAPSED: {"asset": "coins", "amount": 750, "reference": "order:4711"},
        Kind.OPERATOR_ALERT: {
            "alert": "awards_failing",
            "subject": "run_7",
            "message": "3 awards have failed three times: amount_formula",
        },
        Kind.FAILURE_SUMMARY: {
            "subject": "2026-11-30",
            "message": "12 awards failed: 9 of monthly (wallet_closed), 3 of refresh (overflow)",
        },
    }
)


def sample_reader(language: str, *, product: str = "Sports Club", named: bool = True) -> Reader:
    """Make somebody who could be reading, in a language."""
    return Reader(
        language=language,
        locale="de-DE" if language == "de" else "en-GB" if language == "en" else language,
        zone="Europe/Berlin",
        name="Ada" if named else "",
        scales={"coins": 0},
        names={"coins": {"de": "Münzen", "en": "coins"}},
        product=product,
        unsubscribe_url="https://coins.club.example/v1/unsubscribe/EXAMPLE",
    )

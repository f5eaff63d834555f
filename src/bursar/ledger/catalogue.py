"""The closed catalogue of movements: every kind of entry there is, and what it may do.

| kind           | amount | house account | written when                                           |
|----------------|--------|---------------|--------------------------------------------------------|
| `grant`        | +      | issuance      | a program or an operator gives credit                  |
| `earn`         | +      | issuance      | a rule rewards an event                                |
| `purchase`     | +      | sales         | the holder bought credit                               |
| `refund`       | +      | revenue       | a spend is made good other than by its reversal        |
| `opening`      | +      | opening       | a balance is brought along from another system         |
| `adjust`       | ±      | adjustment    | an operator corrects                                   |
| `spend`        | −      | revenue       | the holder spends                                      |
| `hold`         | 0      | –             | credit is set aside                                    |
| `capture`      | −      | revenue       | a hold, or a part of it, is spent                      |
| `release`      | 0      | –             | a hold is given back                                   |
| `lapse`        | 0      | –             | a hold's deadline has passed                           |
| `expire`       | − or 0 | breakage      | lots have expired                                      |
| `transfer_out` | −      | transit       | credit leaves for another holder                       |
| `transfer_in`  | +      | transit       | credit arrives from another holder                     |
| `reverse`      | ± or 0 | the old one's | an entry is undone, in whole or in part                |
| `withhold`     | −      | adjustment    | a grant pays what a reversal could not take (`net`)    |
| `extend`       | 0      | –             | lots, or a hold, are given more time                   |
| `limit`        | 0      | –             | the credit limit is set                                |
| `state`        | 0      | –             | the wallet is frozen, unfrozen, closed or reopened     |

House accounts are names of the operator's side; a credit or a debit may name another than the
default. An amount of 0 has no house account.
"""

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an entry is. The text is what the database, the API and the exports say."""

    GRANT = "grant"
    EARN = "earn"
    PURCHASE = "purchase"
    REFUND = "refund"
    OPENING = "opening"
    ADJUST = "adjust"
    SPEND = "spend"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    LAPSE = "lapse"
    EXPIRE = "expire"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    REVERSE = "reverse"
    WITHHOLD = "withhold"
    EXTEND = "extend"
    LIMIT = "limit"
    STATE = "state"


KINDS: Final = {kind.value: kind for kind in Kind}
"""The kinds by their text: quicker than asking the enumeration."""

ISSUANCE: Final = "issuance"
SALES: Final = "sales"
REVENUE: Final = "revenue"
OPENING: Final = "opening"
BREAKAGE: Final = "breakage"
TRANSIT: Final = "transit"
ADJUSTMENT: Final = "adjustment"

CREDIT_ACCOUNTS: Final[dict[Kind, str]] = {
    Kind.GRANT: ISSUANCE,
    Kind.EARN: ISSUANCE,
    Kind.PURCHASE: SALES,
    Kind.REFUND: REVENUE,
    Kind.OPENING: OPENING,
    Kind.ADJUST: ADJUSTMENT,
}
"""The kinds that a credit may have, each with its default house account."""

DEBIT_ACCOUNTS: Final[dict[Kind, str]] = {
    Kind.SPEND: REVENUE,
    Kind.ADJUST: ADJUSTMENT,
}
"""The kinds that a debit may have, each with its default house account."""

WITHHOLDING: Final = frozenset({Kind.GRANT, Kind.EARN})
"""The credits from which what is owed is withheld (L8, policy `net`)."""

REVERSIBLE: Final = frozenset(
    {*CREDIT_ACCOUNTS, Kind.SPEND, Kind.CAPTURE, Kind.TRANSFER_OUT},
)
"""The kinds of entry that a reversal may name (L8)."""

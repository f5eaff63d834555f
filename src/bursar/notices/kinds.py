"""The closed list of kinds of notice (N4): to whom, when, what it says, and who sends it. Pure.

| kind              | is sent when                                              | named by       |
|-------------------|-----------------------------------------------------------|----------------|
| `deposit`         | credit has arrived                                        | program, send  |
| `refresh_done`    | a rolling program has given the credit of a cycle         | program        |
| `refresh_failed`  | a program has left the holder out for a reason it keeps   | program        |
| `reminder`        | a program gives in some days, 3 unless told otherwise     | program        |
| `corrected`       | credit was taken back, or an operator corrected a balance | program, send  |
| `expiring_soon`   | credit expires in some days, 7 unless told otherwise      | program, send  |
| `low_balance`     | a balance has fallen below what the file says             | send           |
| `hold_lapsed`     | a hold was given back because its deadline had passed     | send           |
| `operator_alert`  | something needs an operator: three failures, a run halted | always         |
| `failure_summary` | a day is over in which awards failed                      | always         |

A program names its kinds in ``terms.notices``, the economy in ``notices.send`` those of what no
program does. One fact has one notice: an award is told as `deposit` or as `refresh_done`.

What a notice's data says:

| kind              | keys |
|-------------------|------|
| `deposit`         | asset, amount, balance, entry_kind, reference; program, period, award |
| `refresh_done`    | asset, amount, balance, reference, program, period, award |
| `refresh_failed`  | asset, program, period, reason |
| `reminder`        | asset, amount, program, period, due_at |
| `corrected`       | asset, amount, balance, entry_kind, reference; of a program: program |
| `expiring_soon`   | asset, amount, expires_at |
| `low_balance`     | asset, balance, below |
| `hold_lapsed`     | asset, amount, reference |
| `operator_alert`  | alert, subject, message |
| `failure_summary` | subject, message |

What no program has given names none; ``award`` is the sort of what one has: scheduled, manual,
claim, subscription_change or compensation.
Amounts are signed minor units; instants are RFC 3339 text in UTC.
"""

from typing import Final

from bursar.notices.model import Kind

OF_PROGRAMS: Final = frozenset(
    {
        Kind.DEPOSIT,
        Kind.REFRESH_DONE,
        Kind.REFRESH_FAILED,
        Kind.REMINDER,
        Kind.CORRECTED,
        Kind.EXPIRING_SOON,
    }
)
"""What a program may name in its terms."""

OF_THE_REST: Final = frozenset(
    {Kind.DEPOSIT, Kind.CORRECTED, Kind.EXPIRING_SOON, Kind.LOW_BALANCE, Kind.HOLD_LAPSED}
)
"""What the economy may name in ``send``, told of what no program does."""

OF_OPERATORS: Final = frozenset({Kind.OPERATOR_ALERT, Kind.FAILURE_SUMMARY})
"""What goes to operators: by e-mail to those that the economy file names, and to webhooks."""

OF_HOLDERS: Final = tuple(kind for kind in Kind if kind not in OF_OPERATORS)
"""What a holder is told, and may choose about."""

LANGUAGES: Final = ("en", "de")
"""The languages in which every kind has its text."""

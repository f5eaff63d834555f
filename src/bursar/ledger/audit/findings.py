"""What a check of the books says: findings, how far it has come, and the report. Pure (L10).

Every kind of damage has a stable name. One of a wallet's own columns is ``wallet_<column>``.

| kind                    | what does not agree                                                   |
|-------------------------|-----------------------------------------------------------------------|
| `sequence_gap`          | an entry is missing between two others, or after the last              |
| `balance_after`         | an entry's balance is not the one before plus its amount               |
| `checksum`              | an entry is not what was sealed onto the one before                    |
| `downgrade`             | an entry without a key stands where entries are sealed with one        |
| `recorded_order`        | an entry was recorded before the one it follows                        |
| `effective_late`        | an entry takes effect after it was recorded                            |
| `floor`                 | an entry spent or set aside more than there was                        |
| `wallet_missing`        | entries without a wallet                                               |
| `wallet_without_entries` | a wallet without entries                                              |
| `wallet_…`              | `seq`, `balance`, `held`, `head`, `recorded_at`, `owed`,               |
|                         | `credit_limit`, `state`, `open_lots` or `open_holds` is not the fold   |
| `lot`, `hold`           | a lot or a hold is not what the entries make of it                     |
| `lots_exceed`           | the lots hold more than is available                                   |
| `reversal`              | the amount reversed of an entry is not the sum of its reversals        |
| `reversal_exceeds`      | an entry's reversals are more than its amount                          |
| `house_total`           | a day's total of a house account and kind                              |
| `posting`               | a posting's count of entries is wrong, or it is missing                |
| `posting_kind`          | the same of one kind of entry                                          |
| `trial_balance`         | an asset's wallets and house totals do not add up to nothing           |
| `unreadable`            | the rows of a holder cannot even be computed with                      |
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

MAX_FINDINGS: Final = 1_000
"""So many findings are kept; the rest is only counted."""

Stage = Literal["wallets", "house_totals", "postings", "trial_balance", "done"]

NO_ROW: Final = "no row"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: which row, what the entries say it should be, what is there."""

    kind: str
    key: str
    expected: str
    found: str


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a check has come; as JSON it may be kept, and the check resumed from it.

    In ``stage`` it goes on after the holder, the days before, or the posting ``after``; days are
    counted from 1970-01-01.
    ``first_holder`` and ``last_holder`` are the part that was asked for, both included.
    """

    stage: Stage = "wallets"
    after: int | None = None
    first_holder: int | None = None
    last_holder: int | None = None
    wallets: int = 0
    entries: int = 0
    unverifiable: int = 0
    found: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def is_part(self) -> bool:
        """Say whether only some wallets were asked for; then only wallets are checked."""
        return self.first_holder is not None or self.last_holder is not None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one slice gave. ``found`` counts findings beyond those listed, too."""

    wallets: int = 0
    entries: int = 0
    unverifiable: int = 0
    found: int = 0
    findings: tuple[Finding, ...] = ()

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            wallets=self.wallets + other.wallets,
            entries=self.entries + other.entries,
            unverifiable=self.unverifiable + other.unverifiable,
            found=self.found + other.found,
            findings=self.findings + other.findings,
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a check. ``unverifiable`` entries are sealed with a key that was not given.

    ``found`` counts all findings; ``findings`` are the first `MAX_FINDINGS` of them.
    """

    wallets: int
    entries: int
    unverifiable: int
    found: int
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Say whether nothing was found."""
        return self.found == 0


def advance(at: Checkpoint, outcome: Outcome, stage: Stage, after: int | None) -> Checkpoint:
    """Add the outcome of a slice, after which the check stands at ``stage`` and ``after``."""
    room = MAX_FINDINGS - len(at.findings)
    return msgspec.structs.replace(
        at,
        stage=stage,
        after=after,
        wallets=at.wallets + outcome.wallets,
        entries=at.entries + outcome.entries,
        unverifiable=at.unverifiable + outcome.unverifiable,
        found=at.found + outcome.found,
        findings=at.findings + outcome.findings[:room],
    )


def read_findings(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Finding, ...], int]:
    """Make findings of the rows of a query of findings, and tell how many there are in all."""
    findings = tuple(finding for row in rows for finding in _read(*row[:4]))
    total: int = rows[0][4] if rows else 0
    return findings, total + len(findings) - len(rows)


def key_of(fields: Mapping[str, Any]) -> str:
    """Name a row: ``holder 17, asset coins, seq 3``."""
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)


def _read(
    kind: str, key: Mapping[str, Any], expected: Mapping[str, Any] | None, found: Any
) -> Iterator[Finding]:
    name = key_of(key)
    if kind == "wallet":
        if expected is None:
            yield Finding("wallet_without_entries", name, NO_ROW, _say(found))
        elif found is None:
            yield Finding("wallet_missing", name, _say(expected), NO_ROW)
        else:
            for field in _differing(expected, found):
                yield Finding(f"wallet_{field}", name, str(expected[field]), str(found[field]))
    elif expected is None or found is None:
        yield Finding(kind, name, _say(expected), _say(found))
    else:
        fields = _differing(expected, found)
        yield Finding(
            kind,
            name,
            _say({field: expected[field] for field in fields if field in expected}),
            _say({field: found[field] for field in fields if field in found}),
        )


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    return [name for name in {**expected, **found} if expected.get(name) != found.get(name)]


def _say(fields: Mapping[str, Any] | None) -> str:
    if fields is None:
        return NO_ROW
    return ", ".join(f"{name} {_value(value)}" for name, value in fields.items())


def _value(value: object) -> str:
    return "none" if value is None else str(value)

"""What the month came to, counted anew from the exported books and the club's own file."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_WIDTH = 40
_WHOLE = "the whole month"
_QUARTERS = ("more than 3/4 of it", "more than half", "more than 1/4", "up to 1/4")


class Given(NamedTuple):
    """What the books say of one period: the amounts given, and to how many holders."""

    amounts: list[int]
    paid: int
    paid_twice: int
    bars: dict[str, int]


def count(entries: Path, program: str, period: str) -> Given:
    """Count what a program gave for a period in an export of the books, however it came there."""
    awards: Counter[str] = Counter()
    amounts: list[int] = []
    bars: Counter[str] = Counter(dict.fromkeys((_WHOLE, *_QUARTERS), 0))
    with entries.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            told = json.loads(row["metadata"] or "{}")
            if (told.get("program"), told.get("period")) == (program, period):
                awards[row["holder_id"]] += 1
                amounts.append(int(row["amount"]))
                bars[_share(told | json.loads(row["detail"] or "{}"))] += 1
    twice = sum(1 for times in awards.values() if times > 1)
    return Given(amounts, len(awards), twice, dict(bars))


def chart(bars: Mapping[str, int]) -> Iterator[str]:
    """Draw a bar for each number, the longest over the whole width; what is not nought shows."""
    block = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"
    most = max(bars.values(), default=0) or 1
    names = max(map(len, bars), default=0)
    for name, number in bars.items():
        length = max(round(_WIDTH * number / most), 1 if number else 0)
        yield f"  {name:<{names}}  {spelled(number):>9}  {block * length}".rstrip()


def spelled(number: int) -> str:
    """Spell a number as the commands do: ``50 000``."""
    return f"{number:,}".replace(",", " ")


def _share(metadata: Mapping[str, object]) -> str:
    """Say how much of the month an award was for, from the inputs that the entry keeps."""
    match metadata.get("proration"):
        case {"part": int(part), "of": int(of)}:
            return _QUARTERS[3 - min(3, (4 * part - 1) // of)]
        case _:
            return _WHOLE

"""What a benchmark says."""

import json
import platform
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple


class Report(NamedTuple):
    """A figure, and the limit that bare SQL reached in the same run.

    ``ratio`` says how near the figure comes to the limit; 1 is as good, more is better, for rates
    as for times.
    """

    name: str
    figure: float
    unit: str
    limit: float
    ratio: float
    settings: dict[str, Any]

    def as_json(self) -> str:
        """Write one JSON object on one line."""
        return json.dumps(self._asdict() | {"settings": self.settings | _machine()})

    def as_text(self) -> str:
        """Write a few lines for people."""
        lines = [
            f"{self.name}: {self.figure:,.1f} {self.unit}",
            f"  limit {self.limit:,.1f} {self.unit}, ratio {self.ratio:.2f}",
        ]
        lines += [f"  {key}: {value}" for key, value in self.settings.items()]
        return "\n".join(lines)


def median_of(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the medians of figures, of limits, and of their ratios pair by pair.

    The pairs are measured in turn: a machine that grows slower takes both along.
    """
    figures, limits = zip(*pairs, strict=True)
    return median(figures), median(limits), median(f / limit for f, limit in pairs)


def progress(text: str) -> None:
    """Tell on standard error how far it is."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _machine() -> dict[str, Any]:
    return {"python": platform.python_version(), "machine": platform.machine()}

"""Gathering what a preview decides, the first of it, with names in the place of numbers (P6)."""

from collections.abc import Mapping
from typing import Any

from bursar.api.wire.programs import (
    MAX_SHOWN,
    PreviewAward,
    PreviewFailure,
    PreviewView,
    estimate_view,
    period_view,
)
from bursar.programs.model import Period
from bursar.programs.runs.model import Awards, Estimate


class Sample:
    """The first awards and failures of a preview, however many there are."""

    def __init__(self) -> None:
        self._awards: list[tuple[int, int, dict[str, Any]]] = []
        self._failures: list[tuple[int, str, str]] = []

    def see(self, awards: Awards) -> None:
        """Take in a part."""
        for group in awards.groups.values():
            about = {"period": group.period.key, "kind": group.kind, "reference": group.reference}
            room = MAX_SHOWN - len(self._awards)
            rows = zip(
                group.holder_ids[:room], group.amounts[:room], group.notes[:room], strict=True
            )
            self._awards += [
                (number, amount, about | (note or {})) for number, amount, note in rows
            ]
        self._failures += awards.failures[: MAX_SHOWN - len(self._failures)]

    @property
    def holder_ids(self) -> set[int]:
        """Whose names are needed."""
        return {one[0] for one in (*self._awards, *self._failures)}

    def view(
        self, program: str, period: Period, found: Estimate, names: Mapping[int, str]
    ) -> PreviewView:
        """Show it; who has been erased has no name."""
        return PreviewView(
            program=program,
            period=period_view(period),
            estimate=estimate_view(found),
            awards=[
                PreviewAward(holder=names.get(number), amount=amount, why=why)
                for number, amount, why in self._awards
            ],
            failures=[
                PreviewFailure(holder=names.get(number), code=code, message=message)
                for number, code, message in self._failures
            ],
        )

"""Showing that long work goes on: on a terminal's standard error, and nowhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bursar.cli.output import amount, console


class _Rate(ProgressColumn):
    """How many are done, and how many in a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Spell it: ``812 000 rows, 54 000/s``."""
        rate = "" if task.speed is None else f", {amount(int(task.speed), 0)}/s"
        return Text(f"{amount(int(task.completed), 0)} {self._unit}{rate}")


class Meter:
    """How far work has come; does nothing where nobody watches."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress = progress
        self._task = task

    @property
    def measured(self) -> bool:
        """Whether anybody watches how much of a known whole is done."""
        return self._progress is not None and self._progress.tasks[0].total is not None

    def at(self, done: int, whole: int | None = None) -> None:
        """Say how much is done, and how much there is if that has turned out otherwise."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=whole)

    def say(self, what: str) -> None:
        """Say what is being done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=what)


@contextmanager
def meter(
    what: str, total: int | None = None, *, wanted: bool = True, unit: str = ""
) -> Iterator[Meter]:
    """Show a bar, or something that turns where the whole is not known.

    With a ``unit`` also how many of it are done, how many in a second, and the time left.
    """
    if not wanted or not sys.stderr.isatty():
        yield Meter()
        return
    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}")]
    if total is not None:
        columns.append(BarColumn())
    columns.append(TimeElapsedColumn())
    if unit:
        columns += [_Rate(unit), TimeRemainingColumn()]
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield Meter(progress, progress.add_task(what, total=total))

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


class Meter:
    """How far work has come; does nothing where nobody watches."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress = progress
        self._task = task

    @property
    def measured(self) -> bool:
        """Whether anybody watches how much of a known whole is done."""
        return self._progress is not None and self._progress.tasks[0].total is not None

    def at(self, done: int) -> None:
        """Say how much of the whole is done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)

    def say(self, what: str) -> None:
        """Say what is being done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=what)


class _Rate(ProgressColumn):
    """How many a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Say it as soon as it is known."""
        return Text("" if task.speed is None else f"{amount(int(task.speed), 0)} {self._unit}/s")


@contextmanager
def meter(
    what: str, total: int | None = None, *, wanted: bool = True, unit: str | None = None
) -> Iterator[Meter]:
    """Show a bar, or something that turns where the whole is not known.

    With a ``unit`` the bar also tells how many of it are done a second, and the time that is left.
    """
    if not wanted or not sys.stderr.isatty():
        yield Meter()
        return
    columns = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
    if total is not None:
        columns.insert(2, BarColumn())
    if total is not None and unit is not None:
        columns += [_Rate(unit), TimeRemainingColumn()]
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield Meter(progress, progress.add_task(what, total=total))

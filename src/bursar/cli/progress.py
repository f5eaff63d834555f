"""Showing that long work goes on: on a terminal's standard error, and nowhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bursar.cli.output import console


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


@contextmanager
def meter(what: str, total: int | None = None, *, wanted: bool = True) -> Iterator[Meter]:
    """Show a bar, or something that turns where the whole is not known."""
    if not wanted or not sys.stderr.isatty():
        yield Meter()
        return
    columns = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
    if total is not None:
        columns.insert(2, BarColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield Meter(progress, progress.add_task(what, total=total))

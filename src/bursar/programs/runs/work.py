"""What a chunk is decided with, and what comes of it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from bursar.programs.judge import Judge
from bursar.programs.library import Compiled
from bursar.programs.model import Program
from bursar.programs.runs.model import Awards, Run

Settle = Callable[[frozenset[int]], Awaitable[None]]
"""What is written after the awards are posted, told which holders were set aside."""


class Work(NamedTuple):
    """A run with its program and the judge of its period."""

    run: Run
    compiled: Compiled
    judge: Judge

    @property
    def program(self) -> Program:
        """The program's words."""
        return self.compiled.program

    @property
    def program_id(self) -> int:
        """The program's number."""
        return self.run.program_id or 0


class Decided(NamedTuple):
    """A chunk's awards, and what is to follow their posting."""

    awards: Awards
    settle: Settle | None = None

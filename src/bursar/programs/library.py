"""Programs with their expressions compiled, kept by version: a version never changes."""

from typing import Final, NamedTuple

from bursar.platform.database import Connection
from bursar.platform.errors import Missing
from bursar.platform.expressions import Environment
from bursar.programs import store
from bursar.programs.facts import FORMULA_FACTS, HOLDER_FACTS
from bursar.programs.judge import Rules
from bursar.programs.model import Program

_CONDITIONS: Final = Environment(HOLDER_FACTS)
_FORMULAS: Final = Environment(FORMULA_FACTS)


class Compiled(NamedTuple):
    """One version of a program, ready to be judged by; ``author`` made it."""

    program: Program
    rules: Rules
    author: str


def compile_rules(program: Program) -> Rules:
    """Compile a program's conditions and formula; raises `Invalid` ``expression_invalid``."""
    where = f"programs.{program.name}"
    conditions = tuple(
        (reason, _CONDITIONS.compile(source, answers="bool", where=f"{where}.who.{reason}"))
        for reason, source in program.who.items()
    )
    formula = program.amount.formula
    if formula is None:
        return Rules(conditions, None)
    return Rules(
        conditions, _FORMULAS.compile(formula, answers="int", where=f"{where}.amount.formula")
    )


class Library:
    """The versions met so far."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[int, int], Compiled] = {}

    async def get(self, connection: Connection, program_id: int, version: int) -> Compiled:
        """Find a version; raises `Missing` ``program_unknown``."""
        found = self._compiled.get((program_id, version))
        if found is None:
            read = await store.read_version(connection, program_id, version)
            if read is None:
                raise Missing("program_unknown", f"there is no version {version}", version=version)
            program, author = read
            found = Compiled(program, compile_rules(program), author)
            self._compiled[program_id, version] = found
        return found

"""What must hold between the keys of a program, and between programs and assets (P2, P3, P5). Pure.

Expressions are compiled against the facts that there are, so that a misspelt one is found before
anybody is paid.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from bursar.economy.fields import Problems, one_of, suggestion
from bursar.economy.locate import Path
from bursar.economy.read_notices import unknown_kind
from bursar.economy.read_program import BUILT_IN_REASONS
from bursar.ledger.model import OWN_REFERENCES
from bursar.notices.kinds import OF_PROGRAMS
from bursar.notices.model import Kind
from bursar.platform.errors import Invalid
from bursar.platform.expressions import Answers, Environment, Expression
from bursar.programs.facts import FORMULA_FACTS, HOLDER_FACTS
from bursar.programs.model import Claim, Once, Program, Rolling

MAX_REFERENCE: Final = 196
"""Characters when filled: a wallet takes 200, and what is given anew is marked at the end."""
PLACEHOLDERS: Final = ("program", "period", "date")
_LONGEST: Final = {"period": "2026-04-14T22:00Z", "date": "20260414"}
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")

_CONDITIONS: Final = Environment(HOLDER_FACTS)
_FORMULAS: Final = Environment(FORMULA_FACTS)


def check_programs(
    programs: Mapping[str, Program],
    assets: Collection[str],
    problems: Problems,
    *,
    unsound: Collection[str],
) -> None:
    """Note what is wrong with programs beyond single keys.

    Of those in ``unsound`` a key was wrong already, and reads as its default: what follows from
    that is left aside.
    """
    sharing: dict[str, Program] = {}
    for program in programs.values():
        path, sound = ("programs", program.name), program.name not in unsound
        _check_asset(program, path, assets, problems)
        _check_conditions(program, path, problems)
        _check_formula(program, path, problems, sound=sound)
        _check_limits(program, path, problems)
        if _check_reference(program, path, problems) and sound:
            key = program.reference.replace("{program}", program.name)
            other = sharing.setdefault(key, program)
            if other.asset != program.asset:
                problems.add(
                    (*path, "reference"),
                    f"is that of {other.name}, which gives {other.asset}: programs that pay once "
                    "between them give the same asset",
                )
        _check_kinds(program, path, problems)
        if sound:
            _check_reasons(program, path, problems)
            _check_notices(program, path, problems)


def _check_asset(program: Program, path: Path, assets: Collection[str], problems: Problems) -> None:
    if program.asset and program.asset not in assets:
        near = suggestion(program.asset, assets)
        problems.add((*path, "asset"), f"there is no asset {program.asset}{near}")


def _check_conditions(program: Program, path: Path, problems: Problems) -> None:
    for reason, source in program.who.items():
        _compile(_CONDITIONS, source, "bool", (*path, "who", reason), problems)


def _check_formula(program: Program, path: Path, problems: Problems, *, sound: bool) -> None:
    source = program.amount.formula
    if not source:
        return
    formula = _compile(_FORMULAS, source, "int", (*path, "amount"), problems)
    schedule = program.schedule
    counts = isinstance(schedule, Claim) and schedule.streak is not None
    if sound and formula is not None and "streak" in formula.names and not counts:
        text = "asks for the streak, and the schedule counts none: claim with streak = {}"
        problems.add((*path, "amount"), text)


def _compile(
    environment: Environment, source: str, answers: Answers, path: Path, problems: Problems
) -> Expression | None:
    if not source:
        return None
    where = "expression"
    try:
        return environment.compile(source, answers=answers, where=where)
    except Invalid as error:
        line, column = error.fields.get("line"), error.fields.get("column")
        place = f", line {line}, column {column}" if line else ""
        words = error.message.removeprefix(f"{where}{place}: ")
        problems.add(path, words + (f" (in {place[2:]} of the expression)" if place else ""))
        return None


def _check_reasons(program: Program, path: Path, problems: Problems) -> None:
    known = (*program.who, *BUILT_IN_REASONS)
    for reason in program.keep_reasons:
        if reason not in known:
            text = f"{reason} is no reason of this program, which has {one_of(known)}"
            problems.add((*path, "keep_reasons"), text + suggestion(reason, known))


def _check_kinds(program: Program, path: Path, problems: Problems) -> None:
    for word in program.terms.notices:
        if word not in OF_PROGRAMS:
            text = unknown_kind(word, OF_PROGRAMS, "a program tells")
            problems.add((*path, "terms", "notices"), text)


def _check_notices(program: Program, path: Path, problems: Problems) -> None:
    """Find kinds that would tell one fact twice, or never anything (N4, P11)."""
    told, schedule, terms = program.terms.notices, program.schedule, program.terms
    wrong = {
        Kind.DEPOSIT: (
            Kind.REFRESH_DONE in told,
            "names deposit and refresh_done, which tell the same award: choose one",
        ),
        Kind.REFRESH_DONE: (
            not isinstance(schedule, Rolling),
            "names refresh_done, which tells of a cycle: needs a schedule of days; others deposit",
        ),
        Kind.REFRESH_FAILED: (
            not program.keep_reasons,
            "names refresh_failed, and keep_reasons no reason: nothing would ever be told",
        ),
        Kind.REMINDER: (
            isinstance(schedule, Claim | Once),
            "names reminder, and what is claimed or given once has no day to be reminded of",
        ),
        Kind.EXPIRING_SOON: (
            terms.expires is None and terms.expires_days is None,
            "names expiring_soon, and what this program gives never expires",
        ),
    }
    for kind, (offends, text) in wrong.items():
        if kind in told and offends:
            problems.add((*path, "terms", "notices"), text)


def _check_limits(program: Program, path: Path, problems: Problems) -> None:
    """Find an amount that the program's own ceiling would refuse to everybody who has it."""
    most, amount = program.limits.award, program.amount
    if most is None:
        return
    given = [amount.fixed, amount.otherwise, *(amount.by_tier or {}).values()]
    above = max((value for value in given if value is not None), default=0)
    if above > most:
        text = f"the amount {above:,} is above it and could never be given"
        problems.add((*path, "limits", "award"), text)


def _check_reference(program: Program, path: Path, problems: Problems) -> bool:
    """Check the template of the references; returns whether it is sound."""
    at, template = (*path, "reference"), program.reference
    named = _PLACEHOLDER.findall(template)
    count = problems.count
    for name in named:
        if name not in PLACEHOLDERS:
            near = suggestion(name, PLACEHOLDERS)
            problems.add(at, f"{{{name[:32]}}} is none of {{program}}, {{period}}, {{date}}{near}")
    if set("{}") & set(_PLACEHOLDER.sub("", template)):
        problems.add(at, "has a brace without its other")
    if template.startswith(OWN_REFERENCES):
        problems.add(at, f"may not begin with {OWN_REFERENCES}")
    periodic = not isinstance(program.schedule, Once)
    if template and periodic and not {"period", "date"} & set(named):
        problems.add(at, "must have {period} or {date}: without it a holder is paid once for ever")
    lengths = {**_LONGEST, "program": program.name}
    filled = _PLACEHOLDER.sub(lambda match: lengths.get(match[1], ""), template)
    if len(filled) > MAX_REFERENCE:
        problems.add(at, f"has {len(filled)} characters when filled, at most {MAX_REFERENCE}")
    return problems.count == count

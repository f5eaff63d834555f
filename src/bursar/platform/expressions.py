"""Conditions and amounts as expressions in CEL, behind a small interface (P2, P3).

An expression is compiled once against the facts that are declared, so that a misspelt name is
found before anybody is paid, and evaluated for one holder after the other. It cannot write, call
out, read a clock or run without end; the same values give the same answer.

What it costs is bounded as well, for whoever may write one must not be able to take the process
down. CEL bounds depth and the rounds of loops. It does not bound what a value may grow to, so
texts and lists are not joined, which rules out ``map`` and ``filter`` too, loops are nested at
most twice, and where there are loops a list or map that is written out holds no names.
"""

import difflib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from cel_expr_python import cel  # type: ignore[import-untyped]

from bursar.platform.errors import Invalid

FactKind = Literal["text", "bool", "int", "instant", "json"]
Answers = Literal["bool", "int"]

MAX_SOURCE: Final = 4_000
MAX_LOOPS: Final = 2
MAX_JSON_DEPTH: Final = 64

_TYPES: Final[dict[FactKind, Any]] = {
    "text": cel.Type.STRING,
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "instant": cel.Type.TIMESTAMP,
    "json": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
_PYTHON: Final[dict[FactKind, type]] = {
    "text": str,
    "bool": bool,
    "int": int,
    "instant": datetime,
    "json": dict,
}
_ANSWERS: Final = {"bool": "BOOL", "int": "INT"}

_QUOTED: Final = re.compile(
    r"""
      //[^\r\n]*
    | [bB]?[rR][bB]? (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\r\n]*" | '[^'\r\n]*' )
    | \"{3} (?: \\. | . )*? \"{3}
    | '{3} (?: \\. | . )*? '{3}
    | " (?: \\. | [^"\\\r\n] )* "
    | ' (?: \\. | [^'\\\r\n] )* '
    """,
    re.VERBOSE | re.DOTALL,
)
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_LOOP: Final = re.compile(r"\.(?:all|exists|exists_one|existsOne|map|filter)\(|[()]", re.ASCII)
_JOINS: Final = (b"add_string", b"add_list", b"add_bytes")
_TOKEN: Final = re.compile(r'[A-Za-z_][\w.]*|[\d.]+\w*|""|\S', re.ASCII)
_POSITION: Final = re.compile(r"<input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")


class Failed(Exception):
    """An expression gave no answer for these values; ``code`` says of which kind.

    ``expression_error``: a division by zero, an overflow, a value that is not there.
    ``expression_type``: a fact or the answer is of another type. ``expression_budget``: it looped
    or grew too much.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Expression:
    """A compiled expression. ``names`` are the facts it may read, possibly more than it does."""

    __slots__ = ("_answers", "_compiled", "_kinds", "names", "source")

    def __init__(
        self, source: str, compiled: Any, answers: Answers, kinds: Mapping[str, FactKind]
    ) -> None:
        self.source: Final = source
        self.names: Final = frozenset(kinds)
        self._compiled = compiled
        self._answers: Answers = answers
        self._kinds = tuple(kinds.items())

    def evaluate(self, values: Mapping[str, object]) -> bool | int:
        """Answer for these values, in 64 bits; other names in ``values`` are not looked at.

        A fact that is missing or None fails the expression only where its answer depends on it.
        Raises `Failed`, and nothing else, whatever the values.
        """
        try:
            answer = self._compiled.eval(data=self._read(values))
            kind = answer.type().name()
            if kind == _ANSWERS[self._answers]:
                value: bool | int = answer.value()
                return value
            said = answer.value() if kind == "ERROR" else None
        except Failed:
            raise
        except MemoryError as error:
            raise Failed("expression_budget", "the expression ran out of memory") from error
        except Exception as error:
            if "budget" in str(error):
                raise Failed("expression_budget", "the expression loops too often") from error
            raise Failed("expression_error", _plain(str(error))) from error
        if said is not None:
            raise Failed("expression_error", _plain(str(said)))
        hint = "; say int(...)" if kind == "DOUBLE" and self._answers == "int" else ""
        raise Failed("expression_type", f"the answer is {kind.lower()}, not {self._answers}{hint}")

    def _read(self, values: Mapping[str, object]) -> dict[str, object]:
        read = {}
        for name, kind in self._kinds:
            value = values.get(name)
            if value is None:
                continue
            if not isinstance(value, _PYTHON[kind]) or (kind == "int" and isinstance(value, bool)):
                raise Failed("expression_type", f"{name} is not of kind {kind}")
            if isinstance(value, datetime) and value.tzinfo is None:
                raise Failed("expression_type", f"{name} is an instant without a zone")
            if kind == "json" and _deeper(value, MAX_JSON_DEPTH):
                # The library's own recursion has no limit: it would take the process with it.
                raise Failed("expression_budget", f"{name} is nested deeper than {MAX_JSON_DEPTH}")
            read[name] = value
        return read


class Environment:
    """The facts that expressions may name, dotted names included, each with its kind.

    ``json`` is a map from text to anything; its parts are reached as ``holder.tags.level``.
    """

    def __init__(self, facts: Mapping[str, FactKind]) -> None:
        self._facts = dict(facts)
        self._compiler: Any = cel.NewEnv(
            variables={name: _TYPES[kind] for name, kind in facts.items()}
        )

    def compile(self, source: str, *, answers: Answers, where: str) -> Expression:
        """Check an expression that is to answer with ``answers``; ``where`` is named in the error.

        An expression over JSON may turn out to answer with something else: that fails when it is
        evaluated. Raises Invalid ``expression_invalid`` with ``where``, and ``line``, ``column``
        and ``near`` (declared names like the one that is not) where they are known.
        """
        if len(source) > MAX_SOURCE:
            raise _invalid(where, f"the expression is longer than {MAX_SOURCE} characters")
        if not source.strip():
            raise _invalid(where, "the expression is empty")
        if "\0" in source or any("\ud800" <= letter <= "\udfff" for letter in source):
            raise _invalid(where, "the expression has characters that are no text")
        bare = _bare(source)
        if _loops(bare) > MAX_LOOPS:
            raise _invalid(where, f"loops are nested deeper than {MAX_LOOPS}")
        if _loops(bare) and _composes(bare):
            raise _invalid(where, "beside loops, lists and maps that are written out hold no names")
        try:
            compiled = self._compiler.compile(source)
            kind = compiled.return_type().name()
            joins = any(join in compiled.serialize() for join in _JOINS)
        except Exception as error:
            raise self._explained(where, str(error)) from error
        if joins:
            raise _invalid(where, "texts and lists cannot be joined, mapped or filtered; "
                           "to add numbers out of JSON say int(a) + int(b)")  # fmt: skip
        if kind not in {_ANSWERS[answers], "DYN"}:
            hint = "; say int(...)" if answers == "int" and kind in {"DOUBLE", "UINT"} else ""
            raise _invalid(where, f"the answer is {kind.lower()}, not {answers}{hint}")
        return Expression(source, compiled, answers, self._named(bare))

    def _named(self, bare: str) -> dict[str, FactKind]:
        """The declared names that stand in the source: more than it reads, never fewer."""
        named: dict[str, FactKind] = {}
        for path in set(_PATH.findall(bare)):
            parts = path.split(".")
            for end in range(1, len(parts) + 1):
                name = ".".join(parts[:end])
                if name in self._facts:
                    named[name] = self._facts[name]
        return named

    def _explained(self, where: str, said: str) -> Invalid:
        position = _POSITION.search(said)
        if position is None:
            return _invalid(where, _plain(said))
        line, column, words = int(position[1]), int(position[2]), _plain(position[3])
        if line < 1:
            return _invalid(where, words)
        undeclared = _UNDECLARED.match(words)
        if undeclared is None:
            return _invalid(where, words, line=line, column=column)
        near = difflib.get_close_matches(undeclared[1][:200], self._facts, n=3)
        message = f"there is no {undeclared[1]}"
        if near:
            message += f"; is it {' or '.join(near)}?"
        return _invalid(where, message, line=line, column=column, near=near)


def _deeper(value: object, levels: int) -> bool:
    """Is there more than this many levels of lists and maps?"""
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(part, levels - 1) for part in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(part, levels - 1) for part in value)
    return False


def _invalid(
    where: str,
    words: str,
    *,
    line: int | None = None,
    column: int | None = None,
    near: list[str] | None = None,
) -> Invalid:
    if line is None:
        return Invalid("expression_invalid", f"{where}: {words}", where=where)
    message = f"{where}, line {line}, column {column}: {words}"
    fields = {"where": where, "line": line, "column": column, "near": near or []}
    return Invalid("expression_invalid", message, **fields)


def _bare(source: str) -> str:
    """The source without its texts and comments, and without space around dots and brackets."""
    code = _QUOTED.sub(lambda found: " " if found[0].startswith("//") else '""', source)
    return re.sub(r"\s*([.(])\s*", r"\1", code.replace("`", ""))


def _loops(bare: str) -> int:
    """How deep loops are nested."""
    open_brackets: list[bool] = []
    deepest = 0
    for found in _LOOP.finditer(bare):
        if found[0] != ")":
            open_brackets.append(found[0] != "(")
            deepest = max(deepest, sum(open_brackets))
        elif open_brackets:
            open_brackets.pop()
    return deepest


def _composes(bare: str) -> bool:
    """Is a name written within a list or a map, other than as an index?

    Loops over such lists build trees of values that share their parts: small to hold, and without
    end to compare.
    """
    opened: list[bool] = []  # for each open bracket, whether it makes a value
    ends_a_value = False
    for found in _TOKEN.finditer(bare):
        word = found[0]
        match word:
            case "[" | "{":
                opened.append(word == "{" or not ends_a_value)
            case "]" | "}":
                if opened:
                    opened.pop()
            case "true" | "false" | "null" | "in":
                pass
            case _ if any(opened) and _PATH.match(word):
                return True
        ends_a_value = word != "in" and (word[0].isalnum() or word[0] in '_)]}"')
    return False


def _plain(said: str) -> str:
    """One line of what the library says, without its codes and its long lists."""
    line = said.partition("\n")[0].removesuffix("]").rpartition(" [")[0] or said.partition("\n")[0]
    line = re.sub(r"^[A-Z_]+: ", "", line)
    line = line.partition(" expecting {")[0].removeprefix("Syntax error: ")
    return line if len(line) <= 200 else line[:199] + "…"

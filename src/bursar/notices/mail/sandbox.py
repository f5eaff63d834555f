"""Where templates are rendered: they may say words and choose between them, and little else.

Templates are an operator's own files, and one that is wrong must not hold up a sender or fill its
memory. So a rendering has a budget: of steps (turns of loops, calls, templates loaded) and of
characters. No method of a value may be called, no filter makes much out of little, and sequences
are not multiplied. What goes beyond raises `SecurityError`, which is a template's failure.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TypeVar

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    nodes,
)
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.loaders import split_template_path
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

MAX_OUTPUT: Final = 200_000
_MAX_STEPS: Final = 2_000
_MAX_SOURCE: Final = 65_536
_MAX_RANGE: Final = 1_000
_MAX_NUMBER: Final = 10**30
_FILTERS: Final = (
    "abs", "capitalize", "d", "default", "e", "escape", "first", "float", "int", "last", "length",
    "list", "lower", "round", "safe", "string", "striptags", "title", "trim", "truncate", "upper",
)  # fmt: skip

_TURNS: Final = "bursar_turns"
_WHOLE: Final = "bursar_whole"

T = TypeVar("T")


class Budget:
    """What a rendering may still do."""

    def __init__(self) -> None:
        self.steps = _MAX_STEPS
        self.characters = MAX_OUTPUT

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise SecurityError(f"it takes more than {_MAX_STEPS} steps")

    def say(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise SecurityError(f"it says more than {MAX_OUTPUT} characters")


_BUDGET: Final[ContextVar[Budget | None]] = ContextVar("budget", default=None)


@contextmanager
def budget() -> Iterator[Budget]:
    """Render within a budget; without one nothing is counted."""
    given = Budget()
    token = _BUDGET.set(given)
    try:
        yield given
    finally:
        _BUDGET.reset(token)


class Folders(BaseLoader):
    """Finds templates in the first folder that has them.

    A file that changes, comes or goes is noticed with the next rendering. Those of the last folder
    are always found under ``bursar/`` as well.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Read a template; raises `TemplateNotFound`."""
        found = self._find(template)
        if found is None:
            raise TemplateNotFound(template)
        stamp = _stamp(found)
        with found.open(encoding="utf-8") as file:
            text = file.read(_MAX_SOURCE + 1)  # what is longer is refused, and need not be held
        return text, str(found), lambda: self._find(template) == found and _stamp(found) == stamp

    def _find(self, template: str) -> Path | None:
        parts = split_template_path(template)
        folders = self._folders
        if parts[:1] == ["bursar"]:
            parts, folders = parts[1:], folders[-1:]
        paths = (folder.joinpath(*parts) for folder in folders)
        return next((path for path in paths if path.is_file()), None)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        seen = path.stat()
    except OSError:
        return (0, 0, 0)
    return (seen.st_ino, seen.st_mtime_ns, seen.st_size)


class Sandbox(SandboxedEnvironment):
    """An environment for the templates that a loader finds.

    With ``html`` all is escaped that is not markup of a template. That hangs on what is rendered
    and not on a file's name: the words of a text file are said in a page, too.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, loader: BaseLoader, *, html: bool) -> None:
        super().__init__(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=html,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_said,
        )
        kept = {name: FILTERS[name] for name in _FILTERS}
        self.filters = {**kept, "replace": _replace, _TURNS: _turns, _WHOLE: _bounded}
        self.globals = {"range": _range, "namespace": Namespace}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Let templates see what templates make, and nothing of what values can do."""
        known = isinstance(obj, TemplateModule | LoopContext | Namespace | Macro)
        return known and super().is_safe_attribute(obj, attr, value)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Count calls: a macro that calls itself twice would else never end."""
        _step()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Reckon with numbers, and join what is short."""
        numbers = isinstance(left, int) and isinstance(right, int)
        if operator == "**" or (operator != "+" and not numbers):
            raise SecurityError(f"the operator {operator} is not for this")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and abs(result) > _MAX_NUMBER:
            raise SecurityError("a number is too large")
        return _bounded(result)

    def _load_template(self, name: str, globals: Any) -> Template:  # noqa: A002
        _step()
        return super()._load_template(name, globals)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > _MAX_SOURCE:
            raise TemplateSyntaxError(
                f"the file has more than {_MAX_SOURCE} characters", 1, name, filename
            )
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = self._through(_TURNS, loop.iter)
        self._wrap_joins(tree)
        return tree

    def _wrap_joins(self, node: nodes.Node) -> None:
        """Have every ``~`` looked at, for it is no operator that the sandbox sees."""
        for field, value in node.iter_fields():
            if isinstance(value, nodes.Node):
                self._wrap_joins(value)
                setattr(node, field, self._looked_at(value))
            elif isinstance(value, list):
                for at, item in enumerate(value):
                    if isinstance(item, nodes.Node):
                        self._wrap_joins(item)
                        value[at] = self._looked_at(item)

    def _looked_at(self, node: nodes.Node) -> nodes.Node:
        return self._through(_WHOLE, node) if isinstance(node, nodes.Concat) else node

    def _through(self, name: str, expression: nodes.Node) -> nodes.Node:
        made = nodes.Filter(expression, name, [], [], None, None, lineno=expression.lineno)
        return made.set_environment(self)


def _step() -> None:
    if (given := _BUDGET.get()) is not None:
        given.step()


def _turns(values: Iterable[T]) -> Iterator[T]:
    for value in values:
        _step()
        yield value


def _said(value: T) -> T:
    if (given := _BUDGET.get()) is not None:
        given.say(len(str(value)))
    return value


def _bounded(value: T) -> T:
    if isinstance(value, str | list | tuple) and len(value) > MAX_OUTPUT:
        raise SecurityError("a text becomes too long")
    return value


def _replace(value: str, old: str, new: str) -> str:
    """Replace a part of a text that has no markup."""
    text = str(value)
    if len(text) + text.count(old) * len(new) > MAX_OUTPUT:
        raise SecurityError("a text becomes too long")
    return text.replace(old, new)


def _range(*numbers: int) -> range:
    made = range(*numbers)
    if len(made) > _MAX_RANGE:
        raise SecurityError(f"a range has at most {_MAX_RANGE} numbers")
    return made

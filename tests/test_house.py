"""The house rules, as small linters.

Each rule is a function from a file's text to what offends in it, proven on a bad sample beside the
test that reads the repository. Who may import whom is not here but in pyproject.toml's contracts.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from bursar.ledger.model import Result, Status
from bursar.platform.errors import BursarError
from tests.support import schema

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
ERRORS_PAGE = ROOT / "docs" / "errors.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

FAMILIES = {"Invalid", "Denied", "Missing", "Rejected", "Conflict", "Unavailable", "Broken"}

# Where SQL may stand in Python, below src/bursar, and why.
SQL_ROOMS = {
    "*/store.py": "the only door of a capability to its tables",
    "*/store_*.py": "a store that outgrew one file",
    "platform/*": "what talks to PostgreSQL about PostgreSQL",
    "*/verify*.py": "reads the books whole, on purpose beside the store",
    "*/export*.py": "streams the books out",
}


def tracked(*patterns: str) -> list[Path]:
    """The committed files and those about to be, by git's patterns."""
    git = ["git", "-c", "safe.directory=*"]  # whoever owns the checkout, it is only listed
    done = subprocess.run(
        [*git, "ls-files", "-z", "-c", "-o", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in done.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def offences(files: list[Path], rule) -> list[str]:
    """Apply a rule to files: ``path:line: what``."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in files
        for line, what in rule(path.read_text("utf-8", errors="replace"))
    ]


def pure_names() -> set[str]:
    """The names of pure files, from the contract that guards their imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for contract in project["tool"]["importlinter"]["contracts"]:
        if contract["name"].startswith("what is pure"):
            return {f"{name.rpartition('.')[2]}.py" for name in contract["source_modules"]}
    raise LookupError("the contract for pure files has gone")


# --- the rules ------------------------------------------------------------------------------


def impure_calls(text: str) -> Iterator[tuple[int, str]]:
    forbidden = {"now", "utcnow", "today", "uuid1", "uuid4", "float"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if name in forbidden:
                yield node.lineno, f"{name}() in a pure file"
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"the float {node.value} in a pure file"


def sql_strings(text: str) -> Iterator[tuple[int, str]]:
    statement = re.compile(
        r"\b(select\b.*\bfrom\b|insert\s+into\b|update\s+[\w.]+\s+set\b|delete\s+from\b)",
        re.IGNORECASE | re.DOTALL,
    )
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(words)) if id(node) not in docstrings:
                if found := statement.search(words):
                    yield node.lineno, f"SQL out of its rooms: {' '.join(found[0].split())[:40]}"


def developer_paths(text: str) -> Iterator[tuple[int, str]]:
    path = re.compile(r"(?<![\w.~-])/(?:root|work|home/\w+|Users/\w+)/")
    for number, line in enumerate(text.splitlines(), 1):
        if match := path.search(line):
            yield number, f"a path of somebody's machine: {match[0]}"


def registry_hosts(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\w+://|--(extra-)?index-url|--find-links", line):
            yield number, f"an address: {line.strip()[:60]}"


def unnamed_purposes(text: str) -> Iterator[tuple[int, str]]:
    lines = [*text.splitlines(), ""]
    for number, line in enumerate(lines, 1):
        if line.startswith("-- name:") and not re.match(r"-- \w", lines[number]):
            yield number, f"no purpose below {line}"


def raised_codes(text: str) -> Iterator[tuple[int, str]]:
    """Find, not an offence, ``code family`` of each error made with its code spelled out."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if name in FAMILIES:
                yield node.lineno, f"{node.args[0].value} {name}"


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (impure_calls, "datetime.now()", "now = 1"),
        (impure_calls, "amount = float(text)", "amount = int(text)"),
        (impure_calls, "rate = 0.5", "rate = (1, 2)"),
        (sql_strings, "q = 'SELECT a\\n FROM b'", "'''Select one from the docstring.'''"),
        (sql_strings, "q = f'insert into {t}'", "q = 'insert the coin'"),
        (sql_strings, "q = 'update bursar.a set b = 1'", "q = 'update them, then set'"),
        (developer_paths, "cd /" + "root/x", "see https://example.org/work/x"),
        (developer_paths, "'/" + "home/ann/bursar'", "$HOME/bursar, ../work/x, /homely/"),
        (registry_hosts, "--index-url x", "psycopg==3.3.9 \\"),
        (registry_hosts, "a @ https" + "://example.org/a.whl", "    --hash=sha256:00"),
        (unnamed_purposes, "-- name: a\nselect 1", "-- name: a\n-- Answers one.\nselect 1"),
    ],
)
def test_the_rules_catch_what_is_bad_and_pass_what_is_good(rule, bad: str, good: str) -> None:
    assert list(rule(bad))
    assert not list(rule(good))


# --- the repository -------------------------------------------------------------------------


def test_pure_files_know_neither_time_nor_chance_nor_floats() -> None:
    """A decision that can be replayed must not ask the world; an amount is whole minor units."""
    pure = [path for path in tracked("src/bursar/*.py") if path.name in pure_names()]
    assert offences(pure, impure_calls) == []


def test_a_file_that_calls_itself_pure_is_under_the_contract() -> None:
    """The word in a docstring is a promise; the contract is what keeps it."""
    promised = {
        path.name
        for path in tracked("src/bursar/*.py")
        if "Pure" in (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0]
    }
    assert promised <= pure_names()


def test_sql_stands_only_in_its_rooms() -> None:
    """A table that is written from one place can change its form in one place."""

    def free(path: Path) -> bool:
        below = path.relative_to(SRC / "bursar").as_posix()
        return any(fnmatch(below, room) for room in SQL_ROOMS)

    strangers = [path for path in tracked("src/bursar/*.py") if not free(path)]
    assert offences(strangers, sql_strings) == []


def test_locked_dependencies_name_no_registry() -> None:
    """Whoever installs chooses the registry; a lock that names one breaks behind a mirror."""
    locks = tracked("requirements/*", "*.lock", "*lock.json", "pip.conf", ".npmrc", "uv.toml")
    assert locks
    assert offences(locks, registry_hosts) == []


def test_no_file_names_a_path_of_a_developers_machine() -> None:
    """It would work for one person only."""
    assert offences(tracked(), developer_paths) == []


def test_no_source_file_is_over_400_lines() -> None:
    """A file that long is a room that wants a wall."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("src/*")
        if (lines := path.read_bytes().count(b"\n")) > 400
    }
    assert long == {}


def test_every_named_query_says_its_purpose() -> None:
    """The name says what a query does; the line below says what for, and what it relies on."""
    assert offences(tracked("src/*.sql"), unnamed_purposes) == []


def _page(section: str) -> str:
    """A section of docs/errors.md, up to the next heading."""
    return ERRORS_PAGE.read_text("utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]


def test_every_error_code_is_documented_with_its_family() -> None:
    """Codes are what callers branch on: they are an interface, and gone ones mislead as much."""
    found = {
        f"`{code}` | {family.lower()}"
        for path in tracked("src/bursar/*.py")
        for _, raised in raised_codes(path.read_text("utf-8"))
        for code, family in [raised.split()]
    }
    documented = {match[0] for match in re.finditer(r"(?<=\| )`\w+` \| \w+", _page("Codes"))}
    assert documented == found


def test_every_status_of_a_command_is_documented_with_its_family() -> None:
    """What a command's result says is what its error says when the result is unwrapped."""
    found = set()
    for status in set(Status) - {Status.APPLIED, Status.REPLAYED}:
        with pytest.raises(BursarError) as caught:
            Result(status).unwrap()
        found.add(f"`{caught.value.code}` | {caught.value.family}")
    documented = {match[0] for match in re.finditer(r"(?<=\| )`\w+` \| \w+", _page("Statuses"))}
    assert documented == found


def test_every_named_constraint_is_explained() -> None:
    """A refusal by the database must lead whoever reads it to a sentence, or to a typed error."""
    made = schema.COMMITTED.read_text("utf-8")
    constraints = set(re.findall(r"(?:CONSTRAINT|UNIQUE INDEX) (\w+)", made))
    explained = set(re.findall(r"`(\w+)`", _page("Constraints")))
    mapped = {
        node.value
        for path in tracked("src/bursar/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in constraints
    }
    assert constraints - explained - mapped == set()
    assert explained - constraints == set(), "explained, but no longer in the schema"


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_record_is_short_and_names_what_enforces_it(path: Path) -> None:
    """A decision that nothing enforces is a wish; one that nobody reads to its end is lost."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= 40
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Enforced by"]
    named = re.findall(
        r"`([\w./-]+/[\w.-]*|[\w-]+\.toml)(?:::(\w+))?`", text.split("## Enforced by")[1]
    )
    assert named
    for file, test in named:
        assert (ROOT / file).exists(), f"{file} does not exist"
        assert f"def {test}(" in (ROOT / file).read_text("utf-8") if test else True

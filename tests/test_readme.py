"""The README's commands and its Python, run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bursar.economy.parse import parse
from bursar.ledger import Ledger
from bursar.platform import postgres
from tests.support.postgres import THROW_AWAY, server_in_temporary_directory
from tests.support.running import kept_port

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
_CONSOLES = re.findall(r"<!-- tested: .*?-->\n```console\n(.*?)```", README, re.DOTALL)
_SERVED = re.search(r"<!-- served: .*?-->\n```console\n(.*?)```", README, re.DOTALL)
_PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)
_TOML = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
CLUB = ROOT / "examples" / "sportsclub" / "economy.toml"


@pytest.fixture
def books() -> Iterator[Path]:
    """A data directory that the commands make theirs; its server is quick, not durable."""
    with server_in_temporary_directory(THROW_AWAY) as started:
        postgres.stop(started.data_dir)
        yield started.data_dir


def test_the_readme_has_a_first_grant_and_a_first_month() -> None:
    assert ["wallet explain" in block for block in _CONSOLES] == [True, False]
    assert ["run start" in block for block in _CONSOLES] == [False, True]


@pytest.mark.parametrize("block", _CONSOLES, ids=["grant", "month"])
def test_the_commands_print_what_the_readme_says(books: Path, block: str) -> None:
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BURSAR_DATA_DIR": str(books),
        "COLUMNS": "200",
    }
    for command, printed in _commands(block):
        if command.startswith("export "):
            continue
        ran = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert _facts(ran.stdout) == _facts(printed), command


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README asks with curl")
def test_what_is_served_answers_what_the_readme_says(books: Path, tmp_path: Path) -> None:
    assert _SERVED is not None
    steps = [*_commands(_SERVED[1])]
    with kept_port() as port:
        environ = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BURSAR_PORT": str(port),
        }
        script = "".join(
            f"{command.replace('./shop', str(books)).replace('8600', str(port))}\necho; echo @@\n"
            for command, _ in steps
        )
        ran = subprocess.run(
            ["bash", "-c", f"exec 2>&1\n{script}"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    for (command, printed), said in zip(steps, ran.stdout.split("@@\n"), strict=False):
        assert _facts(said) == _facts(printed), command


async def test_the_python_of_the_readme_runs(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _PYTHON is not None
    async with await Ledger.open(books) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
    code = _PYTHON.group(1).replace("./books", str(books)).replace("\n", "\n    ")
    scope: dict[str, object] = {}
    exec(f"async def readme():\n    {code}", scope)  # noqa: S102 - it is our own README
    await scope["readme"]()  # type: ignore[operator]
    assert capsys.readouterr().out == "380\n"


def test_the_economy_of_the_readme_is_that_of_the_club() -> None:
    assert _TOML is not None
    shown, applied = (parse(text).programs["monthly"] for text in (_TOML[1], CLUB.read_bytes()))
    said = {"description": applied.description, "limits": applied.limits}
    assert msgspec.structs.replace(shown, **said) == applied


def _commands(block: str) -> Iterator[tuple[str, str]]:
    """Cut the block into commands and what each prints."""
    for part in block.split("$ ")[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def _facts(printed: str) -> list[str]:
    """Leave out what differs from one machine and day to the next; results and remarks apart."""
    text = re.sub(r"of 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", "of WHEN", printed)
    text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  deposit", "WHEN  deposit", text)
    text = re.sub(r"20\d\d-\d\d(-\d\d( 00:00:00| 23:00:00)?)?", "DATE", text)
    text = re.sub(r"DATE +\d+ ", "DATE DAYS ", text)
    text = re.sub(r"(in|took +) *\d+\.\d s", r"\1 TIME", text)
    text = re.sub(r'"(request_id|at)":"[^"]*"', r'"\1":"SOME"', text)
    text = re.sub(r"PostgreSQL \S+ is started in .*", "PostgreSQL is started", text)
    text = re.sub(r"by cli:\S+:", "by WHO:", text)
    text = re.sub(r"(stopped in) \S+", r"\1 PLACE", text)
    return sorted(line.rstrip() for line in text.splitlines() if line.strip())

"""The README's first grant and first spend, run as they stand there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.ledger import Ledger
from bursar.platform import postgres
from tests.support.postgres import THROW_AWAY, server_in_temporary_directory

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
_CONSOLE = re.search(r"<!-- tested: .*?-->\n```console\n(.*?)```", README, re.DOTALL)
_PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def books() -> Iterator[Path]:
    """A data directory that the commands make theirs; its server is quick, not durable."""
    with server_in_temporary_directory(THROW_AWAY) as started:
        postgres.stop(started.data_dir)
        yield started.data_dir


def test_the_first_grant_and_spend_print_what_the_readme_says(books: Path) -> None:
    assert _CONSOLE is not None
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BURSAR_DATA_DIR": str(books),
        "COLUMNS": "200",
    }
    for command, printed in _commands(_CONSOLE.group(1)):
        if command.startswith("export "):
            continue
        ran = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert _facts(ran.stdout) == _facts(printed), command


async def test_the_python_of_the_readme_runs(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _PYTHON is not None
    async with await Ledger.open(books) as ledger:
        await ledger.add_asset("coins")
    code = _PYTHON.group(1).replace("./books", str(books)).replace("\n", "\n    ")
    scope: dict[str, object] = {}
    exec(f"async def readme():\n    {code}", scope)  # noqa: S102 - it is our own README
    await scope["readme"]()  # type: ignore[operator]
    assert capsys.readouterr().out == "380\n"


def _commands(block: str) -> Iterator[tuple[str, str]]:
    """Cut the block into commands and what each prints."""
    for part in block.split("$ ")[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def _facts(printed: str) -> list[str]:
    """Leave out what differs from one machine and day to the next; results and remarks apart."""
    text = re.sub(r"of 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", "of WHEN", printed)
    text = re.sub(r"by cli:\S+:", "by WHO:", text)
    text = re.sub(r"(stopped in) \S+", r"\1 PLACE", text)
    return sorted(line.rstrip() for line in text.splitlines() if line.strip())

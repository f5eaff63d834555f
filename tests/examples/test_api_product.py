"""The example of an API that sells calls, from start to end: what it shows is so."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bursar.platform import postgres

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "api_product"
PATIENCE_S = 280

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def told() -> str:
    """What the story prints, played where nothing may be left behind."""
    with tempfile.TemporaryDirectory(prefix="bursar-") as where:
        Path(where).chmod(0o711)
        done = subprocess.run(
            [sys.executable, EXAMPLE / "run.py"],
            env={"PATH": "/usr/bin:/bin", "TMPDIR": where, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert [*Path(where).iterdir()] == []
    return done.stdout


def answers(told: str) -> list[tuple[str, str, str]]:
    """The calls in their order: who, which, and how they were answered."""
    return re.findall(r"^  (\w+) (c\d): (\d+) ", told, re.MULTILINE)


def test_calls_are_answered_as_their_credits_allow(told: str) -> None:
    assert answers(told) == [
        ("acme", "c1", "200"),
        ("acme", "c1", "409"),
        ("acme", "c2", "422"),
        ("bolt", "c3", "200"),
        ("bolt", "c4", "200"),
        ("bolt", "c5", "402"),
        ("gone", "c6", "404"),
        ("bolt", "c7", "200"),
    ]


def test_only_what_was_read_is_paid(told: str) -> None:
    assert 'acme has: {"available":991,"held":0}' in told
    assert 'bolt has: {"available":42,"held":0}' in told


def test_the_next_month_begins_with_its_own_credits_alone(told: str) -> None:
    assert re.search(r'bolt c7: 200 .*"left":51}', told)
    assert "expire               -42" in told
    assert "the books are sound" in told


def test_the_readme_shows_what_is_printed(told: str) -> None:
    readme = (EXAMPLE / "README.md").read_text("utf-8")
    [shown] = re.findall(r"```console\n(.*?)```", readme, re.DOTALL)
    printed = {line.strip() for line in told.splitlines()}
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines[0] == "$ python examples/api_product/run.py"
    assert [line for line in lines[1:] if line != "…" and line not in printed] == []


def test_work_that_is_interrupted_gives_its_place_back(told: str) -> None:
    """Told is asked for so that the server's programs are known to work before."""
    assert told
    with tempfile.TemporaryDirectory(prefix="bursar-") as where:
        Path(where).chmod(0o711)
        process = subprocess.Popen(
            [sys.executable, EXAMPLE / "run.py"],
            env={"PATH": "/usr/bin:/bin", "TMPDIR": where},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if "bursar serve" in line:
                break
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 128 + 15
        for books in Path(where).glob("*/books"):
            assert postgres.status(books).state == "stopped"
        assert [*Path(where).iterdir()] == []

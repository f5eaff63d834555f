"""`make demo`, from start to end and interrupted: what it shows is so, and nothing is left."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bursar.platform import postgres

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "sportsclub" / "demo.py"
PATIENCE_S = 280

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def where() -> Iterator[Path]:
    """A directory that the server's account may enter, with a short path."""
    with tempfile.TemporaryDirectory(prefix="bursar-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


@contextmanager
def demo(where: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo; it has ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, DEMO, *arguments],
        env=os.environ | {"DEMO_DIR": str(where), "PYTHONIOENCODING": "utf-8"} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_S)


def processes_in(where: Path) -> list[str]:
    """The command lines of processes that name this place."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            line = (
                (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except OSError:
            continue
        if str(where) in line:
            found.append(line)
    return found


def read_until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted(line):
            return
    pytest.fail("the line did not come")


def test_the_story_ends_well_and_leaves_nothing(where: Path) -> None:
    nowhere = {"BURSAR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/production"}
    with demo(where, "--subscribers", "2000", **nowhere) as process:
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    assert told.count("$ bursar ") == 16
    assert re.search(r"^(killed when|it was quicker than the kill: )", told, re.MULTILINE)
    assert re.search(r"run_1: monthly \d{4}-\d\d, finished", told)
    assert "has been run: run_1 is finished (period_run)" in told
    assert "nothing is due" in told
    assert "the books are sound" in told
    awarded = re.findall(r"award(?:ed)? +([\d ]+) coins, ([\d ]+) holders", told)
    assert awarded[0] == awarded[-1], "preview and run differ"
    amount, members = awarded[0]
    assert f"{amount} coins to {members} members, 0 of them twice:\n  just what run_1" in told
    left_out = [int(n.replace(" ", "")) for n in re.findall(r"  left out: \w+ +([\d ]+\d)", told)]
    assert sum(left_out) + int(members.replace(" ", "")) == 2000
    assert [*where.iterdir()] == []
    assert processes_in(where) == []


@pytest.mark.parametrize(
    ("number", "code", "command"),
    [
        (signal.SIGINT, 130, "run preview"),
        (signal.SIGTERM, 143, "run preview"),
        (signal.SIGHUP, 129, "run preview"),
        (signal.SIGINT, 130, "db start"),
    ],
)
def test_interrupted_it_leaves_nothing(
    where: Path, number: signal.Signals, code: int, command: str
) -> None:
    with demo(where, "--subscribers", "2000") as process:
        read_until(process, lambda line: line.startswith(f"$ bursar {command}"))
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert [*where.iterdir()] == []
    assert processes_in(where) == []


def test_whoever_stops_reading_ends_the_story_and_leaves_nothing(where: Path) -> None:
    with demo(where, "--subscribers", "1") as process:
        read_until(process, lambda line: line.startswith("$ bursar db start"))
        assert process.stdout is not None
        process.stdout.close()
        process.wait(PATIENCE_S)
    assert process.returncode == 141
    assert [*where.iterdir()] == []
    assert processes_in(where) == []


def test_a_command_that_fails_ends_the_story_and_leaves_nothing(where: Path) -> None:
    with demo(where, BURSAR_CHECKSUM_KEY="no key") as process:
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "The demo stops here: `bursar db start` ended with" in told
    assert "Traceback" not in told
    assert [*where.iterdir()] == []


def test_kept_books_stay_and_their_server_does_not(where: Path) -> None:
    with demo(where, "--subscribers", "1", DEMO_KEEP="1") as process:
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    [kept] = where.iterdir()
    assert f"export BURSAR_DATA_DIR={kept}/books" in told
    assert postgres.status(kept / "books").state == "stopped"
    assert processes_in(where) == []


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "10000001"])
def test_a_number_of_subscribers_that_makes_no_sense_is_refused(where: Path, wrong: str) -> None:
    with demo(where, f"--subscribers={wrong}") as process:
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert [*where.iterdir()] == []

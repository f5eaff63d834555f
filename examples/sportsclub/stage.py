"""A place for the demo that is gone afterwards, and the commands run in it."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bursar.platform import postgres

ROOT = Path(__file__).parents[2]
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = "\x1b[?25h"
_PATIENCE_S = 10


class CommandFailed(Exception):
    """A command of the story ended as it should not."""


class Stage:
    """A directory with books in it, and ``bursar`` on them just as a person would type it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.books = base / "books"
        # nothing that is set for other books may lead there
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("BURSAR_DATABASE")}
        self._environ["BURSAR_DATA_DIR"] = str(self.books)

    def run(self, *arguments: str, expect: Collection[int] = (0,)) -> None:
        """Show a command and run it; raises `CommandFailed` unless it ends as expected."""
        with self.started(*arguments) as process:
            code = process.wait()
        if code not in expect:
            raise CommandFailed(f"`{_typed(arguments)}` ended with {code}")

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Show a command and start it; it has ended afterwards, one way or another."""
        say(f"$ {_typed(arguments)}")
        process = subprocess.Popen(
            [sys.executable, "-m", "bursar", *arguments],
            cwd=ROOT,
            env=self._environ,
            # bars are for terminals; elsewhere what goes wrong belongs where it happens
            stderr=None if sys.stderr.isatty() else subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            _end(process)


@contextmanager
def stage(where: Path | None, *, keep: bool) -> Iterator[Stage]:
    """Make the place; however the story ends, its server is stopped and its directory removed.

    With ``keep`` the directory stays. SIGTERM and SIGHUP end the story as Ctrl-C does.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    if where is not None:
        where.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="bursar-demo-", dir=where)).resolve()
    made = Stage(base)
    try:
        base.chmod(0o711)  # the server's account must be able to enter
        yield made
    finally:
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)  # impatience must not leave a server behind
        postgres.stop(made.books)
        if not keep:
            shutil.rmtree(base)


def say(text: str = "") -> None:
    """Print a line now, so that it stands before what a command prints next."""
    print(text, flush=True)


def _typed(arguments: Collection[str]) -> str:
    """Spell a command as one would type it in the checkout."""
    return shlex.join(["bursar", *(a.removeprefix(f"{ROOT}/") for a in arguments)])


def _end(process: subprocess.Popen[bytes]) -> None:
    """See that a process has ended: by itself, else by being asked, else by force."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode < 0 and sys.stderr.isatty():
        sys.stderr.write(f"{_SHOW_CURSOR}\n")  # a bar that is killed has hidden it


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)

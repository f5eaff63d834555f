"""The command line on a real database, in this process or in one of its own."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bursar.cli import main
from tests.conftest import Database

if TYPE_CHECKING:
    from tests.cli.listener import Listener
    from tests.cli.shop import Shop
    from tests.notices.mail.servers import Office


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it answered to a program."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error that it told a program."""
        return json.loads(self.err)

    @property
    def lines(self) -> list[Any]:
        """The answers of `post`."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]


def run(*arguments: object, stdin: bytes | str = b"") -> Done:
    """Run a command in this process."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    streams = sys.stdin, sys.stdout, sys.stderr
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(given)), out, err
    interrupt = signal.getsignal(signal.SIGINT)
    code: object = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        with suppress(ValueError):  # as `main` itself: only the main thread may
            signal.signal(signal.SIGINT, interrupt)
    told = []
    for stream in (out, err):
        stream.flush()
        told.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    assert "Traceback" not in told[1]
    return Done(int(str(code or 0)), *told)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own ledger is near."""
    for name in list(os.environ):
        if name.startswith("BURSAR_") and not name.startswith("BURSAR_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BURSAR_DATA_DIR", str(tmp_path / "no-data-here"))


@pytest.fixture
def bursar(database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``bursar …`` on the test's database, with an asset of two decimal places."""
    monkeypatch.setenv("BURSAR_DATABASE_URL", database.url)
    monkeypatch.setenv("BURSAR_DATABASE_OWNER_URL", database.owner_url)
    assert run("asset", "add", "coins", "--scale", 2).code == 0
    return run


@pytest.fixture
def shop(bursar: Run, database: Database) -> "Shop":
    """The same with three people: ada, bob and cyd."""
    from tests.cli.shop import Shop

    made = Shop(database.url, bursar)
    made.enrol("ada", "bob", "cyd")
    return made


@pytest.fixture
def telling(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> "Shop":
    """A shop that tells of deposits, with a key for secrets, and mia who has an address."""
    from bursar.platform.sealing import new_key
    from tests.cli.telling import begin_telling

    monkeypatch.setenv("BURSAR_SECRETS_KEY", new_key())
    monkeypatch.setenv("BURSAR_WEBHOOK_NETWORKS", "127.0.0.0/8")
    begin_telling(shop)
    return shop


@pytest.fixture
def listener() -> Iterator["Listener"]:
    """A machine that listens for webhooks."""
    from tests.cli.listener import listening

    with listening() as kept:
        yield kept


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator["Office"]:
    """A mail server that the settings name."""
    from tests.notices.mail.servers import office

    with office() as (handler, port):
        monkeypatch.setenv("BURSAR_SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("BURSAR_MAIL_FROM", "Sports Club <coins@club.example>")
        yield handler


@pytest.fixture
def spawn() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start ``bursar …`` in a process of its own, with pipes."""
    children: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object, **options: Any) -> "subprocess.Popen[bytes]":
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-m", "bursar", *map(str, arguments)]
        children.append(subprocess.Popen(command, **pipes | options))
        return children[-1]

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


def credit(holder: str, reference: str, amount: int, **more: object) -> str:
    """A line that gives credit."""
    shape = {"op": "credit", "holder": holder, "asset": "coins", "reference": reference}
    return json.dumps(shape | {"amount": amount} | more)


def jsonl(*lines: str) -> str:
    """Lines, each with its end."""
    return "".join(f"{line}\n" for line in lines)
